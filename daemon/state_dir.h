// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "daemon/names.h"
#include "proto/base/ids.h"

namespace meshd {

/// The directory of what a node keeps over restarts, locked for this process: two daemons on one
/// directory would be one node twice. The lock ends with the process, however it ends.
class StateDir {
  public:
    /// Creates the directory (0700) where it is missing and locks it. On a read-only or full disk
    /// the directory may be unusable: then is_writable() is false and nothing is kept. Fails where
    /// another process holds the lock, or permissions forbid.
    static tl::expected<StateDir, std::string> open(const std::filesystem::path& path);

    StateDir(StateDir&& other) noexcept;
    StateDir& operator=(StateDir&&) = delete;
    ~StateDir();

    const std::filesystem::path& path() const { return path_; }
    bool is_writable() const { return why_read_only_.empty(); }
    /// Why nothing is kept; empty where is_writable().
    const std::string& why_read_only() const { return why_read_only_; }

  private:
    StateDir(std::filesystem::path path, int lock, std::string why_read_only);
    std::filesystem::path path_;
    int lock_ = -1;
    std::string why_read_only_;
};

/// $STATE_DIRECTORY (systemd), else /var/lib/meshd for root, else meshd in $XDG_STATE_HOME or
/// ~/.local/state. `configured` beats all of them. Fails where none applies.
tl::expected<std::filesystem::path, std::string> choose_state_dir(const std::string& configured);

/// Which installation this is.
struct Installation {
    InstanceId instance;
    /// What a default name is made of, the same as long as the instance id. Empty where the
    /// hardware has no mark at all.
    std::string name_id;
    /// What to tell the operator: a new identity and why, or that it is not kept. May be empty.
    std::string notice;
};

/// The instance id kept in `identity.json`; `fresh` is stored instead where there is none, where
/// the file is broken (it is set aside), or where it comes from other hardware: the copied card
/// must not be the same installation twice. Other hardware is what has lasting marks, and not the
/// one that is kept. Fails where the disk does not give the file: what it holds is not lost yet.
tl::expected<Installation, std::string> load_installation(const StateDir& dir,
                                                          const HardwareMarks& hardware,
                                                          InstanceId fresh);

}  // namespace meshd
