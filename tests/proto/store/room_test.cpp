// SPDX-License-Identifier: Apache-2.0
// What goes when memory is full, and how it comes back.
#include <doctest/doctest.h>

#include "tests/proto/store/keyed_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

/// Of each record another.
std::string key_at(std::uint64_t stream, std::uint64_t counter) {
    return print_hex(stream) + "." + std::to_string(counter);
}

/// A member of about 1 KiB.
Buffer large(std::string_view author, std::uint64_t stream, std::uint64_t counter) {
    return shared_bytes(author, stream, counter, counter, key_at(stream, counter),
                        "\"" + std::string(900, 'x') + "\"");
}

/// A store of about 24 KiB. The others c, d and e are known by their node records.
struct Full {
    Store store = of_memory(24 * 1024);
    Store whole = of_memory(std::size_t{1} << 20);

    static Store of_memory(std::size_t memory_max) {
        Store::Options options;
        options.self = id("b");
        options.volatile_stream = StreamId{0x11};
        options.durable_stream = StreamId{0x12};
        options.memory_max = memory_max;
        return Store(std::move(options));
    }
    Full() {
        give(store, node_bytes("c", 0x31, 1, 1));
        give(store, node_bytes("d", 0x41, 1, 1));
        give(store, node_bytes("e", 0x51, 1, 1));
    }
    void fill(std::string_view author, std::uint64_t stream, std::uint64_t counters) {
        for (std::uint64_t i = 1; i <= counters; ++i) {
            give(whole, large(author, stream, i));
            REQUIRE(give(store, large(author, stream, i)) == Applied::New);
        }
    }
};

}  // namespace

TEST_CASE_FIXTURE(Full, "room: without anybody gone what comes is refused, and nothing goes") {
    fill("c", 0x32, 12);
    const std::size_t records = store.records();
    std::uint64_t counter = 13;
    while (give(store, large("c", 0x32, counter)) == Applied::New) {
        REQUIRE(++counter < 20);
    }
    CHECK(store.counts().no_room == 1);
    CHECK(store.memory() <= 24 * 1024);
    CHECK(store.records() == records + counter - 13);
    CHECK_FALSE(store.covers(StreamId{0x32}, counter));
    CHECK(store.streams_unheld() == 0);
    // Node records and own writes always enter.
    CHECK(give(store, node_bytes("f", 0x61, 1, 1)) == Applied::New);
    store.write_shared(now(0), {"own", "\"" + std::string(1000, 'x') + "\"", false});
    CHECK(store.shared("own") != nullptr);
}

TEST_CASE_FIXTURE(Full, "room: a memory full of what others say stops no alert") {
    std::uint64_t counter = 1;
    while (give(store, large("c", 0x32, counter)) == Applied::New) {
        REQUIRE(++counter < 30);
    }
    for (std::uint64_t i = 1; i <= 20; ++i) {
        CHECK(give(store, alert_bytes("d", 0x42, i, i)) == Applied::New);
    }
    CHECK(store.alert_count() == 20);
    CHECK(store.counts().no_room == 1);
    // An alert makes room as anything does, where somebody is gone.
    store.set_expendable({id("c")});
    CHECK(give(store, alert_bytes("d", 0x42, 21, 21)) == Applied::New);
    CHECK(store.shared_count() == 0);
    CHECK(give(store, alert_bytes("c", 0x32, 90, 90)) == Applied::Refused);
}

TEST_CASE_FIXTURE(Full, "room: whole streams of who is gone for longest go, no more than needed") {
    fill("c", 0x32, 4);
    fill("c", 0x34, 2);
    fill("d", 0x42, 5);
    give(store, alert_bytes("c", 0x34, 9, 9));
    store.set_expendable({id("c"), id("d")});
    fill("e", 0x52, 7);
    CHECK(store.streams_unheld() == 2);
    CHECK(store.counts().dropped_for_room == 7);
    CHECK(store.alert_count() == 0);
    CHECK(covered(store, 0x32).empty());
    CHECK(covered(store, 0x34).empty());
    CHECK(covered(store, 0x42) == std::vector<Interval>{{1, 5}});
    CHECK(store.shared_count() == 12);
    CHECK(store.node_record(id("c")) != nullptr);
    // They are neither fetched nor served nor covered meanwhile, nor is anybody behind in them.
    CHECK(store.missing(whole.digest()).empty());
    CHECK(give(store, large("c", 0x32, 1)) == Applied::Refused);
    store.cover({StreamId{0x32}, id("c"), {{1, 4}}, 2});
    CHECK(covered(store, 0x32).empty());
    CHECK_FALSE(store.is_behind({{StreamId{0x32}, id("c"), {{1, 4}}, 2}}));
    std::vector<Record> dead;
    store.apply_census({{{StreamId{0x32}, id("c"), {{1, 4}}, 2}, {{3, 4}}}}, true, dead);
    store.adopt_floors({{StreamId{0x32}, id("c"), {{1, 4}}, 2}});
    CHECK(covered(store, 0x32).empty());
}

