// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage.h"

#include <variant>

#include "daemon/log.h"
#include "daemon/storage_database.h"
#include "daemon/storage_files.h"
#include "daemon/storage_worker.h"
#include "proto/base/assert.h"

namespace meshd {
namespace {

/// The newest are kept: a card that breaks its database again and again has the same to say.
constexpr std::size_t kNoticesMax = 8;
/// When the core takes a write for one of a disk that stalls.
constexpr std::chrono::seconds kStall{2};

std::string_view trouble_name(DiskTrouble trouble) {
    switch (trouble) {
        case DiskTrouble::None:
            return "fine";
        case DiskTrouble::Full:
            return "disk full";
        case DiskTrouble::ReadOnly:
            return "read-only";
        case DiskTrouble::Unreachable:
            return "cannot be reached";
        case DiskTrouble::InUse:
            return "database in use by another program";
        case DiskTrouble::Failing:
            return "disk failing";
        case DiskTrouble::Damaged:
            return "database damaged";
    }
    return "";
}

std::string_view until_text(DiskTrouble trouble) {
    switch (trouble) {
        case DiskTrouble::Full:
            return "there is room";
        case DiskTrouble::ReadOnly:
            return "it can be written";
        case DiskTrouble::InUse:
            return "that program ends";
        case DiskTrouble::None:
        case DiskTrouble::Unreachable:
        case DiskTrouble::Failing:
        case DiskTrouble::Damaged:
            break;
    }
    return "it works again";
}

}  // namespace

Storage::Opened Storage::open(uv_loop_t* loop, const std::filesystem::path& state_dir,
                              StorageOptions options) {
    auto database = std::make_unique<Database>(state_dir / "meshd.db", std::move(options));
    std::vector<std::string> notices;
    Restored restored = database->load(notices);
    std::unique_ptr<Storage> storage(new Storage(loop, state_dir));
    storage->tell_notices(std::move(notices));
    if (restored.has_disk) {
        storage->tell_trouble(database->trouble());
    }
    uv_async_t* wake = storage->wake_;
    storage->worker_ =
        std::make_unique<StorageWorker>(std::move(database), [wake] { uv_async_send(wake); });
    return {std::move(storage), std::move(restored)};
}

Storage::Storage(uv_loop_t* loop, std::filesystem::path state_dir)
    : state_dir_(std::move(state_dir)),
      wake_(new uv_async_t{}),
      stall_timer_(new uv_timer_t{}),
      stall_(kStall) {
    const int code = uv_async_init(
        loop, wake_, [](uv_async_t* wake) { static_cast<Storage*>(wake->data)->on_reports(); });
    MESHD_ASSERT(code == 0);
    wake_->data = this;
    uv_timer_init(loop, stall_timer_);
    stall_timer_->data = this;
}

Storage::~Storage() {
    worker_.reset();
    uv_close(reinterpret_cast<uv_handle_t*>(wake_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_async_t*>(closed); });
    uv_close(reinterpret_cast<uv_handle_t*>(stall_timer_),
             [](uv_handle_t* closed) { delete reinterpret_cast<uv_timer_t*>(closed); });
}

void Storage::set_on_persisted(OnPersisted on_persisted) {
    on_persisted_ = std::move(on_persisted);
}

void Storage::persist(Persist changes) {
    writing_since_ns_ = uv_hrtime();
    uv_update_time(stall_timer_->loop);
    uv_timer_start(
        stall_timer_,
        [](uv_timer_t* timer) {
            auto* self = static_cast<Storage*>(timer->data);
            self->is_stall_told_ = true;
            log_warning(self->stall_text());
        },
        static_cast<std::uint64_t>(stall_.count()), 0);
    worker_->persist(std::move(changes));
}

std::chrono::milliseconds Storage::writing_for() const {
    if (!writing_since_ns_) {
        return {};
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::nanoseconds(uv_hrtime() - *writing_since_ns_));
}

std::string Storage::stall_text() const {
    return "state directory " + state_dir_.string() + ": a write has been under way for " +
           std::to_string(std::chrono::floor<std::chrono::seconds>(writing_for()).count()) +
           " s: alerts still go out, nothing is kept until it ends";
}

void Storage::end_write() {
    uv_timer_stop(stall_timer_);
    if (std::exchange(is_stall_told_, false)) {
        log_info("state directory " + state_dir_.string() + ": the write ended after " +
                 std::to_string(writing_for().count()) + " ms");
    }
    writing_since_ns_.reset();
}

void Storage::backup(std::string path, OnBackup done) {
    if (on_backup_) {
        done(tl::unexpected(std::string("a backup is under way; try again when it has ended")));
        return;
    }
    on_backup_ = std::move(done);
    worker_->backup(path.empty() ? (state_dir_ / ("backup-" + utc_stamp() + ".db")).string()
                                 : std::move(path));
}

std::vector<std::string> Storage::warnings() const {
    std::vector<std::string> all(notices_.begin(), notices_.end());
    if (trouble_ != DiskTrouble::None) {
        all.push_back(trouble_text_);
    }
    if (writing_since_ns_ && writing_for() >= stall_) {
        all.push_back(stall_text());
    }
    return all;
}

std::vector<std::pair<std::string_view, std::uint64_t>> Storage::counters() const {
    return {{"storage_commits", commits_},
            {"storage_failures", failures_},
            {"storage_bytes", bytes_},
            {"storage_replaced", replaced_}};
}

void Storage::on_reports() {
    for (StorageWorker::Report& report : worker_->take_reports()) {
        if (auto* backed_up = std::get_if<StorageWorker::BackedUp>(&report)) {
            if (const auto done = std::exchange(on_backup_, nullptr)) {
                done(std::move(backed_up->result));
            }
            continue;
        }
        auto& [token, committed] = std::get<StorageWorker::Persisted>(report);
        end_write();
        commits_ += committed.result == PersistResult::Stored ? 1 : 0;
        failures_ += committed.result == PersistResult::Failed ? 1 : 0;
        replaced_ += committed.result == PersistResult::Lost ? 1 : 0;
        bytes_ += committed.bytes;
        tell_notices(std::move(committed.notices));
        tell_trouble(committed.error);
        if (on_persisted_) {
            on_persisted_(token, committed.result);
        }
    }
}

void Storage::tell_trouble(const DiskError& error) {
    // Texts vary from try to try; only another kind of trouble is news.
    if (error.trouble == trouble_) {
        return;
    }
    trouble_ = error.trouble;
    const std::string where = "state directory " + state_dir_.string() + ": ";
    if (trouble_ == DiskTrouble::None) {
        log_info(where + "data are kept again");
        return;
    }
    trouble_text_ = where + std::string(trouble_name(trouble_)) + " (" + error.text +
                    "): alerts still go out, nothing is kept until " +
                    std::string(until_text(trouble_));
    log_warning(trouble_text_);
}

void Storage::tell_notices(std::vector<std::string> notices) {
    for (std::string& notice : notices) {
        log_warning(notice);
        notices_.push_back(std::move(notice));
        if (notices_.size() > kNoticesMax) {
            notices_.pop_front();
        }
    }
}

}  // namespace meshd
