// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "daemon/storage_types.h"
#include "proto/store/stored.h"

namespace meshd {

class StorageWorker;

/// What is kept over restarts, in `meshd.db` of the state directory. One thread of its own writes,
/// so that a slow disk holds nothing up; results come from the loop.
///
/// A disk that is full, read-only or gone loses nothing but durability: persist() then ends in
/// Failed, is worth trying again, and works again when the disk does. A database that cannot be
/// used is set aside with a notice and replaced by an empty one.
class Storage {
  public:
    using OnPersisted = std::function<void(PersistToken token, PersistResult result)>;
    using OnBackup = std::function<void(tl::expected<StorageBackup, std::string> result)>;

    struct Opened {
        std::unique_ptr<Storage> storage;
        Restored restored;
    };
    /// Reads all there is, in this call. `loop` must outlive the storage.
    static Opened open(uv_loop_t* loop, const std::filesystem::path& state_dir,
                       StorageOptions options = {});

    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    /// Ends after the write under way; a backup under way is given up. Nobody is called any more.
    ~Storage();

    /// Whom to tell how each persist() ended. From the loop only, never inside a call of this
    /// class.
    void set_on_persisted(OnPersisted on_persisted);
    /// One at a time: the next only when the former has ended.
    void persist(Persist changes);
    /// How long a write may last before warnings() and the log say so: two seconds, as the core.
    void set_stall(std::chrono::milliseconds stall) { stall_ = stall; }

    /// Copies the database as it is on the disk to `path`, an absolute one where nothing is yet;
    /// empty: "backup-<UTC>.db" in the state directory. `done` is called from the loop, except
    /// after the end of this object. One backup at a time; others are refused.
    void backup(std::string path, OnBackup done);

    /// What keeps data from being kept now, and what happened to the files from the start on. The
    /// log has been told.
    std::vector<std::string> warnings() const;
    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

  private:
    Storage(uv_loop_t* loop, std::filesystem::path state_dir);
    void on_reports();
    /// How long the write under way has lasted; zero where there is none.
    std::chrono::milliseconds writing_for() const;
    std::string stall_text() const;
    void end_write();
    void tell_trouble(const DiskError& error);
    void tell_notices(std::vector<std::string> notices);

    std::filesystem::path state_dir_;
    // On the heap because libuv closes handles later than this object ends.
    uv_async_t* wake_;
    uv_timer_t* stall_timer_;
    std::unique_ptr<StorageWorker> worker_;
    std::chrono::milliseconds stall_;
    std::optional<std::uint64_t> writing_since_ns_;  ///< uv_hrtime()
    bool is_stall_told_ = false;
    OnPersisted on_persisted_;
    OnBackup on_backup_;
    DiskTrouble trouble_ = DiskTrouble::None;
    std::string trouble_text_;
    std::deque<std::string> notices_;
    std::uint64_t commits_ = 0;
    std::uint64_t failures_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t replaced_ = 0;
};

}  // namespace meshd
