// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_database.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "daemon/storage_backup.h"
#include "tests/daemon/storage_sample.h"

using namespace meshd;

namespace {

constexpr std::uint64_t kHighest = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("database: gives back what was committed") {
    const StorageDir dir;
    Persist persist;
    persist.records = {sample_record(kHighest, kHighest, 70'000, 3),
                       sample_record(1, 1, 1, (std::uint64_t{5} << 32) + 1),
                       sample_record(std::uint64_t{1} << 63, 2, 1500)};
    persist.streams = {sample_stream(kHighest, {{kHighest, kHighest}}),
                       sample_stream(1, {{1, 1}, {5, 9}, {12, 40}}),
                       sample_stream(std::uint64_t{1} << 63, {{1, 2}})};
    persist.streams[0].covered.floor = kHighest;
    persist.streams[1].covered.floor = 0;
    persist.clock = {123456789, -1};
    {
        Database database(dir.path() / "meshd.db", {});
        const Loaded first = load(database);
        CHECK(first.restored.has_disk);
        CHECK(first.restored.run == 1);
        CHECK(first.restored.records.empty());
        CHECK(first.notices.empty());
        const auto committed = database.commit(persist);
        CHECK(committed.result == PersistResult::Stored);
        CHECK(committed.bytes > 70'000);
        CHECK(database.records() == 3);
    }
    const Loaded loaded = load_from(dir.path());
    CHECK(loaded.notices.empty());
    CHECK(loaded.restored.clock == persist.clock);
    REQUIRE(loaded.restored.records.size() == 3);
    CHECK(same_record(loaded.restored.records[0], persist.records[2]));
    CHECK(same_record(loaded.restored.records[1], persist.records[0]));
    CHECK(same_record(loaded.restored.records[2], persist.records[1]));
    REQUIRE(loaded.restored.streams.size() == 3);
    for (const StoredStream& expected : persist.streams) {
        bool is_found = false;
        for (const StoredStream& stream : loaded.restored.streams) {
            is_found = is_found || (stream.covered.stream == expected.covered.stream &&
                                    stream.covered.author == expected.covered.author &&
                                    stream.covered.intervals == expected.covered.intervals &&
                                    stream.covered.floor == expected.covered.floor);
        }
        CHECK(is_found);
    }
}

TEST_CASE("database: a record without bytes and a stream without intervals go") {
    const StorageDir dir;
    {
        Database database(dir.path() / "meshd.db", {});
        load(database);
        REQUIRE(database.commit(sample_persist(7, 1, 3)).result == PersistResult::Stored);
        REQUIRE(database.commit(sample_persist(8, 1, 2)).result == PersistResult::Stored);
        Persist persist;
        persist.records = {{StreamId{7}, 2, {}},
                           {StreamId{7}, 99, {}},
                           {StreamId{8}, 1, {}},
                           {StreamId{8}, 2, {}}};
        persist.streams = {sample_stream(8, {}), sample_stream(9, {})};
        REQUIRE(database.commit(persist).result == PersistResult::Stored);
        CHECK(database.records() == 2);
    }
    const Loaded loaded = load_from(dir.path());
    CHECK(loaded.notices.empty());
    REQUIRE(loaded.restored.records.size() == 2);
    CHECK(loaded.restored.records[1].counter == 3);
    REQUIRE(loaded.restored.streams.size() == 1);
    CHECK(loaded.restored.streams[0].covered.stream == StreamId{7});
}

TEST_CASE("database: the same record written again takes the place of the former") {
    const StorageDir dir;
    {
        Database database(dir.path() / "meshd.db", {});
        load(database);
        Persist persist = sample_persist(7, 1, 2);
        persist.records.push_back(persist.records[0]);
        persist.records.back().born_ms = 41;
        REQUIRE(database.commit(persist).result == PersistResult::Stored);
        persist.records.back().born_ms = 42;
        REQUIRE(database.commit(persist).result == PersistResult::Stored);
        CHECK(database.records() == 2);
    }
    const Loaded loaded = load_from(dir.path());
    REQUIRE(loaded.restored.records.size() == 2);
    CHECK(loaded.restored.records[0].born_ms == 42);
}

TEST_CASE("database: each start has its number") {
    const StorageDir dir;
    for (std::uint32_t run = 1; run <= 3; ++run) {
        CHECK(load_from(dir.path()).restored.run == run);
    }
}

TEST_CASE("database: what was committed is there after a kill") {
    const StorageDir dir;
    const StorageDir killed;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    for (std::uint64_t counter = 1; counter <= 40; ++counter) {
        REQUIRE(database.commit(sample_persist(7, counter, counter)).result ==
                PersistResult::Stored);
    }
    // What a power cut leaves: both files as they are, the last one torn.
    std::filesystem::copy(dir.path() / "meshd.db", killed.path() / "meshd.db");
    std::filesystem::copy(dir.path() / "meshd.db-wal", killed.path() / "meshd.db-wal");
    std::ofstream(killed.path() / "meshd.db-wal", std::ios::app) << std::string(1000, 'x');
    const Loaded loaded = load_from(killed.path());
    CHECK(loaded.notices.empty());
    CHECK(loaded.restored.records.size() == 40);
    CHECK(loaded.restored.run == 2);
}

TEST_CASE("database: a log cut anywhere leaves whole transactions") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    for (std::uint64_t counter = 1; counter <= 20; ++counter) {
        REQUIRE(database.commit(sample_persist(7, counter, counter)).result ==
                PersistResult::Stored);
    }
    const std::string log = read_file(dir.path() / "meshd.db-wal");
    for (std::size_t size = 0; size < log.size(); size += 3001) {
        const StorageDir killed;
        std::filesystem::copy(dir.path() / "meshd.db", killed.path() / "meshd.db");
        killed.write("meshd.db-wal", log.substr(0, size));
        const Loaded loaded = load_from(killed.path());
        CHECK(loaded.restored.has_disk);
        CHECK(loaded.notices.empty());
        const std::size_t records = loaded.restored.records.size();
        REQUIRE(loaded.restored.streams.size() == (records == 0 ? 0 : 1));
        if (records != 0) {
            CHECK(loaded.restored.streams[0].covered.intervals ==
                  std::vector<Interval>{{1, records}});
        }
    }
}

TEST_CASE("database: damage anywhere costs no start, and nothing claimed is missing") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 200));
    const std::string whole = read_file(dir.path() / "meshd.db");
    std::size_t set_aside = 0;
    std::vector<std::size_t> offsets = {0, 16, 18, 21, 28, 60, 64, 68, 96, 100, 105, 110};
    for (std::size_t offset = 2048; offset < whole.size(); offset += 1111) {
        offsets.push_back(offset);
    }
    for (const std::size_t offset : offsets) {
        CAPTURE(offset);
        const StorageDir damaged;
        damaged.write("meshd.db", whole);
        scribble(damaged.path() / "meshd.db", offset, "\xa5\x5a\xff\x01garbage\xfe");
        std::size_t records = 0;
        {
            Database database(damaged.path() / "meshd.db", {});
            const Loaded loaded = load(database);
            REQUIRE(loaded.restored.has_disk);
            records = loaded.restored.records.size();
            std::uint64_t covered = 0;
            for (const StoredStream& stream : loaded.restored.streams) {
                for (const Interval& interval : stream.covered.intervals) {
                    covered += interval.last - interval.first + 1;
                }
            }
            if (loaded.notices.empty()) {
                CHECK(records == 200);
            }
            if (records == 200) {
                CHECK(loaded.restored.clock == StoreClock{2000, 77});
            }
            if (!loaded.restored.streams.empty()) {
                CHECK(covered >= records);
                CHECK(covered <= records + 10);
            }
            set_aside += names_with(damaged.path(), "corrupt").empty() ? 0 : 1;
            const auto committed = database.commit(sample_persist(9, 1, 1));
            CHECK(committed.result != PersistResult::Failed);
            if (committed.result == PersistResult::Lost) {
                records = 0;
                CHECK(database.commit(sample_persist(9, 1, 1)).result == PersistResult::Stored);
            }
        }
        const Loaded again = load_from(damaged.path());
        CHECK(again.restored.has_disk);
    }
    CHECK(set_aside > 3);
}

