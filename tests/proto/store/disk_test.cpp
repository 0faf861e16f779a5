// SPDX-License-Identifier: Apache-2.0
// What goes to the disk, in which order, and what comes back from it.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/proto/store/keyed_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;

/// Rows as a database keeps them.
struct Disk {
    std::map<RecordPlace, StoredRecord> records;
    std::map<StreamId, StoredStream> streams;

    void write(const Store::Changes& changes) {
        for (const StoredRecord& record : changes.records) {
            const RecordPlace place{record.stream, record.counter};
            records.erase(place);
            if (!Bytes(record.bytes).empty()) {
                records.emplace(place, record);
            }
        }
        for (const StoredStream& stream : changes.streams) {
            streams.erase(stream.covered.stream);
            if (!stream.covered.intervals.empty()) {
                streams.emplace(stream.covered.stream, stream);
            }
        }
    }
    void write_all(Store& store, std::int64_t ms, std::size_t records_max = 100) {
        while (store.changes() != 0) {
            write(store.take_changes(at(ms), ms, records_max));
        }
    }
    void put(const Buffer& bytes, std::int64_t born_ms = 0) {
        const RecordHeader header = decode_record(bytes).value().header;
        records.insert_or_assign(
            {header.stream, header.counter},
            StoredRecord{header.stream, header.counter, SharedBytes(bytes), born_ms, 0});
    }
    Restored load(std::int64_t life_ms, std::uint32_t run = 2) const {
        Restored restored;
        restored.has_disk = true;
        restored.run = run;
        restored.clock.life_ms = life_ms;
        for (const auto& [place, record] : records) {
            restored.records.push_back(record);
        }
        for (const auto& [id, stream] : streams) {
            restored.streams.push_back(stream);
        }
        return restored;
    }
};

/// A start of the node b: its streams are new each time.
Store start_of_b(std::uint32_t run) {
    Store::Options options;
    options.self = id("b");
    options.volatile_stream = StreamId{0x1001 + 16 * run};
    options.durable_stream = StreamId{0x1002 + 16 * run};
    options.run = run;
    return Store(std::move(options));
}

std::vector<RecordPlace> places(const Store::Changes& changes, bool deleted) {
    std::vector<RecordPlace> places;
    for (const StoredRecord& record : changes.records) {
        if (Bytes(record.bytes).empty() == deleted) {
            places.push_back({record.stream, record.counter});
        }
    }
    return places;
}

}  // namespace

TEST_CASE("disk: volatile records are not written") {
    Store store = store_of("b");
    store.write_node(now(0), node_data());
    store.write_state(now(0), {});
    give(store, node_bytes("a", 0x21, 1, 1));
    CHECK(store.changes() == 0);
    store.write_alert(now(0), {}, 0);
    CHECK(store.changes() == 2);
    const auto changes = store.take_changes(at(5), 1005, 100);
    REQUIRE(changes.records.size() == 1);
    CHECK(changes.records[0].stream == StreamId{0x12});
    CHECK(changes.records[0].counter == 1);
    CHECK(changes.records[0].born_ms == 1000);
    REQUIRE(changes.streams.size() == 1);
    CHECK(changes.streams[0].covered.intervals == std::vector<Interval>{{1, 1}});
    CHECK(store.changes() == 0);
}

TEST_CASE("disk: what this box wrote is written before what came from others") {
    Store store = store_of("b");
    for (std::uint64_t i = 1; i <= 5; ++i) {
        give(store, shared_bytes("a", 0x02, i, i, "k" + std::to_string(i), "1"));
    }
    store.write_shared(now(0), {"own", "1", false});
    const auto changes = store.take_changes(at(5), 5, 2);
    CHECK(places(changes, false) ==
          std::vector<RecordPlace>{{StreamId{0x12}, 1}, {StreamId{0x02}, 1}});
}

