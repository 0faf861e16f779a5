// SPDX-License-Identifier: Apache-2.0
// What bits that fell over and other hands leave of a database: whatever it is, the box keeps data
// again after the next commit at the latest.
#include <doctest/doctest.h>

#include "daemon/storage_sqlite.h"
#include "tests/daemon/storage_sample.h"

using namespace meshd;

namespace {

/// What a node would do: all anew where the database was lost.
PersistResult commit_until_kept(Database& database) {
    const auto first = database.commit(sample_persist(9, 1, 3));
    return first.result == PersistResult::Lost ? database.commit(sample_persist(9, 1, 3)).result
                                               : first.result;
}

/// Gives the row of record 7.17 an id that is out of order: it is read, but not found by its id.
std::size_t misplace_row(const std::filesystem::path& dir) {
    const std::string bytes = read_file(dir / "meshd.db");
    const std::size_t text = bytes.find("record 7.17");
    // The cell begins with its size and the id; before it are the bytes of the next record.
    const std::size_t id = bytes.find(char{17}, text - 30);
    REQUIRE(id < text - 10);
    scribble(dir / "meshd.db", id, "\x71");
    return text;
}

void execute(const std::filesystem::path& dir, const std::string& sql) {
    auto connection =
        sqlite::Connection::open(dir / "meshd.db", sqlite::Connection::Mode::ReadWrite);
    REQUIRE(connection);
    REQUIRE(connection->execute(sql));
}

}  // namespace

TEST_CASE("database: no bit of its tables' description keeps it from keeping data") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 3));
    const std::string whole = read_file(dir.path() / "meshd.db");
    const std::size_t first_text = whole.find("CREATE TABLE");
    REQUIRE(first_text != std::string::npos);
    std::vector<std::size_t> offsets = {18, 19, 23, 47, 59, 100, 103, 108};
    for (std::size_t offset = whole.find("CREATE TABLE"); offset < 2048; ++offset) {
        offsets.push_back(offset);
    }
    const StorageDir damaged;
    for (const std::size_t offset : offsets) {
        CAPTURE(offset);
        const int bit = 1 << (offset % 7);
        std::string bytes = whole;
        bytes[offset] = static_cast<char>(bytes[offset] ^ bit);
        for (const auto& entry : std::filesystem::directory_iterator(damaged.path())) {
            std::filesystem::remove(entry.path());
        }
        damaged.write("meshd.db", bytes);
        {
            Database database(damaged.path() / "meshd.db", {});
            REQUIRE(load(database).restored.has_disk);
            REQUIRE(commit_until_kept(database) == PersistResult::Stored);
        }
        // Nor does it grow with each commit, or break again and again.
        REQUIRE(load_from(damaged.path()).notices.empty());
    }
}

TEST_CASE("database: one whose tables are not as this build makes them is set aside") {
    for (const char* sql : {
             "ALTER TABLE streams RENAME COLUMN covered TO lost",
             "ALTER TABLE records ADD COLUMN more",
             "DROP TABLE meta",
             "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
         }) {
        CAPTURE(sql);
        const StorageDir dir;
        REQUIRE(write_samples(dir.path(), 5));
        execute(dir.path(), sql);
        Database database(dir.path() / "meshd.db", {});
        const Loaded loaded = load(database);
        REQUIRE(loaded.notices.size() == 1);
        CHECK(loaded.notices[0].find(".corrupt-") != std::string::npos);
        CHECK(loaded.restored.has_disk);
        CHECK(commit_until_kept(database) == PersistResult::Stored);
    }
}

TEST_CASE("database: what others added beside the tables costs no data") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 5));
    execute(dir.path(),
            "ANALYZE; CREATE INDEX i ON records(born_ms); CREATE VIEW v AS SELECT id FROM records; "
            "CREATE TABLE mine(a)");
    Database database(dir.path() / "meshd.db", {});
    const Loaded loaded = load(database);
    CHECK(loaded.notices.empty());
    CHECK(loaded.restored.records.size() == 5);
    CHECK(commit_until_kept(database) == PersistResult::Stored);
}

