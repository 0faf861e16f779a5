// SPDX-License-Identifier: Apache-2.0
// A disk that fails in the middle of reading, writing or syncing.
#include <doctest/doctest.h>

#include <set>

#include "tests/daemon/failing_disk.h"
#include "tests/daemon/storage_sample.h"

using namespace meshd;
using Operation = FailingDisk::Operation;

namespace {

using Places = std::set<std::pair<std::uint64_t, std::uint64_t>>;

struct Kept {
    Places records;
    Places claimed;
    std::vector<std::string> notices;
};

/// What a box would have that lost its power now.
Kept kept_in(const std::filesystem::path& dir) {
    const StorageDir copy;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
        std::filesystem::copy(entry.path(), copy.path() / entry.path().filename());
    }
    const Loaded loaded = load_from(copy.path());
    Kept kept;
    kept.notices = loaded.notices;
    for (const StoredRecord& record : loaded.restored.records) {
        kept.records.emplace(record.stream.value, record.counter);
    }
    for (const StoredStream& stream : loaded.restored.streams) {
        for (const Interval& interval : stream.covered.intervals) {
            for (std::uint64_t counter = interval.first; counter <= interval.last; ++counter) {
                kept.claimed.emplace(stream.covered.stream.value, counter);
            }
        }
    }
    return kept;
}

Places places(std::uint64_t stream, std::uint64_t first, std::uint64_t last) {
    Places all;
    for (std::uint64_t counter = first; counter <= last; ++counter) {
        all.emplace(stream, counter);
    }
    return all;
}

bool includes(const Places& all, const Places& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

/// Adds records 6 to 8 to 1 to 5 of stream 7, writes 3 anew, and takes 2 away.
Persist mixed() {
    Persist persist = sample_persist(7, 6, 8);
    persist.records.push_back(sample_record(7, 3, 400));
    persist.records.push_back({StreamId{7}, 2, {}});
    return persist;
}

const Places kBefore = places(7, 1, 5);
const Places kAfter = [] {
    Places all = places(7, 1, 8);
    all.erase({7, 2});
    return all;
}();

}  // namespace

TEST_CASE("disk: a commit that failed when it was in the log is there, with what claims it") {
    FailingDisk disk;
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 5)).result == PersistResult::Stored);
    disk.fail({Operation::Sync, true});
    const auto failed = database.commit(mixed());
    CHECK(failed.result == PersistResult::Failed);
    CHECK(failed.error.trouble == DiskTrouble::Failing);
    CHECK(database.records() == 5);

    SUBCASE("when something else is written first") {
        CHECK(database.commit(sample_persist(9, 1, 3)).result == PersistResult::Stored);
        const Kept kept = kept_in(dir.path());
        CHECK(includes(kept.records, kAfter));
        CHECK(includes(kept.records, places(9, 1, 3)));
        CHECK(kept.claimed.size() == 8 + 3);
        CHECK(database.records() == kAfter.size() + 3);
    }
    SUBCASE("when it comes again") {
        CHECK(database.commit(mixed()).result == PersistResult::Stored);
        CHECK(kept_in(dir.path()).records == kAfter);
        CHECK(database.records() == kAfter.size());
    }
    SUBCASE("when it fails once more") {
        disk.fail({Operation::Sync, true, 0, 1000});
        CHECK(database.commit(mixed()).result == PersistResult::Failed);
        disk.heal();
        CHECK(database.commit(mixed()).result == PersistResult::Stored);
        CHECK(kept_in(dir.path()).records == kAfter);
    }
    CHECK(names_with(dir.path(), ".corrupt-").empty());
}

TEST_CASE(
    "disk: whatever fails of a commit, it is there whole or not at all, and nothing is lost") {
    for (const Operation operation : {Operation::Read, Operation::Write, Operation::Sync}) {
        for (const bool is_log : {true, false}) {
            for (const int times : {1, 3, 1000}) {
                for (int after = 0; after < 40; ++after) {
                    CAPTURE(static_cast<int>(operation));
                    CAPTURE(is_log);
                    CAPTURE(times);
                    CAPTURE(after);
                    FailingDisk disk;
                    const StorageDir dir;
                    Database database(dir.path() / "meshd.db", {});
                    load(database);
                    REQUIRE(database.commit(sample_persist(7, 1, 5)).result ==
                            PersistResult::Stored);
                    disk.fail({operation, is_log, after, times});
                    const auto first = database.commit(mixed());
                    disk.heal();
                    const Kept cut = kept_in(dir.path());
                    CHECK((cut.records == kBefore || cut.records == kAfter ||
                           first.result == PersistResult::Lost));
                    const auto second = database.commit(sample_persist(9, 1, 3));
                    if (!disk.has_failed()) {
                        REQUIRE(first.result == PersistResult::Stored);
                        break;
                    }
                    CHECK(second.result != PersistResult::Failed);
                    const bool is_lost =
                        first.result == PersistResult::Lost || second.result == PersistResult::Lost;
                    CHECK((!is_lost || operation == Operation::Read));
                    const Kept kept = kept_in(dir.path());
                    CHECK(kept.notices.empty());
                    if (!is_lost) {
                        const bool is_after = includes(kept.records, kAfter);
                        CHECK((is_after || includes(kept.records, kBefore)));
                        CHECK(is_after == (kept.claimed.count({7, 8}) == 1));
                    }
                    CHECK(database.commit(mixed()).result == PersistResult::Stored);
                }
            }
        }
    }
}