TEST_CASE("disk: in batches the new comes first, then what was deleted, and coverage last") {
    Store store = store_of("b");
    store.write_shared(now(0), {"k", "1", false});
    store.write_shared(now(1), {"m", "1", false});
    Disk disk;
    disk.write_all(store, 1);
    store.write_shared(now(2), {"k", "2", false});
    store.write_shared(now(3), {"m", "2", false});
    store.write_shared(now(4), {"n", "1", false});
    CHECK(store.changes() == 6);
    const auto first = store.take_changes(at(5), 5, 2);
    CHECK(places(first, false) ==
          std::vector<RecordPlace>{{StreamId{0x12}, 3}, {StreamId{0x12}, 4}});
    CHECK(places(first, true).empty());
    CHECK(first.streams.empty());
    CHECK_FALSE(store.is_written({StreamId{0x12}, 5}));
    CHECK(store.is_written({StreamId{0x12}, 4}));
    CHECK_FALSE(store.is_written({StreamId{0x12}, 1}));
    // Whatever is written in between: at no time two boxes of rows contradict the coverage.
    const auto last = store.take_changes(at(6), 6, 2);
    CHECK(places(last, false) == std::vector<RecordPlace>{{StreamId{0x12}, 5}});
    CHECK(places(last, true) == std::vector<RecordPlace>{{StreamId{0x12}, 1}, {StreamId{0x12}, 2}});
    CHECK_FALSE(Bytes(last.records.front().bytes).empty());
    REQUIRE(last.streams.size() == 1);
    CHECK(last.streams[0].covered.intervals == std::vector<Interval>{{1, 5}});
    CHECK(last.streams[0].covered.floor == 0);
    CHECK(store.changes() == 0);
}

TEST_CASE("disk: after each batch, what the rows cover is there or was superseded by what is") {
    Store store = start_of_b(1);
    Disk disk;
    std::uint64_t counter = 0;
    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 5; ++i) {
            const std::int64_t ms = 10 * round + i;
            store.write_shared(now(ms), {"own" + std::to_string(i), "1", false});
            ++counter;
            give(store, shared_bytes("a", 0x22, counter, counter, "k" + std::to_string(i), "1"));
        }
        while (store.changes() != 0) {
            disk.write(store.take_changes(at(100), 100, 3));
            Store again = start_of_b(2);
            again.restore(at(0), disk.load(100));
            // It pulls what it does not cover, and ends with the same.
            pull_all(again, store, 100);
            CHECK(again.hashes() == store.hashes());
        }
    }
}

TEST_CASE("disk: what was not written after all is taken again, as it is by then") {
    Store store = store_of("b");
    store.write_shared(now(0), {"k", "1", false});
    store.write_shared(now(0), {"m", "1", false});
    const auto lost = store.take_changes(at(1), 1, 100);
    store.write_shared(now(2), {"k", "2", false});
    store.put_back(lost);
    CHECK(store.changes() == 4);
    const auto changes = store.take_changes(at(3), 3, 100);
    CHECK(places(changes, false) ==
          std::vector<RecordPlace>{{StreamId{0x12}, 2}, {StreamId{0x12}, 3}});
    CHECK(places(changes, true) == std::vector<RecordPlace>{{StreamId{0x12}, 1}});
    CHECK(changes.streams.at(0).covered.intervals == std::vector<Interval>{{1, 3}});
}

TEST_CASE("disk: when it lost all, all that is durable is written anew") {
    Store store = start_of_b(1);
    store.write_node(now(0), node_data());
    store.write_alert(now(0), {}, 0);
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    give(store, shared_bytes("c", 0x32, 1, 2, "k", "2"));
    Disk disk;
    disk.write_all(store, 1);
    disk = Disk();
    store.all_changed();
    disk.write_all(store, 2);
    CHECK(disk.records.size() == 2);
    CHECK(disk.streams.size() == 3);
    CHECK(disk.streams.at(StreamId{0x22}).covered.intervals == std::vector<Interval>{{1, 1}});
}

