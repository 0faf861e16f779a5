// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace meshd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStampBytes = 16;

/// The UTC at the end of a name set aside ("…-20250131T235959Z", "….2"), else empty.
std::string stamp_of(const std::string& name) {
    const std::size_t dash = name.rfind('-');
    const bool has_stamp = dash != std::string::npos && name.size() - dash > kStampBytes &&
                           name[dash + kStampBytes] == 'Z';
    return has_stamp ? name.substr(dash + 1) : std::string();
}

void remove_oldest(const fs::path& database, const fs::path& keep) {
    std::vector<std::pair<std::string, fs::path>> found;
    const std::string base = database.filename().string() + ".";
    std::error_code error;
    for (fs::directory_iterator at(database.parent_path(), error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        const std::string stamp = stamp_of(name);
        const bool is_log = name.ends_with("-wal");
        if (name.starts_with(base) && !stamp.empty() && !is_log && at->path() != keep) {
            found.emplace_back(stamp, at->path());
        }
    }
    std::sort(found.begin(), found.end());
    // `keep` counts too, and whatever the clock says it is the newest.
    for (std::size_t i = 0; i + kSetAsideFilesMax <= found.size(); ++i) {
        unlink(found[i].second.c_str());
        unlink(log_path(found[i].second).c_str());
    }
}

}  // namespace

std::string utc_stamp() {
    const time_t now = time(nullptr);
    tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
    return text;
}

fs::path log_path(const fs::path& database) {
    return database.string() + "-wal";
}

tl::expected<fs::path, std::string> set_database_aside(const fs::path& database,
                                                       std::string_view label) {
    const std::string wanted = database.string() + "." + std::string(label) + "-" + utc_stamp();
    std::string aside = wanted;
    for (int number = 2; identify_file(aside); ++number) {
        aside = wanted + "." + std::to_string(number);
    }
    std::error_code no_log;
    if (fs::file_size(log_path(database), no_log) == 0 && !no_log) {
        unlink(log_path(database).c_str());
    }
    // The log first: left behind, it would be applied to the next database.
    if (rename(log_path(database).c_str(), log_path(aside).c_str()) != 0 && errno != ENOENT) {
        return tl::unexpected(std::string(std::strerror(errno)));
    }
    if (rename(database.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
        return tl::unexpected(std::string(std::strerror(errno)));
    }
    unlink((database.string() + "-shm").c_str());
    remove_oldest(database, aside);
    sync_directory_of(database);
    return fs::path(aside);
}

int sync_directory_of(const fs::path& path) {
    const int fd = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    const int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

FileIdentity identify_file(const fs::path& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
        return {};
    }
    return {info.st_dev, info.st_ino};
}

}  // namespace meshd