TEST_CASE("database: a record that lost a bit is left out and claimed no more") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 30));
    const std::string whole = read_file(dir.path() / "meshd.db");
    const std::size_t at = whole.find("record 7.17");
    REQUIRE(at != std::string::npos);
    scribble(dir.path() / "meshd.db", at + 100, "X");
    const Loaded loaded = load_from(dir.path());
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("1 records and 0 streams were damaged") != std::string::npos);
    CHECK(loaded.restored.records.size() == 29);
    REQUIRE(loaded.restored.streams.size() == 1);
    const std::vector<Interval> expected = {{1, 16}, {18, 30}};
    CHECK(loaded.restored.streams[0].covered.intervals == expected);

    const Loaded again = load_from(dir.path());
    CHECK(again.notices.empty());
    CHECK(again.restored.records.size() == 29);
    CHECK(again.restored.streams[0].covered.intervals == expected);
}

TEST_CASE("database: records come back before their stream claims them") {
    const StorageDir dir;
    {
        Database database(dir.path() / "meshd.db", {});
        load(database);
        Persist first_part = sample_persist(7, 1, 5);
        first_part.streams.clear();
        REQUIRE(database.commit(first_part).result == PersistResult::Stored);
    }
    const Loaded loaded = load_from(dir.path());
    CHECK(loaded.notices.empty());
    CHECK(loaded.restored.records.size() == 5);
    CHECK(loaded.restored.streams.empty());
}

