// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/storage_files.h"
#include "daemon/storage_sqlite.h"

namespace meshd {
namespace {

namespace fs = std::filesystem;

std::string failure(const fs::path& path, std::string_view what) {
    return path.string() + ": " + std::string(what);
}

/// Renames without replacing what came to be at `to` in the meantime. 0, or errno.
int rename_new(const fs::path& from, const fs::path& to) {
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return 0;
    }
    // Not every file system has it (vfat on an old kernel, some network ones).
    if (errno == EINVAL || errno == ENOSYS) {
        return !identify_file(to) && rename(from.c_str(), to.c_str()) == 0 ? 0 : EEXIST;
    }
    return errno;
}

}  // namespace

struct BackupCopy::State {
    fs::path target;
    fs::path part;
    IfThere if_there = IfThere::Refuse;
    std::unique_ptr<sqlite::Connection> copy;
    sqlite3_backup* backup = nullptr;
    bool is_part_there = false;

    void close() {
        if (backup != nullptr) {
            sqlite3_backup_finish(std::exchange(backup, nullptr));
        }
        copy.reset();
    }
    ~State() {
        close();
        if (is_part_there) {
            unlink(part.c_str());
        }
    }
};

BackupCopy::BackupCopy(std::unique_ptr<State> state) : state_(std::move(state)) {}
BackupCopy::BackupCopy(BackupCopy&&) noexcept = default;
BackupCopy& BackupCopy::operator=(BackupCopy&&) noexcept = default;
BackupCopy::~BackupCopy() = default;

tl::expected<BackupCopy, std::string> BackupCopy::start(sqlite::Connection& source,
                                                        const fs::path& target, IfThere if_there) {
    if (!target.is_absolute()) {
        return tl::unexpected(failure(target, "expected an absolute path"));
    }
    struct stat info {};
    if (if_there == IfThere::Refuse && lstat(target.c_str(), &info) == 0) {
        return tl::unexpected(failure(target, "is there already; expected a new file"));
    }
    auto state = std::make_unique<State>();
    state->target = target;
    state->part = target.string() + ".part";
    state->if_there = if_there;
    // Left by a daemon that was killed: nobody else writes one while this one holds its lock.
    unlink(state->part.c_str());
    // Made here, because SQLite would make it readable for all.
    const int fd = ::open(state->part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return tl::unexpected(failure(target, std::strerror(errno)));
    }
    close(fd);
    state->is_part_there = true;
    auto copy = sqlite::Connection::open(state->part, sqlite::Connection::Mode::ReadWrite);
    if (!copy) {
        return tl::unexpected(failure(target, copy.error().text));
    }
    state->copy = std::make_unique<sqlite::Connection>(std::move(*copy));
    // A broken copy is thrown away and a whole one is synced once: no journal is needed.
    if (const auto set = state->copy->execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        !set) {
        return tl::unexpected(failure(target, set.error().text));
    }
    state->backup = sqlite3_backup_init(state->copy->get(), "main", source.get(), "main");
    if (state->backup == nullptr) {
        return tl::unexpected(failure(target, sqlite3_errmsg(state->copy->get())));
    }
    return BackupCopy(std::move(state));
}

tl::expected<bool, std::string> BackupCopy::step() {
    const int code = sqlite3_backup_step(state_->backup, kPagesPerStep);
    if (code == SQLITE_OK || code == SQLITE_DONE) {
        return code == SQLITE_DONE;
    }
    const int system_error = sqlite3_system_errno(state_->copy->get());
    const std::string text = system_error != 0 ? std::strerror(system_error) : sqlite3_errstr(code);
    return tl::unexpected(failure(state_->target, text));
}

tl::expected<std::uint64_t, std::string> BackupCopy::finish() {
    State& state = *state_;
    state.close();
    const int fd = ::open(state.part.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    const bool is_synced = fd >= 0 && fsync(fd) == 0 && fstat(fd, &info) == 0;
    int error = is_synced ? 0 : errno;
    if (fd >= 0) {
        close(fd);
    }
    if (error == 0 && state.if_there == IfThere::Refuse) {
        error = rename_new(state.part, state.target);
    } else if (error == 0 && rename(state.part.c_str(), state.target.c_str()) != 0) {
        error = errno;
    }
    if (error != 0) {
        return tl::unexpected(failure(state.target, std::strerror(error)));
    }
    state.is_part_there = false;
    sync_directory_of(state.target);
    return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace meshd
