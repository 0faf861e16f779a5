// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/keyring_file.h"

namespace meshd {

/// The mesh keys as they stand on the disk. Writes beside the loop: an SD card may take longer than
/// the other nodes wait for an answer.
class KeyringKeeper {
  public:
    KeyringKeeper(uv_loop_t* loop, std::filesystem::path path, KeptKeys kept);
    KeyringKeeper(const KeyringKeeper&) = delete;
    KeyringKeeper& operator=(const KeyringKeeper&) = delete;
    ~KeyringKeeper() { shared_->is_closed = true; }

    const KeptKeys& kept() const { return shared_->kept; }
    /// A write is under way: another one may not begin.
    bool is_busy() const { return shared_->is_busy; }
    /// Whether a ring made from `before` may take its place: not while another change is under way
    /// or after one, which it would undo.
    bool may_follow(const Keyring& before) const { return !is_busy() && before == kept().ring; }
    /// Writes these keys; only while not busy. `done` is called from the loop once, unless this
    /// object is gone by then: with nothing, and kept() are these keys; or why not, and they are
    /// the old ones.
    void store(KeptKeys keys, std::function<void(const std::string& trouble)> done);

  private:
    /// Outlives this object while a write is under way.
    struct Shared {
        std::filesystem::path path;
        KeptKeys kept;
        bool is_busy = false;
        bool is_closed = false;
    };
    struct Write;

    uv_loop_t* loop_;
    std::shared_ptr<Shared> shared_;
};

}  // namespace meshd