TEST_CASE("database: a stream that lost a bit leaves its records") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 5));
    const std::size_t at = read_file(dir.path() / "meshd.db").find("gate-1");
    REQUIRE(at != std::string::npos);
    scribble(dir.path() / "meshd.db", at, "late");
    const Loaded loaded = load_from(dir.path());
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("0 records and 1 streams were damaged") != std::string::npos);
    CHECK(loaded.restored.records.size() == 5);
    CHECK(loaded.restored.streams.empty());
    CHECK(load_from(dir.path()).notices.empty());
}

TEST_CASE("database: is readable for its user alone") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    for (const char* name : {"meshd.db", "meshd.db-wal"}) {
        const auto mode = std::filesystem::status(dir.path() / name).permissions();
        CHECK((mode & std::filesystem::perms::all) ==
              (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    }
}

TEST_CASE("database: another version is set aside whole and not read") {
    for (const char version : {'\0', '\7'}) {
        const StorageDir dir;
        write_samples(dir.path(), 5);
        scribble(dir.path() / "meshd.db", 63, std::string(1, version));
        const std::string former = read_file(dir.path() / "meshd.db");
        const Loaded loaded = load_from(dir.path());
        CHECK(loaded.restored.has_disk);
        CHECK(loaded.restored.records.empty());
        REQUIRE(loaded.notices.size() == 1);
        CHECK(loaded.notices[0].find("come back from the peers") != std::string::npos);
        const auto names = names_with(dir.path(), version == 0 ? ".version-0-" : ".version-7-");
        REQUIRE(names.size() == 1);
        CHECK(loaded.notices[0].find(names[0]) != std::string::npos);
        CHECK(read_file(dir.path() / names[0]) == former);
        CHECK(load_from(dir.path()).notices.empty());
    }
}

TEST_CASE("database: files of other programs and no databases are set aside") {
    const StorageDir other;
    REQUIRE(write_samples(other.path(), 5));
    scribble(other.path() / "meshd.db", 68, "abcd");
    const std::string foreign = read_file(other.path() / "meshd.db");
    for (const std::string& text : {foreign, std::string("no database\n"), foreign.substr(0, 50),
                                    foreign.substr(0, 2048), std::string(4096, '\0')}) {
        const StorageDir dir;
        dir.write("meshd.db", text);
        dir.write("meshd.db-wal", "a log of what is set aside goes with it");
        const Loaded loaded = load_from(dir.path());
        CHECK(loaded.restored.has_disk);
        REQUIRE(loaded.notices.size() == 1);
        CHECK(loaded.restored.records.empty());
        CHECK_FALSE(names_with(dir.path(), ".corrupt-").empty());
        CHECK(load_from(dir.path()).notices.empty());
    }
}

TEST_CASE("database: an empty file becomes one") {
    const StorageDir dir;
    dir.write("meshd.db", "");
    CHECK(load_from(dir.path()).notices.empty());
    CHECK(load_from(dir.path()).restored.run == 2);
}

TEST_CASE("database: at most three are kept aside") {
    const StorageDir dir;
    dir.write("meshd.db.corrupt-20200101T000000Z", "oldest");
    dir.write("meshd.db.corrupt-20200101T000000Z-wal", "its log");
    dir.write("meshd.db.version-1.backup", "not set aside");
    for (int i = 0; i < 4; ++i) {
        dir.write("meshd.db", "no database");
        CHECK(load_from(dir.path()).notices.size() == 1);
    }
    CHECK(names_with(dir.path(), ".corrupt-").size() == kSetAsideFilesMax);
    CHECK(names_with(dir.path(), "20200101").empty());
    CHECK(names_with(dir.path(), ".backup").size() == 1);
}

TEST_CASE("database: an older version is brought up, with a copy of the former") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 5));
    StorageOptions options;
    options.migrations = {"ALTER TABLE records ADD COLUMN extra INTEGER",
                          "DELETE FROM records WHERE counter=5"};
    const Loaded loaded = load_from(dir.path(), options);
    CHECK(loaded.restored.records.size() == 4);
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("meshd.db.version-1.backup") != std::string::npos);
    CHECK(load_from(dir.path(), options).notices.empty());

    // The copy is a database of the former version.
    const StorageDir former;
    std::filesystem::copy(dir.path() / "meshd.db.version-1.backup", former.path() / "meshd.db");
    const Loaded old = load_from(former.path());
    CHECK(old.notices.empty());
    CHECK(old.restored.records.size() == 5);
}

