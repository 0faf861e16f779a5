// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

RegistryData entry_data(std::string hash) {
    RegistryData data;
    data.hash = std::move(hash);
    data.owner = id("a");
    data.type = "face";
    data.metadata = "{}";
    return data;
}

StoredRecord stored(const HeldRecord& held) {
    return {held.record.header.stream, held.record.header.counter, held.record.bytes, 0, 0};
}

}  // namespace

TEST_CASE("restored: a row that another supersedes is deleted, or it would outlive it") {
    Store author = store_of("a");
    Restored disk;
    disk.has_disk = true;
    // As a crash leaves them: the rows to delete go with the last of several batches.
    disk.records.push_back(stored(author.write_entry(now(1), entry_data("f00d"), {})));
    const RecordPlace former{disk.records[0].stream, disk.records[0].counter};
    disk.records.push_back(stored(author.write_entry(now(2), entry_data("f00d"), {})));
    Store store = store_of("a", 0x21, 0x22);
    store.restore(at(10), disk);
    REQUIRE(store.records() == 1);

    const Store::Changes changes = store.take_changes(at(10), 0, 100);
    REQUIRE(changes.records.size() == 1);
    CHECK(RecordPlace{changes.records[0].stream, changes.records[0].counter} == former);
    CHECK(changes.records[0].bytes.empty());
    CHECK(changes.streams.empty());
}

TEST_CASE("restored: what is held as it is on the disk is not written again") {
    Store author = store_of("a");
    Restored disk;
    disk.has_disk = true;
    disk.records.push_back(stored(author.write_entry(now(1), entry_data("f00d"), {})));
    Store store = store_of("a", 0x21, 0x22);
    store.restore(at(10), disk);
    CHECK(store.entry("f00d", id("a")) != nullptr);
    CHECK(store.changes() == 0);
}

TEST_CASE("restored: what found no room is not claimed, on the disk neither") {
    Store author = store_of("a");
    Restored disk;
    disk.has_disk = true;
    for (int i = 1; i <= 80; ++i) {
        RegistryData data = entry_data("h" + std::to_string(i));
        data.metadata = R"({"text":")" + std::string(100, 'x') + "\"}";
        disk.records.push_back(stored(author.write_entry(now(i), data, {})));
    }
    disk.streams.push_back({{StreamId{0x12}, id("a"), {{1, 80}}, 0}});
    Store store({id("b"), StreamId{0x21}, StreamId{0x22}, std::chrono::hours(24), 8192, 1});
    store.restore(at(100), disk);

    REQUIRE(store.counts().no_room > 0);
    for (std::uint64_t counter = 1; counter <= 80; ++counter) {
        CHECK(store.covers(StreamId{0x12}, counter) ==
              (store.record(StreamId{0x12}, counter) != nullptr));
    }
    const Store::Changes changes = store.take_changes(at(100), 0, 1000);
    CHECK(changes.records.size() == 80 - store.records());
    REQUIRE(changes.streams.size() == 1);
    CHECK(changes.streams[0].covered.intervals == covered(store, 0x12));
}