TEST_CASE("disk: what comes back is what was stored, and nothing of it is written again") {
    Store store = start_of_b(1);
    store.write_alert(now(0), {Priority::Critical, 0, "{}"}, 0);
    store.write_entry(now(1), embedded_of("h", "b", 8), embedding_of(8));
    store.write_entry(now(2), embedded_of("h", "b", 8), embedding_of(8));
    store.write_shared(now(3), {"k", R"({"x":1})", false});
    give(store, entry_bytes(entry_of("g", "a"), 0x22, 1, 1));
    give(store, deletion_bytes("c", 0x32, 4, 2, deleted_of("g", "a")));
    give(store, entry_bytes(entry_of("short", "a", 10), 0x22, 2, 3));
    give(store, alert_bytes("a", 0x22, 3, 4));
    give(store, other_bytes("later", "d", 0x42, 9, 20));
    store.on_timeout(at(50));
    Disk disk;
    disk.write_all(store, 50, 2);

    Store again = start_of_b(2);
    again.restore(at(7), disk.load(60));
    CHECK(again.changes() == 0);
    CHECK(again.hashes() == store.hashes());
    CHECK(again.bucket_hashes() == store.bucket_hashes());
    CHECK(again.records() == store.records());
    CHECK(again.bytes() == store.bytes());
    CHECK(again.entry_count() == 1);
    CHECK(again.tombstone_count() == 2);
    CHECK(again.alert_count() == 2);
    CHECK(again.shared("k")->record.shared->value == R"({"x":1})");
    CHECK(bytes_of(*again.entry("h", id("b"))) == bytes_of(*store.entry("h", id("b"))));
    CHECK(floor_of(again, 0x22) == 0);
    CHECK(again.dimension("face", "model") == 8);
    CHECK(again.counts().unreadable == 0);
    CHECK(again.missing(store.digest()).empty());
}

TEST_CASE("disk: floors, and the coverage of what is gone, come back") {
    Store store = start_of_b(1);
    give(store, deletion_bytes("a", 0x22, 1, 2, deleted_of("g", "a")));
    store.on_timeout(at(kDayMs));
    REQUIRE(store.records() == 0);
    Disk disk;
    disk.write_all(store, kDayMs);
    CHECK(disk.records.empty());
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(kDayMs));
    CHECK(floor_of(again, 0x22) == 1);
    CHECK(covered(again, 0x22) == std::vector<Interval>{{1, 1}});
    CHECK(again.hashes() == store.hashes());
}

TEST_CASE("disk: rows that cannot be read are counted and deleted, the others count") {
    Disk disk;
    const Buffer good = shared_bytes("a", 0x22, 1, 5, "k", "1");
    disk.put(good);
    Buffer torn = shared_bytes("a", 0x22, 2, 6, "m", "1");
    torn.resize(torn.size() - 3);
    disk.records.insert_or_assign({StreamId{0x22}, 2},
                                  StoredRecord{StreamId{0x22}, 2, SharedBytes(torn), 0, 0});
    // In another's place, and of a stream that is never written.
    disk.records.insert_or_assign({StreamId{0x22}, 3},
                                  StoredRecord{StreamId{0x22}, 3, SharedBytes(good), 0, 0});
    disk.put(node_bytes("a", 0x21, 1, 1));
    Store store = start_of_b(2);
    store.restore(at(0), disk.load(10));
    CHECK(store.counts().unreadable == 3);
    CHECK(store.records() == 1);
    const auto changes = store.take_changes(at(1), 1, 100);
    CHECK(places(changes, false).empty());
    CHECK(places(changes, true) ==
          std::vector<RecordPlace>{{StreamId{0x21}, 1}, {StreamId{0x22}, 2}, {StreamId{0x22}, 3}});
}