TEST_CASE("database: a new one begins with the newest version") {
    const StorageDir dir;
    StorageOptions options;
    options.migrations = {"ALTER TABLE records ADD COLUMN extra INTEGER"};
    CHECK(load_from(dir.path(), options).notices.empty());
    CHECK(load_from(dir.path(), options).restored.run == 2);
    CHECK(names_with(dir.path(), "backup").empty());
}

TEST_CASE("database: one that cannot be brought up is set aside") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 5));
    StorageOptions options;
    options.migrations = {"CREATE UNIQUE INDEX ages ON records(born_ms)"};
    Database database(dir.path() / "meshd.db", options);
    const Loaded loaded = load(database);
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("version 1") != std::string::npos);
    CHECK(names_with(dir.path(), ".version-1-").size() == 1);
}

TEST_CASE("database: where it is full nothing is half written, and room makes it good again") {
    const StorageDir dir;
    StorageOptions options;
    options.pages_max = 200;
    Database database(dir.path() / "meshd.db", options);
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 100, 1500)).result == PersistResult::Stored);
    const auto failed = database.commit(sample_persist(8, 1, 200, 1500));
    CHECK(failed.result == PersistResult::Failed);
    CHECK(failed.error.trouble == DiskTrouble::Full);
    CHECK(database.records() == 100);
    Persist smaller;
    for (std::uint64_t counter = 1; counter <= 100; ++counter) {
        smaller.records.push_back({StreamId{7}, counter, {}});
    }
    smaller.streams = {sample_stream(7, {})};
    REQUIRE(database.commit(smaller).result == PersistResult::Stored);
    CHECK(database.commit(sample_persist(8, 1, 100, 1500)).result == PersistResult::Stored);
    CHECK(database.trouble().trouble == DiskTrouble::None);
    CHECK(database.records() == 100);
}

TEST_CASE("database: a disk that takes no more fails commits until there is room") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 10)).result == PersistResult::Stored);
    {
        const FileSizeLimit limit(60'000);
        for (int i = 0; i < 3; ++i) {
            const auto failed = database.commit(sample_persist(8, 1, 100, 1500));
            CHECK(failed.result == PersistResult::Failed);
            CHECK(failed.error.trouble != DiskTrouble::None);
        }
    }
    CHECK(database.commit(sample_persist(8, 1, 100, 1500)).result == PersistResult::Stored);
    CHECK(database.records() == 110);
}

TEST_CASE("database: a start on a full disk reads what is there and counts later") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 100));
    Database database(dir.path() / "meshd.db", {});
    Loaded loaded;
    {
        const FileSizeLimit limit(0);
        loaded = load(database);
        CHECK(loaded.restored.has_disk);
        CHECK(loaded.restored.records.size() == 100);
        CHECK(loaded.restored.run == 2);
        CHECK(database.trouble().trouble != DiskTrouble::None);
        CHECK(database.commit(sample_persist(7, 101, 101)).result == PersistResult::Failed);
    }
    CHECK(database.commit(sample_persist(7, 101, 101)).result == PersistResult::Stored);
    CHECK(database.trouble().trouble == DiskTrouble::None);
}

TEST_CASE("database: a first start on a full disk begins to keep when there is room") {
    const StorageDir dir;
    {
        Database database(dir.path() / "meshd.db", {});
        {
            const FileSizeLimit limit(0);
            const Loaded loaded = load(database);
            CHECK(loaded.restored.has_disk);
            CHECK(database.commit(sample_persist(7, 1, 5)).result == PersistResult::Failed);
        }
        CHECK(database.commit(sample_persist(7, 1, 5)).result == PersistResult::Stored);
    }
    CHECK(load_from(dir.path()).restored.records.size() == 5);
}

TEST_CASE("database: a file that cannot be opened keeps nothing and is left alone") {
    const StorageDir dir;
    std::filesystem::create_directory(dir.path() / "meshd.db");
    const Loaded loaded = load_from(dir.path());
    CHECK_FALSE(loaded.restored.has_disk);
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("nothing is kept") != std::string::npos);
    CHECK(std::filesystem::is_directory(dir.path() / "meshd.db"));
}