TEST_CASE("disk: rows that broke are claimed no more, even where it failed to say so") {
    for (int after = 0; after < 12; ++after) {
        CAPTURE(after);
        FailingDisk disk;
        const StorageDir dir;
        REQUIRE(write_samples(dir.path(), 30));
        const std::size_t at = read_file(dir.path() / "meshd.db").find("record 7.17");
        scribble(dir.path() / "meshd.db", at + 100, "X");
        Database database(dir.path() / "meshd.db", {});
        disk.fail({Operation::Sync, true, after, 1});
        const Loaded loaded = load(database);
        disk.heal();
        REQUIRE(loaded.restored.has_disk);
        CHECK(loaded.restored.records.size() == 29);
        CHECK(database.commit(sample_persist(9, 1, 3)).result == PersistResult::Stored);
        CHECK(kept_in(dir.path()).claimed.count({7, 17}) == 0);
        // A new connection finds the rows as they are.
        disk.fail({Operation::Sync, true});
        CHECK(database.commit(sample_persist(9, 4, 4)).result == PersistResult::Failed);
        CHECK(database.commit(sample_persist(9, 4, 4)).result == PersistResult::Stored);
        const Kept kept = kept_in(dir.path());
        CHECK(kept.claimed.count({7, 17}) == 0);
        CHECK(kept.records.size() == 29 + 4);
    }
}

TEST_CASE("disk: an error in the middle of reading costs no start") {
    for (const bool is_log : {true, false}) {
        for (const int times : {1, 1000}) {
            for (int after = 0; after < 60; after += 7) {
                CAPTURE(is_log);
                CAPTURE(times);
                CAPTURE(after);
                FailingDisk disk;
                const StorageDir dir;
                const StorageDir killed;
                {
                    Database database(dir.path() / "meshd.db", {});
                    load(database);
                    REQUIRE(database.commit(sample_persist(7, 1, 100)).result ==
                            PersistResult::Stored);
                    for (const char* name : {"meshd.db", "meshd.db-wal"}) {
                        std::filesystem::copy(dir.path() / name, killed.path() / name);
                    }
                }
                const auto& path = is_log ? killed.path() : dir.path();
                Database database(path / "meshd.db", {});
                disk.fail({Operation::Read, is_log, after, times});
                const Loaded loaded = load(database);
                disk.heal();
                CHECK(loaded.restored.has_disk);
                CHECK((loaded.notices.empty() ? loaded.restored.records.size() == 100
                                              : loaded.restored.records.empty() ||
                                                    loaded.restored.records.size() == 100));
                auto committed = database.commit(sample_persist(9, 1, 3));
                if (committed.result == PersistResult::Lost) {
                    committed = database.commit(sample_persist(9, 1, 3));
                }
                CHECK(committed.result == PersistResult::Stored);
                CHECK(includes(kept_in(path).records, places(9, 1, 3)));
            }
        }
    }
}

TEST_CASE("disk: a log that cannot be written back to the database does not fill the disk") {
    FailingDisk disk;
    const StorageDir dir;
    Database database(dir.path() / "meshd.db", {});
    load(database);
    REQUIRE(database.commit(sample_persist(7, 1, 5)).result == PersistResult::Stored);
    disk.fail({Operation::Write, false, 0, 1 << 30, true});
    bool is_lost = false;
    std::uintmax_t longest = 0;
    for (std::uint64_t part = 0; part < 30 && !is_lost; ++part) {
        const auto committed =
            database.commit(sample_persist(8, 1 + 100 * part, 100 + 100 * part, 20'000));
        REQUIRE(committed.result != PersistResult::Failed);
        is_lost = committed.result == PersistResult::Lost;
        longest = std::max(longest, std::filesystem::file_size(dir.path() / "meshd.db-wal"));
        if (is_lost) {
            REQUIRE(committed.notices.size() == 1);
            CHECK(committed.notices[0].find("cannot be written back") != std::string::npos);
        }
    }
    CHECK(is_lost);
    CHECK(longest < 40'000'000);
    CHECK(database.commit(sample_persist(8, 1, 3000, 1500)).result == PersistResult::Stored);
}
