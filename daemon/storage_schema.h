// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "daemon/storage_sqlite.h"
#include "daemon/storage_types.h"

namespace meshd {

/// Why a database cannot be used.
struct DatabaseRefusal {
    DiskError error;
    /// "corrupt" or "version-7": the file is to be set aside under this label. Empty: the file may
    /// be good, but cannot be reached or written now.
    std::string label;
};

/// The label follows from the error: only what is damaged is set aside.
DatabaseRefusal refuse(DiskError error);
inline tl::unexpected<DatabaseRefusal> refused(DiskError error) {
    return tl::unexpected(refuse(std::move(error)));
}

/// Makes a connection's database ready for use: durable, small, and of this build's version. An
/// empty file gets the tables; an older database is brought up after a copy of it has been put
/// beside it ("<path>.version-<n>.backup"), of which `notices` tells.
tl::expected<void, DatabaseRefusal> prepare_database(sqlite::Connection& connection,
                                                     const std::filesystem::path& path,
                                                     const StorageOptions& options,
                                                     std::vector<std::string>& notices);

/// Only looks: refuses what is no database of this build's version.
tl::expected<void, DatabaseRefusal> check_database(sqlite::Connection& connection,
                                                   const StorageOptions& options);

}  // namespace meshd