TEST_CASE("database: one that refuses a row that is right is replaced, not asked for ever") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 1));
    execute(dir.path(), "CREATE UNIQUE INDEX i ON records(born_ms)");
    Database database(dir.path() / "meshd.db", {});
    CHECK(load(database).restored.records.size() == 1);
    const auto lost = database.commit(sample_persist(9, 1, 3));
    CHECK(lost.result == PersistResult::Lost);
    REQUIRE(lost.notices.size() == 1);
    CHECK(lost.notices[0].find(".corrupt-") != std::string::npos);
    CHECK(database.commit(sample_persist(9, 1, 3)).result == PersistResult::Stored);
}

TEST_CASE("database: the page size is whatever the file has") {
    for (const int size : {512, 4096, 65536}) {
        CAPTURE(size);
        const StorageDir dir;
        REQUIRE(write_samples(dir.path(), 20));
        execute(dir.path(), "PRAGMA journal_mode=DELETE; PRAGMA page_size=" + std::to_string(size) +
                                "; VACUUM");
        Database database(dir.path() / "meshd.db", {});
        const Loaded loaded = load(database);
        CHECK(loaded.notices.empty());
        CHECK(loaded.restored.records.size() == 20);
        CHECK(commit_until_kept(database) == PersistResult::Stored);
        CHECK(commit_until_kept(database) == PersistResult::Stored);
    }
}

TEST_CASE(
    "database: a number of starts that broke does not go back behind what was numbered by it") {
    for (const char* sql :
         {"DELETE FROM meta", "UPDATE meta SET value=-1", "UPDATE meta SET value=2",
          "UPDATE meta SET value=9223372036854775807", "UPDATE meta SET value='x'"}) {
        CAPTURE(sql);
        const StorageDir dir;
        {
            Database database(dir.path() / "meshd.db", {});
            load(database);
            Persist persist = sample_persist(7, 1, 3);
            persist.records[1].arrival = (std::uint64_t{5} << kArrivalCountBits) + 9;
            REQUIRE(database.commit(persist).result == PersistResult::Stored);
        }
        execute(dir.path(), sql);
        CHECK(load_from(dir.path()).restored.run == 6);
        CHECK(load_from(dir.path()).restored.run == 7);
    }
}

TEST_CASE("database: a row that is not found where it was written does not come back") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 10'000, 1500)).result == PersistResult::Stored);
    REQUIRE(database.commit(sample_persist(8, 1, 10)).result == PersistResult::Stored);
    misplace_row(dir.path());
    Persist persist;
    persist.records.push_back({StreamId{7}, 17, {}});
    CHECK(database.commit(persist).result == PersistResult::Lost);
    CHECK(commit_until_kept(database) == PersistResult::Stored);
}

TEST_CASE("database: where rows are out of order the good ones move to a new one") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 30));
    scribble(dir.path() / "meshd.db", misplace_row(dir.path()) + 100, "X");
    const Loaded loaded = load_from(dir.path());
    CHECK(loaded.notices.size() == 3);
    CHECK(loaded.restored.records.size() == 29);
    CHECK(names_with(dir.path(), ".corrupt-").size() == 1);

    const Loaded again = load_from(dir.path());
    CHECK(again.notices.empty());
    CHECK(again.restored.records.size() == 29);
    CHECK(again.restored.run == loaded.restored.run + 1);
    CHECK(again.restored.clock == loaded.restored.clock);
    const std::vector<Interval> expected = {{1, 16}, {18, 30}};
    REQUIRE(again.restored.streams.size() == 1);
    CHECK(again.restored.streams[0].covered.intervals == expected);
}

TEST_CASE("database: where there is no room for the good ones either they are asked for") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 200));
    scribble(dir.path() / "meshd.db", misplace_row(dir.path()) + 100, "X");
    StorageOptions options;
    options.pages_max = 12;
    Database database(dir.path() / "meshd.db", options);
    const Loaded loaded = load(database);
    CHECK(loaded.restored.has_disk);
    CHECK(loaded.restored.records.size() == 199);
    CHECK(database.trouble().trouble == DiskTrouble::Full);
    CHECK(commit_until_kept(database) == PersistResult::Stored);
}
