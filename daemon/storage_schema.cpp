// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_schema.h"

#include <algorithm>
#include <utility>

#include "daemon/storage_backup.h"

namespace meshd {
namespace {

using Tried = tl::expected<void, DatabaseRefusal>;

/// "mshd".
constexpr std::int64_t kApplicationId = 0x6d736864;

// Exclusive: no other process may write, and the index of the log is in memory instead of in a
// mapped file, where a truncation from outside would kill the daemon.
constexpr const char* kLocking = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA busy_timeout=1000;";

// Checkpoints only every 4 MiB of log: a page that 200 commits have changed is then written once
// to the database. The log is cut down to the second figure after a transaction larger than that.
constexpr const char* kSettings =
    "PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=2048;"
    "PRAGMA journal_size_limit=8388608;"
    "PRAGMA cache_size=-1024;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA trusted_schema=OFF;";

constexpr const char* kFirstSchema =
    "CREATE TABLE records(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, counter INTEGER NOT "
    "NULL, born_ms INTEGER NOT NULL, arrival INTEGER NOT NULL, checksum INTEGER NOT NULL, bytes "
    "BLOB NOT NULL);"
    "CREATE TABLE streams(stream INTEGER PRIMARY KEY, author TEXT NOT NULL, covered BLOB NOT NULL, "
    "floor INTEGER, checksum INTEGER NOT NULL);"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;";

std::int64_t version_of(const StorageOptions& options) {
    return 1 + static_cast<std::int64_t>(options.migrations.size());
}

std::string version_pragma(std::int64_t version) {
    return "PRAGMA user_version=" + std::to_string(version) + ";";
}

Tried execute(sqlite::Connection& connection, const std::string& sql) {
    if (const auto done = connection.execute(sql); !done) {
        return refused(done.error());
    }
    return {};
}

tl::expected<std::int64_t, DatabaseRefusal> integer(sqlite::Connection& connection,
                                                    const char* sql) {
    const auto value = connection.integer(sql);
    if (!value) {
        return refused(value.error());
    }
    return *value;
}

Tried in_transaction(sqlite::Connection& connection, const std::string& sql) {
    Tried done = execute(connection, "BEGIN IMMEDIATE;" + sql + "COMMIT;");
    if (!done) {
        connection.roll_back();
    }
    return done;
}

std::string schema_of(const StorageOptions& options, std::int64_t version) {
    std::string sql = kFirstSchema;
    for (std::int64_t at = 1; at < version; ++at) {
        sql += options.migrations[static_cast<std::size_t>(at - 1)] + ";";
    }
    return sql;
}

Tried create(sqlite::Connection& connection, const StorageOptions& options) {
    std::string sql = schema_of(options, version_of(options));
    sql += "PRAGMA application_id=" + std::to_string(kApplicationId) + ";";
    return in_transaction(connection, sql + version_pragma(version_of(options)));
}

tl::expected<void, std::string> copy_to(sqlite::Connection& connection,
                                        const std::filesystem::path& target) {
    auto copy = BackupCopy::start(connection, target, BackupCopy::IfThere::Replace);
    if (!copy) {
        return tl::unexpected(copy.error());
    }
    for (auto done = copy->step(); !done || !*done; done = copy->step()) {
        if (!done) {
            return tl::unexpected(done.error());
        }
    }
    if (const auto bytes = copy->finish(); !bytes) {
        return tl::unexpected(bytes.error());
    }
    return {};
}

Tried migrate(sqlite::Connection& connection, const std::filesystem::path& path, std::int64_t from,
              const StorageOptions& options, std::vector<std::string>& notices) {
    const std::filesystem::path copy =
        path.string() + ".version-" + std::to_string(from) + ".backup";
    if (const auto copied = copy_to(connection, copy); !copied) {
        // Not set aside: with room on the disk the next start can do it.
        return refused({DiskTrouble::Failing,
                        "it has version " + std::to_string(from) +
                            " and is not brought up without a copy of it: " + copied.error()});
    }
    for (std::int64_t at = from; at < version_of(options); ++at) {
        const std::string& step = options.migrations[static_cast<std::size_t>(at - 1)];
        if (Tried done = in_transaction(connection, step + ";" + version_pragma(at + 1)); !done) {
            DatabaseRefusal refusal = std::move(done.error());
            const DiskTrouble trouble = refusal.error.trouble;
            if (trouble == DiskTrouble::Damaged || trouble == DiskTrouble::Failing) {
                refusal.error.text = "it cannot be brought from version " + std::to_string(at) +
                                     " to the next: " + refusal.error.text;
                refusal.label = "version-" + std::to_string(at);
            }
            return tl::unexpected(std::move(refusal));
        }
    }
    notices.push_back("database " + path.string() + " had version " + std::to_string(from) +
                      " and was brought to version " + std::to_string(version_of(options)) +
                      "; a copy of the former is " + copy.string());
    return {};
}

/// The version found; 0 where the file is empty.
tl::expected<std::int64_t, DatabaseRefusal> find_version(sqlite::Connection& connection,
                                                         const StorageOptions& options) {
    const auto application = integer(connection, "PRAGMA application_id");
    if (!application) {
        return tl::unexpected(application.error());
    }
    const auto found = integer(connection, "PRAGMA user_version");
    const auto tables = integer(connection, "SELECT count(*) FROM sqlite_schema");
    if (!found || !tables) {
        return tl::unexpected(found ? tables.error() : found.error());
    }
    if (*application == 0 && *found == 0 && *tables == 0) {
        return 0;
    }
    if (*application != kApplicationId) {
        return refused({DiskTrouble::Damaged, "it is the database of another program"});
    }
    if (*found < 1 || *found > version_of(options)) {
        return tl::unexpected(
            DatabaseRefusal{{DiskTrouble::Damaged, "it has version " + std::to_string(*found) +
                                                       ", and this meshd knows versions 1 to " +
                                                       std::to_string(version_of(options))},
                            "version-" + std::to_string(*found)});
    }
    return *found;
}

/// What defines the tables, and the triggers that change what is written, in order.
tl::expected<std::vector<std::string>, DatabaseRefusal> definitions(sqlite::Connection& connection,
                                                                    const char* types) {
    sqlite::Statement rows(connection,
                           ("SELECT sql FROM sqlite_schema WHERE type IN " + std::string(types) +
                            " AND name NOT LIKE 'sqlite~_%' ESCAPE '~'")
                               .c_str());
    std::vector<std::string> found;
    auto row = rows.step();
    for (; row && *row; row = rows.step()) {
        found.emplace_back(rows.text(0));
    }
    if (!row) {
        return refused(row.error());
    }
    // Not by SQLite, which sorts by the encoding of the file.
    std::sort(found.begin(), found.end());
    return found;
}

/// One bit that falls over in the text of a table makes another table of it: without its key it
/// grows with each commit, with another name of a column it takes no row. SQLite keeps the text as
/// it was given, so that it can be compared. Tables, indexes and views that others added do no
/// harm.
Tried check_tables(sqlite::Connection& connection, const StorageOptions& options,
                   std::int64_t version) {
    auto sample = sqlite::Connection::open(":memory:", sqlite::Connection::Mode::ReadWrite);
    if (!sample) {
        return refused(sample.error());
    }
    if (Tried done = execute(*sample, schema_of(options, version)); !done) {
        return done;
    }
    const auto expected = definitions(*sample, "('table', 'trigger')");
    const auto expected_triggers = definitions(*sample, "('trigger')");
    const auto found = definitions(connection, "('table', 'trigger')");
    const auto triggers = definitions(connection, "('trigger')");
    for (const auto* list : {&expected, &expected_triggers, &found, &triggers}) {
        if (!*list) {
            return tl::unexpected(list->error());
        }
    }
    const auto shared = integer(connection,
                                "SELECT count(*) - count(DISTINCT rootpage) FROM sqlite_schema "
                                "WHERE type='table' AND rootpage<>0");
    if (!shared) {
        return tl::unexpected(shared.error());
    }
    const bool has_all =
        std::includes(found->begin(), found->end(), expected->begin(), expected->end());
    if (!has_all || *triggers != *expected_triggers || *shared != 0) {
        return refused({DiskTrouble::Damaged, "its tables are not as meshd made them"});
    }
    return {};
}

}  // namespace

DatabaseRefusal refuse(DiskError error) {
    std::string label = error.trouble == DiskTrouble::Damaged ? "corrupt" : "";
    return {std::move(error), std::move(label)};
}

tl::expected<void, DatabaseRefusal> check_database(sqlite::Connection& connection,
                                                   const StorageOptions& options) {
    if (Tried done = execute(connection, kLocking); !done) {
        return done;
    }
    const auto found = find_version(connection, options);
    if (!found) {
        return tl::unexpected(found.error());
    }
    if (*found != version_of(options)) {
        return refused({DiskTrouble::ReadOnly,
                        "it has version " + std::to_string(*found) + " and cannot be brought up"});
    }
    return check_tables(connection, options, *found);
}

tl::expected<void, DatabaseRefusal> prepare_database(sqlite::Connection& connection,
                                                     const std::filesystem::path& path,
                                                     const StorageOptions& options,
                                                     std::vector<std::string>& notices) {
    // Of a file that is not ours nothing is changed before it is set aside.
    if (Tried done = execute(connection, kLocking); !done) {
        return done;
    }
    const auto found = find_version(connection, options);
    if (!found) {
        return tl::unexpected(found.error());
    }
    // The file can be written, or nobody would have asked: its head says that it must not be.
    if (connection.is_read_only()) {
        return refused({DiskTrouble::Damaged, "it is in a format that can only be read"});
    }
    if (*found != 0) {
        if (Tried done = check_tables(connection, options, *found); !done) {
            return done;
        }
    }
    const std::string page_size = "PRAGMA page_size=" + std::to_string(sqlite::kPageBytes) + ";";
    if (Tried done = execute(connection, page_size + "PRAGMA journal_mode=WAL;" + kSettings);
        !done) {
        return done;
    }
    if (options.pages_max != 0) {
        const std::string bound = std::to_string(options.pages_max);
        if (Tried done = execute(connection, "PRAGMA max_page_count=" + bound); !done) {
            return done;
        }
    }
    if (*found == 0) {
        return create(connection, options);
    }
    if (*found < version_of(options)) {
        return migrate(connection, path, *found, options, notices);
    }
    return {};
}

}  // namespace meshd