TEST_CASE_FIXTURE(Full, "room: what was dropped is gone from the disk too") {
    fill("c", 0x32, 10);
    store.take_changes(at(0), 0, 100);
    store.set_expendable({id("c")});
    fill("e", 0x52, 7);
    std::size_t deleted = 0;
    const auto changes = store.take_changes(at(0), 0, 100);
    for (const StoredRecord& record : changes.records) {
        deleted += Bytes(record.bytes).empty() ? 1 : 0;
    }
    CHECK(deleted == 10);
    for (const StoredStream& stream : changes.streams) {
        CHECK(stream.covered.intervals.empty() == (stream.covered.stream == StreamId{0x32}));
    }
}

TEST_CASE_FIXTURE(Full, "room: streams of a node that is back are fetched again") {
    fill("c", 0x32, 10);
    store.set_expendable({id("c")});
    fill("e", 0x52, 7);
    REQUIRE(store.streams_unheld() == 1);
    store.set_expendable({id("c")});
    CHECK(store.streams_unheld() == 1);
    store.set_expendable({id("e")});
    CHECK(store.streams_unheld() == 0);
    CHECK(store.missing(whole.digest()).size() == 1);
    // There is room for it again, since now another is gone.
    pull_all(store, whole, 0);
    CHECK(covered(store, 0x32) == std::vector<Interval>{{1, 10}});
    CHECK(covered(store, 0x52).empty());
}

TEST_CASE_FIXTURE(Full, "room: when half of it is free, what was left out is fetched again") {
    fill("c", 0x32, 10);
    store.set_expendable({id("c")});
    fill("e", 0x52, 7);
    REQUIRE(store.streams_unheld() == 1);
    const TimePoint look = store.next_deadline().value();
    CHECK(look == at(0) + Store::kRoomInterval);
    give(store, shared_bytes("e", 0x52, 8, 20, key_at(0x52, 1), ""));
    give(store, shared_bytes("e", 0x52, 9, 21, key_at(0x52, 2), ""));
    store.on_timeout(look);
    CHECK(store.streams_unheld() == 0);
    CHECK(store.missing(whole.digest()).size() == 1);
}

TEST_CASE_FIXTURE(Full, "room: as long as less than half is free, nothing is fetched again") {
    fill("c", 0x32, 6);
    store.set_expendable({id("c")});
    fill("e", 0x52, 11);
    REQUIRE(store.streams_unheld() == 1);
    store.on_timeout(at(60'000));
    CHECK(store.streams_unheld() == 1);
    CHECK(store.next_deadline() == at(120'000));
}

TEST_CASE_FIXTURE(Full,
                  "room: who was not heard of since the start goes where nobody else is gone") {
    fill("x", 0x92, 5);
    fill("c", 0x32, 9);
    store.set_expendable({});
    CHECK(give(store, large("c", 0x32, 10)) == Applied::New);
    CHECK(give(store, large("c", 0x32, 11)) == Applied::New);
    CHECK(give(store, large("c", 0x32, 12)) == Applied::New);
    CHECK(covered(store, 0x92).empty());
    CHECK(store.streams_unheld() == 1);
}

TEST_CASE_FIXTURE(
    Full, "room: of who is gone the whole stream goes, though it is its own record that comes") {
    fill("c", 0x32, 14);
    store.set_expendable({id("c")});
    std::uint64_t counter = 15;
    while (give(store, large("c", 0x32, counter)) == Applied::New) {
        REQUIRE(++counter < 20);
    }
    // Its own stream went: served in part it would pretend to be whole.
    CHECK(store.streams_unheld() == 1);
    CHECK(covered(store, 0x32).empty());
    CHECK(give(store, large("c", 0x32, counter + 1)) == Applied::Refused);
}

TEST_CASE_FIXTURE(Full, "room: the node itself is never expendable") {
    store.set_expendable({id("b")});
    for (int i = 0; i < 14; ++i) {
        store.write_shared(now(i),
                           {"own" + std::to_string(i), "\"" + std::string(900, 'x') + "\"", false});
    }
    while (give(store, large("e", 0x52, store.records())) == Applied::New) {
    }
    CHECK(covered(store, 0x12) == std::vector<Interval>{{1, 14}});
    CHECK(store.streams_unheld() == 0);
}
