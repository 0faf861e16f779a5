// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_sqlite.h"

#include <cerrno>
#include <cstring>

namespace meshd::sqlite {
namespace {

DiskTrouble trouble_of(int code, int system_error) {
    // Whatever the reason: what was to be written is anywhere between memory and disk.
    if (code == SQLITE_IOERR_FSYNC) {
        return DiskTrouble::Failing;
    }
    if (system_error == ENOSPC || system_error == EDQUOT) {
        return DiskTrouble::Full;
    }
    if (system_error == EROFS) {
        return DiskTrouble::ReadOnly;
    }
    // A card that cannot read what it holds has lost it.
    if (code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ ||
        code == SQLITE_IOERR_CORRUPTFS) {
        return DiskTrouble::Damaged;
    }
    switch (code & 0xff) {
        case SQLITE_ERROR:  // our SQL is right: the tables are not
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        // Our rows are right too: what refuses one, or holds one of a gigabyte, is damage.
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_TOOBIG:
            return DiskTrouble::Damaged;
        case SQLITE_FULL:
            return DiskTrouble::Full;
        case SQLITE_READONLY:
            return DiskTrouble::ReadOnly;
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return DiskTrouble::Unreachable;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return DiskTrouble::InUse;
        default:
            return DiskTrouble::Failing;
    }
}

/// file: URI of an absolute path.
std::string immutable_uri(const std::string& path) {
    std::string uri = "file:";
    for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
            constexpr char kDigits[] = "0123456789abcdef";
            uri += {'%', kDigits[c >> 4], kDigits[c & 15]};
        } else {
            uri += c;
        }
    }
    return uri + "?immutable=1";
}

}  // namespace

DiskError make_error(int code, int system_error, std::string_view text) {
    DiskError error{trouble_of(code, system_error), std::string(text)};
    // SQLite keeps the errno of a former error where the latest had none.
    const int kind = code & 0xff;
    if (system_error != 0 && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN)) {
        error.text += ": " + std::string(std::strerror(system_error));
    }
    return error;
}

tl::expected<Connection, DiskError> Connection::open(const std::filesystem::path& path, Mode mode) {
    sqlite3* handle = nullptr;
    const bool is_immutable = mode == Mode::Immutable;
    const int access = mode == Mode::ReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                               : SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const std::string name = is_immutable ? immutable_uri(path.string()) : path.string();
    const char* system = mode == Mode::ReadOnly ? "unix-none" : nullptr;
    const int code = sqlite3_open_v2(name.c_str(), &handle, flags, system);
    Connection connection(handle);
    if (code != SQLITE_OK) {
        return tl::unexpected(connection.error(code));
    }
    return connection;
}

bool Connection::is_read_only() const {
    return sqlite3_db_readonly(handle_.get(), "main") == 1;
}

Result Connection::execute(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return tl::unexpected(error(code));
    }
    return {};
}

tl::expected<std::int64_t, DiskError> Connection::integer(const char* sql) {
    Statement statement(*this, sql);
    const auto row = statement.step();
    if (!row) {
        return tl::unexpected(row.error());
    }
    return *row ? statement.integer(0) : 0;
}

DiskError Connection::error(int code) const {
    if (!handle_) {
        return make_error(code, 0, "out of memory");
    }
    const int kind = code & 0xff;
    const bool is_of_system =
        kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL;
    return make_error(code, is_of_system ? sqlite3_system_errno(handle_.get()) : 0,
                      sqlite3_errmsg(handle_.get()));
}

void Connection::roll_back() {
    if (sqlite3_get_autocommit(handle_.get()) == 0) {
        sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

void Connection::keep_log_on_close() {
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

int Connection::changes() const {
    return sqlite3_changes(handle_.get());
}

std::uint64_t Connection::take_bytes_written() {
    int pages = 0;
    int highest = 0;
    sqlite3_db_status(handle_.get(), SQLITE_DBSTATUS_CACHE_WRITE, &pages, &highest, 1);
    return static_cast<std::uint64_t>(pages) * (kPageBytes + kLogFrameBytes);
}

Statement::Statement(Connection& connection, const char* sql) : connection_(connection) {
    sqlite3_stmt* handle = nullptr;
    failed_ = sqlite3_prepare_v2(connection.get(), sql, -1, &handle, nullptr);
    handle_.reset(handle);
}

void Statement::note(int code) {
    if (failed_ == SQLITE_OK) {
        failed_ = code;
    }
}

Statement& Statement::bind(int index, std::int64_t value) {
    note(sqlite3_bind_int64(handle_.get(), index, value));
    return *this;
}

Statement& Statement::bind_null(int index) {
    note(sqlite3_bind_null(handle_.get(), index));
    return *this;
}

Statement& Statement::bind(int index, Bytes bytes) {
    // A null pointer would be NULL instead of an empty blob.
    const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
    note(sqlite3_bind_blob64(handle_.get(), index, data, bytes.size(), SQLITE_STATIC));
    return *this;
}

Statement& Statement::bind(int index, std::string_view text) {
    const char* data = text.empty() ? "" : text.data();
    note(sqlite3_bind_text64(handle_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
    return *this;
}

tl::expected<bool, DiskError> Statement::step() {
    const int code = failed_ == SQLITE_OK ? sqlite3_step(handle_.get()) : failed_;
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        return code == SQLITE_ROW;
    }
    return tl::unexpected(connection_.error(code));
}

Result Statement::run() {
    while (true) {
        const auto row = step();
        if (!row || !*row) {
            reset();
            return row ? Result() : tl::unexpected(row.error());
        }
    }
}

void Statement::reset() {
    if (handle_) {
        sqlite3_reset(handle_.get());
    }
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

bool Statement::is_integer(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_INTEGER;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_.get(), column);
}

Bytes Statement::blob(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_BLOB) {
        return {};
    }
    const void* data = sqlite3_column_blob(handle_.get(), column);
    const int size = sqlite3_column_bytes(handle_.get(), column);
    return data == nullptr
               ? Bytes()
               : Bytes(static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size));
}

std::string_view Statement::text(int column) const {
    if (sqlite3_column_type(handle_.get(), column) != SQLITE_TEXT) {
        return {};
    }
    const void* data = sqlite3_column_text(handle_.get(), column);
    const int size = sqlite3_column_bytes(handle_.get(), column);
    return data == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

}  // namespace meshd::sqlite
