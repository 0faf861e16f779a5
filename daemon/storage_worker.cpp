// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_worker.h"

#include <utility>

namespace meshd {

StorageWorker::StorageWorker(std::unique_ptr<Database> database, std::function<void()> wake)
    : database_(std::move(database)), wake_(std::move(wake)), thread_([this] { run(); }) {}

StorageWorker::~StorageWorker() {
    {
        const std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    wanted_.notify_one();
    thread_.join();
}

void StorageWorker::persist(Persist changes) {
    {
        const std::lock_guard lock(mutex_);
        persist_ = std::move(changes);
    }
    wanted_.notify_one();
}

void StorageWorker::backup(std::string path) {
    {
        const std::lock_guard lock(mutex_);
        backup_ = std::move(path);
    }
    wanted_.notify_one();
}

std::vector<StorageWorker::Report> StorageWorker::take_reports() {
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
}

void StorageWorker::report(Report report) {
    {
        const std::lock_guard lock(mutex_);
        reports_.push_back(std::move(report));
    }
    wake_();
}

void StorageWorker::run() {
    while (true) {
        std::optional<Persist> changes;
        std::optional<std::string> path;
        {
            std::unique_lock lock(mutex_);
            wanted_.wait(lock, [this] { return is_ending_ || persist_ || backup_ || copy_; });
            changes = std::exchange(persist_, std::nullopt);
            path = std::exchange(backup_, std::nullopt);
            // What was handed over is written even at the end.
            if (is_ending_ && !changes) {
                break;
            }
        }
        if (changes) {
            report(Persisted{changes->token, database_->commit(*changes)});
        }
        if (path) {
            start_backup(*path);
        } else if (copy_) {
            step_backup();
        }
    }
    copy_.reset();
    database_.reset();
}

void StorageWorker::start_backup(const std::string& path) {
    if (database_->connection() == nullptr) {
        report(BackedUp{tl::unexpected("the database is not open: " + database_->trouble().text)});
        return;
    }
    auto copy = BackupCopy::start(*database_->connection(), path, BackupCopy::IfThere::Refuse);
    if (!copy) {
        report(BackedUp{tl::unexpected(copy.error())});
        return;
    }
    copy_.emplace(std::move(*copy));
    copy_generation_ = database_->generation();
    copy_path_ = path;
}

bool StorageWorker::is_copy_good() const {
    return database_->connection() != nullptr && database_->generation() == copy_generation_;
}

void StorageWorker::step_backup() {
    if (!is_copy_good()) {
        copy_.reset();
        report(BackedUp{tl::unexpected(copy_path_ + ": the database was replaced meanwhile")});
        return;
    }
    const auto is_done = copy_->step();
    if (is_done && !*is_done) {
        return;
    }
    tl::expected<StorageBackup, std::string> result =
        tl::unexpected(is_done ? std::string() : is_done.error());
    if (is_done) {
        if (const auto bytes = copy_->finish(); bytes) {
            result = StorageBackup{copy_path_, *bytes, database_->records()};
        } else {
            result = tl::unexpected(bytes.error());
        }
    }
    copy_.reset();
    report(BackedUp{std::move(result)});
}

}  // namespace meshd
