// SPDX-License-Identifier: Apache-2.0
/// \file
/// SQLite without exceptions: a connection, a statement, and its errors sorted by what is to be
/// done about them. Included by the storage's own files only.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "daemon/storage_types.h"
#include "proto/base/bytes.h"

namespace meshd::sqlite {

/// An alert's commit rewrites whole pages. Measured (storage_bench) per commit of one alert of 500
/// bytes, checkpoints included: 10 kB with pages of 2 KiB, 14 kB with 4 KiB; with 1 KiB it is 9.5
/// kB, but the database takes twice the room.
inline constexpr int kPageBytes = 2048;
/// Before each page in the write-ahead log.
inline constexpr int kLogFrameBytes = 24;

using Result = tl::expected<void, DiskError>;

/// What SQLite's result `code` means for the storage. `system_error`: errno behind it, or 0.
DiskError make_error(int code, int system_error, std::string_view text);

class Connection {
  public:
    enum class Mode {
        ReadWrite,  ///< creates the file where it is missing
        /// For a medium that can only be read: without locks, which need a file that can be
        /// written, and with the write-ahead log that a killed daemon left.
        ReadOnly,
        /// The same where no log is there, and none can be made.
        Immutable,
    };
    static tl::expected<Connection, DiskError> open(const std::filesystem::path& path, Mode mode);

    /// The file can only be read, whatever was asked for.
    bool is_read_only() const;
    Result execute(const char* sql);
    Result execute(const std::string& sql) { return execute(sql.c_str()); }
    /// The single integer that `sql` gives.
    tl::expected<std::int64_t, DiskError> integer(const char* sql);
    /// The error of the latest call that failed with `code`.
    DiskError error(int code) const;
    /// Ends the transaction under way, if any.
    void roll_back();
    /// Closing leaves file and write-ahead log as they are.
    void keep_log_on_close();
    /// Rows that the latest statement changed.
    int changes() const;
    /// Bytes written since the last call: pages of the write-ahead log.
    std::uint64_t take_bytes_written();
    sqlite3* get() const { return handle_.get(); }

  private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    explicit Connection(sqlite3* handle) : handle_(handle) {}
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement. Parameters and columns are counted as SQLite does: from 1 and from 0.
class Statement {
  public:
    Statement(Connection& connection, const char* sql);

    Statement& bind(int index, std::int64_t value);
    Statement& bind_null(int index);
    /// The bytes must live until the next reset().
    Statement& bind(int index, Bytes bytes);
    Statement& bind(int index, std::string_view text);

    /// True: a row is there. False: the end.
    tl::expected<bool, DiskError> step();
    /// Steps to the end and makes ready for the next use.
    Result run();
    void reset();

    bool is_null(int column) const;
    bool is_integer(int column) const;
    std::int64_t integer(int column) const;
    /// Valid until the next step. Empty where the column holds no blob.
    Bytes blob(int column) const;
    std::string_view text(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
    };
    void note(int code);
    Connection& connection_;
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
    int failed_ = SQLITE_OK;  ///< of preparing or binding; step() tells it
};

}  // namespace meshd::sqlite