TEST_CASE("disk: rows of streams that hold nothing any more are deleted") {
    Store store = start_of_b(1);
    store.write_alert(now(0), {Priority::Normal, 0, "{}", 1000}, 0);
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    Disk disk;
    disk.write_all(store, 1);
    REQUIRE(disk.streams.size() == 2);
    // The alert expires before the next start, and its stream was that of the former one.
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(5000));
    CHECK(again.alert_count() == 0);
    disk.write_all(again, 5001);
    CHECK(disk.records.size() == 1);
    CHECK(disk.streams.size() == 1);
    CHECK(disk.streams.contains(StreamId{0x22}));
}

TEST_CASE("disk: ages go on over a restart, and so do expiries") {
    Store store = start_of_b(1);
    give(store, entry_bytes(entry_of("h", "a", 10'000), 0x22, 1, 1), 2000, {500, {}, 0});
    Disk disk;
    disk.write(store.take_changes(at(3000), 100'000, 100));
    CHECK(disk.records.begin()->second.born_ms == 98'500);
    Store again = start_of_b(2);
    again.restore(at(50), disk.load(101'000));
    const HeldRecord* held = again.entry("h", id("a"));
    REQUIRE(held != nullptr);
    CHECK(held->age_ms(at(50)) == 2500);
    CHECK(again.next_deadline() == at(7550));
    again.on_timeout(at(7550));
    CHECK(again.entry("h", id("a")) == nullptr);
    CHECK(again.tombstone_count() == 1);
}

TEST_CASE("disk: what expired before the start is there as a stub, without its body") {
    Store store = start_of_b(1);
    give(store, entry_bytes(embedded_of("h", "a", 8, 1000), 0x22, 1, 1));
    Disk disk;
    disk.write_all(store, 1);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(1000));
    CHECK(again.entry_count() == 0);
    CHECK(again.tombstone_count() == 1);
    CHECK(record_body(again.record(StreamId{0x22}, 1)->record.bytes).empty());
}

TEST_CASE("disk: the time without power is added to what came from the disk, and to nothing else") {
    Store store = start_of_b(1);
    AlertData brief;
    brief.ttl_ms = 60'000;
    give(store, encode_alert_record(header_of(RecordKind::Alert, "a", 0x22, 1, 1), brief));
    give(store, entry_bytes(entry_of("h", "a", 60'000), 0x22, 2, 2));
    give(store, deletion_bytes("c", 0x32, 1, 2, deleted_of("g", "a")));
    give(store, entry_bytes(entry_of("lasting", "a"), 0x22, 3, 3));
    Disk disk;
    disk.write_all(store, 1000);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(1000));
    give(again, entry_bytes(entry_of("new", "a", 60'000), 0x22, 4, 4), 100);
    again.add_power_off(at(200), 50'000);
    CHECK(again.entry("lasting", id("a"))->age_ms(at(200)) == 51'200);
    CHECK(again.entry("new", id("a"))->age_ms(at(200)) == 100);
    CHECK(again.next_deadline() == at(200 + 8800));
    again.on_timeout(at(9000));
    CHECK(again.alert_count() == 0);
    CHECK(again.entry("h", id("a")) == nullptr);
    CHECK(again.entry("new", id("a")) != nullptr);
    CHECK(again.next_deadline() == at(60'100));
    // What is on disk stays as it is: the owner adds the time to its life.
    const auto changes = again.take_changes(at(9000), 1000 + 50'000 + 9000, 100);
    CHECK(std::none_of(changes.records.begin(), changes.records.end(),
                       [](const StoredRecord& r) { return r.counter == 3; }));
    const auto fresh = std::find_if(changes.records.begin(), changes.records.end(),
                                    [](const StoredRecord& r) { return r.counter == 4; });
    REQUIRE(fresh != changes.records.end());
    CHECK(fresh->born_ms == 1000 + 50'000 + 100);
}

TEST_CASE("disk: what is past its ttl by the time without power ends with its coming") {
    Store store = start_of_b(1);
    give(store, entry_bytes(entry_of("brief", "a", 60'000), 0x22, 1, 1));
    Disk disk;
    disk.write_all(store, 1000);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(1000));
    REQUIRE(again.entry("brief", id("a")) != nullptr);
    again.add_power_off(at(200), 70'000);
    CHECK(again.entry("brief", id("a")) == nullptr);
}

TEST_CASE("disk: of much that came from the disk, each turn gets some of the time without power") {
    constexpr std::size_t kEntries = 2 * Store::kDuePerTurn + 1;
    Store store = start_of_b(1);
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
        // Two streams, the first of which ends within a turn.
        const std::uint64_t stream = i <= kEntries / 3 ? 0x22 : 0x32;
        give(store, entry_bytes(entry_of("h" + std::to_string(i), "a"), stream, i, i));
    }
    Disk disk;
    disk.write_all(store, 1000);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(1000));
    const auto aged = [&] {
        std::size_t count = 0;
        for (std::uint64_t i = 1; i <= kEntries; ++i) {
            const std::uint64_t age =
                again.entry("h" + std::to_string(i), id("a"))->age_ms(at(200));
            count += age == 51'200 ? 1 : 0;
            CHECK((age == 51'200 || age == 1200));
        }
        return count;
    };
    again.add_power_off(at(200), 50'000);
    CHECK(aged() == Store::kDuePerTurn);
    REQUIRE(again.next_deadline());
    CHECK(*again.next_deadline() <= at(200));
    again.on_timeout(at(200));
    CHECK(aged() == 2 * Store::kDuePerTurn);
    again.on_timeout(at(200));
    CHECK(aged() == kEntries);
    CHECK(!again.next_deadline());
}

TEST_CASE("disk: alerts keep their place in the order of arrival, new ones come behind") {
    Store store = start_of_b(1);
    give(store, alert_bytes("a", 0x22, 2, 9));
    give(store, alert_bytes("a", 0x22, 1, 1));
    store.write_alert(now(0), {}, 0);
    const std::uint64_t first = store.record(StreamId{0x22}, 2)->arrival;
    const std::uint64_t second = store.record(StreamId{0x22}, 1)->arrival;
    CHECK(first < second);
    CHECK(second < alerts_of(store).front()->arrival);
    Disk disk;
    disk.write_all(store, 1);
    // One more came and was told of, but not written.
    give(store, alert_bytes("a", 0x22, 3, 10));
    const std::uint64_t unwritten = store.record(StreamId{0x22}, 3)->arrival;
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(2));
    CHECK(again.record(StreamId{0x22}, 2)->arrival == first);
    CHECK(again.record(StreamId{0x22}, 1)->arrival == second);
    give(again, alert_bytes("a", 0x22, 4, 11));
    CHECK(again.record(StreamId{0x22}, 4)->arrival > unwritten);
}

TEST_CASE("disk: an own alert is found by its dedupe key after a restart") {
    Store store = start_of_b(1);
    AlertData data;
    data.dedupe_key = "door";
    store.write_alert(now(0), data, 0);
    Disk disk;
    disk.write_all(store, 1);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(2));
    REQUIRE(again.own_alert_of("door") != nullptr);
    CHECK(again.own_alert_of("door")->record.header.stream == StreamId{0x1012});
}

TEST_CASE("disk: own entries of former starts count for the quota and are replaced by new ones") {
    Store store = start_of_b(1);
    store.write_entry(now(0), entry_of("h", "b"), {});
    store.write_entry(now(1), entry_of("g", "b"), {});
    Disk disk;
    disk.write_all(store, 1);
    Store again = start_of_b(2);
    again.restore(at(0), disk.load(2));
    // The clock was set back by a day in between.
    again.write_entry(now(2, -kDayMs), entry_of("h", "b"), {});
    CHECK(again.entry("h", id("b"))->record.header.stream == StreamId{0x1022});
    CHECK(again.entry_count() == 2);
    const HeldRecord* deleted = again.delete_own_surplus(now(3, -kDayMs), 1);
    REQUIRE(deleted != nullptr);
    CHECK(deleted->record.registry->hash() == "g");
}
