// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the storage's parts tell each other and their user.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace meshd {

/// What is wrong with the place where data are kept.
enum class DiskTrouble : std::uint8_t {
    None,
    Full,
    ReadOnly,
    Unreachable,  ///< the directory or the file is gone, or may not be opened
    InUse,        ///< another program holds the database
    Failing,      ///< I/O errors, and whatever else keeps SQLite from writing
    Damaged,      ///< the file is no database, or a broken one
};

struct DiskError {
    DiskTrouble trouble = DiskTrouble::None;
    std::string text;  ///< what SQLite and the system said of it
};

struct StorageOptions {
    /// Size at which the database counts as full, in pages of 2 KiB; 0 = only the disk decides.
    std::uint32_t pages_max = 0;
    /// SQL that makes a database of version n + 1 out of one of version n, from n = 1 on. The
    /// version of this build is one more than there are steps.
    std::vector<std::string> migrations;
};

/// A finished backup.
struct StorageBackup {
    std::string path;
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
};

}  // namespace meshd
