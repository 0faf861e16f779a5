// SPDX-License-Identifier: Apache-2.0
/// \file
/// The files of a database: names, setting aside, writing names to the disk.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace meshd {

/// Databases set aside are for whoever wants to know what went wrong; more of them would fill the
/// disk of a box whose card is dying.
inline constexpr std::size_t kSetAsideFilesMax = 3;

/// "20250131T235959Z".
std::string utc_stamp();

/// Renames the database and its write-ahead log to "<database>.<label>-<UTC>", and removes the
/// oldest ones set aside beyond kSetAsideFilesMax. Answers the new path, or why it cannot.
tl::expected<std::filesystem::path, std::string> set_database_aside(
    const std::filesystem::path& database, std::string_view label);

/// "<database>-wal".
std::filesystem::path log_path(const std::filesystem::path& database);

/// Writes the names in the directory of `path` to the disk. 0, or errno.
int sync_directory_of(const std::filesystem::path& path);

/// Which file is at a path, so that another one in its place is noticed.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
    explicit operator bool() const { return inode != 0; }
};
/// Zero where there is none.
FileIdentity identify_file(const std::filesystem::path& path);

}  // namespace meshd