TEST_CASE("database: a program that holds it for a while at a start costs nothing but that while") {
    const StorageDir dir;
    REQUIRE(write_samples(dir.path(), 20));
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t holder = fork();
    REQUIRE(holder >= 0);
    if (holder == 0) {
        sqlite3* handle = nullptr;
        const bool is_held =
            sqlite3_open((dir.path() / "meshd.db").c_str(), &handle) == SQLITE_OK &&
            sqlite3_exec(handle, "SELECT count(*) FROM records", nullptr, nullptr, nullptr) ==
                SQLITE_OK;
        const bool is_told = write(ready[1], "x", 1) == 1;
        // Beyond the second that SQLite itself waits.
        sleep(2);
        _exit(is_held && is_told ? 0 : 1);
    }
    char told = 0;
    REQUIRE(read(ready[0], &told, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    Database database(dir.path() / "meshd.db", {});
    const Loaded loaded = load(database);
    int status = 0;
    REQUIRE(waitpid(holder, &status, 0) == holder);
    CHECK(status == 0);
    CHECK(loaded.restored.has_disk);
    CHECK(loaded.restored.records.size() == 20);
    REQUIRE(loaded.notices.size() == 1);
    CHECK(loaded.notices[0].find("in use by another program") != std::string::npos);
    CHECK(database.commit(sample_persist(8, 1, 1)).result == PersistResult::Stored);
}

TEST_CASE("database: one that is removed while in use is made anew and all is asked for") {
    const StorageDir dir;
    const auto path = dir.path() / "state" / "meshd.db";
    std::filesystem::create_directory(path.parent_path());
    Database database(path, {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 10)).result == PersistResult::Stored);

    SUBCASE("the file") {
        std::filesystem::remove(path);
    }
    SUBCASE("its log") {
        std::filesystem::remove(path.string() + "-wal");
    }
    SUBCASE("the directory") {
        std::filesystem::remove_all(path.parent_path());
        const auto failed = database.commit(sample_persist(7, 11, 11));
        CHECK(failed.result == PersistResult::Failed);
        CHECK(failed.error.trouble == DiskTrouble::Unreachable);
        std::filesystem::create_directory(path.parent_path());
    }
    const auto lost = database.commit(sample_persist(7, 11, 11));
    CHECK(lost.result == PersistResult::Lost);
    CHECK(lost.notices.size() == 1);
    CHECK(database.records() == 0);
    CHECK(database.commit(sample_persist(7, 1, 11)).result == PersistResult::Stored);
}

TEST_CASE("database: one that breaks while in use is set aside and all is asked for") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 10'000, 1500)).result == PersistResult::Stored);
    REQUIRE(database.commit(sample_persist(8, 1, 10)).result == PersistResult::Stored);
    for (std::size_t page = 2; page < 5000; ++page) {
        scribble(dir.path() / "meshd.db", page * 2048, std::string(64, '\xa5'));
    }
    Persist persist;
    for (std::uint64_t counter = 1; counter < 5000; counter += 7) {
        persist.records.push_back({StreamId{7}, counter, {}});
    }
    const auto lost = database.commit(persist);
    CHECK(lost.result == PersistResult::Lost);
    REQUIRE(lost.notices.size() == 1);
    CHECK(lost.notices[0].find(".corrupt-") != std::string::npos);
    CHECK(database.commit(sample_persist(7, 1, 10)).result == PersistResult::Stored);
    CHECK(database.records() == 10);
}

TEST_CASE("database: the log stays bounded") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 10'000, 1500)).result == PersistResult::Stored);
    for (std::uint64_t counter = 1; counter < 1500; ++counter) {
        REQUIRE(database.commit(sample_persist(8, counter, counter)).result ==
                PersistResult::Stored);
    }
    CHECK(std::filesystem::file_size(dir.path() / "meshd.db-wal") <= 9'000'000);
}

TEST_CASE("database: the log stays bounded beside a backup") {
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 4000, 1500)).result == PersistResult::Stored);
    auto copy = BackupCopy::start(*database.connection(), dir.path() / "backup.db",
                                  BackupCopy::IfThere::Refuse);
    REQUIRE(copy);
    REQUIRE(copy->step());
    std::uintmax_t longest = 0;
    for (std::uint64_t part = 0; part < 20; ++part) {
        REQUIRE(database.commit(sample_persist(8, 1 + part * 500, 500 + part * 500, 1500)).result ==
                PersistResult::Stored);
        longest = std::max(longest, std::filesystem::file_size(dir.path() / "meshd.db-wal"));
    }
    CHECK(longest <= 9'000'000);
    for (auto done = copy->step(); !*done; done = copy->step()) {
        REQUIRE(done);
    }
    CHECK(copy->finish());
}
