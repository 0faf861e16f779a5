// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "daemon/storage_backup.h"
#include "daemon/storage_database.h"

namespace meshd {

/// The thread that owns the database. It takes one Persist and one backup at a time; a Persist goes
/// between two steps of a backup.
class StorageWorker {
  public:
    struct Persisted {
        PersistToken token = 0;
        Database::Committed committed;
    };
    struct BackedUp {
        tl::expected<StorageBackup, std::string> result;
    };
    using Report = std::variant<Persisted, BackedUp>;

    /// `wake` is called from the thread whenever take_reports() has something new.
    StorageWorker(std::unique_ptr<Database> database, std::function<void()> wake);
    StorageWorker(const StorageWorker&) = delete;
    StorageWorker& operator=(const StorageWorker&) = delete;
    ~StorageWorker();

    void persist(Persist changes);
    /// Copies to `path`.
    void backup(std::string path);
    std::vector<Report> take_reports();

  private:
    void run();
    void report(Report report);
    void start_backup(const std::string& path);
    void step_backup();
    bool is_copy_good() const;

    // The thread's own.
    std::unique_ptr<Database> database_;
    std::optional<BackupCopy> copy_;
    std::uint64_t copy_generation_ = 0;
    std::string copy_path_;

    std::function<void()> wake_;
    std::mutex mutex_;
    std::condition_variable wanted_;
    std::optional<Persist> persist_;
    std::optional<std::string> backup_;
    std::vector<Report> reports_;
    bool is_ending_ = false;
    std::thread thread_;  ///< last, so that it finds the others there
};

}  // namespace meshd
