// SPDX-License-Identifier: Apache-2.0
// Registry entries and shared members: who wins, what is hidden, what goes when.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/store/keyed_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Names = std::vector<std::string>;

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;

std::string value_of(const Store& store, std::string_view key) {
    const HeldRecord* held = store.shared(key);
    return held == nullptr ? "" : held->record.shared->value;
}

}  // namespace

TEST_CASE("keyed: of one key the newest wins, whatever stream, author and order it comes in") {
    std::vector<Buffer> records = {
        shared_bytes("a", 0x22, 1, 5, "k", "1"), shared_bytes("c", 0x32, 1, 7, "k", "2"),
        shared_bytes("c", 0x34, 1, 7, "k", "3"), shared_bytes("a", 0x24, 1, 6, "k", "4")};
    std::vector<std::size_t> order = {0, 1, 2, 3};
    Store first = store_of("x", 0x91, 0x92);
    for (const std::size_t i : order) {
        give(first, records[i]);
    }
    do {
        Store store = store_of("y", 0x93, 0x94);
        for (const std::size_t i : order) {
            give(store, records[i]);
        }
        CHECK(value_of(store, "k") == "3");
        CHECK(store.records() == 1);
        CHECK(store.shared_count() == 1);
        CHECK(store.hashes() == first.hashes());
        for (const std::uint64_t stream : {0x22U, 0x24U, 0x32U, 0x34U}) {
            CHECK(store.covers(StreamId{stream}, 1));
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("keyed: in one stream and at one clock the higher counter wins") {
    Store store = store_of("b");
    CHECK(give(store, shared_bytes("a", 0x22, 2, 5, "k", "2")) == Applied::New);
    CHECK(give(store, shared_bytes("a", 0x22, 1, 5, "k", "1")) == Applied::Stale);
    CHECK(give(store, shared_bytes("a", 0x22, 3, 5, "k", "3")) == Applied::New);
    CHECK(value_of(store, "k") == "3");
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 3}});
}

TEST_CASE("keyed: sightings of one hash by two owners are two entries") {
    Store store = store_of("b");
    give(store, entry_bytes(entry_of("h", "a"), 0x22, 1, 5));
    give(store, entry_bytes(entry_of("h", "c"), 0x32, 1, 1));
    CHECK(store.entry_count() == 2);
    give(store, deletion_bytes("a", 0x22, 2, 9, deleted_of("h", "c")));
    CHECK(listed(store) == Names{"h/a"});
}

TEST_CASE("keyed: a tombstone by another node hides the entry, whichever comes first") {
    const Buffer entry = entry_bytes(entry_of("h", "a"), 0x22, 1, 5);
    const Buffer deletion = deletion_bytes("c", 0x32, 1, 6, deleted_of("h", "a"));
    Store one = store_of("x", 0x91, 0x92);
    CHECK(give(one, entry) == Applied::New);
    CHECK(give(one, deletion) == Applied::New);
    Store two = store_of("y", 0x93, 0x94);
    CHECK(give(two, deletion) == Applied::New);
    CHECK(give(two, entry) == Applied::Stale);
    for (const Store* store : {&one, &two}) {
        CHECK(store->entry("h", id("a")) == nullptr);
        CHECK(listed(*store).empty());
        CHECK(store->entry_count() == 0);
        CHECK(store->tombstone_count() == 1);
    }
    CHECK(one.hashes() == two.hashes());
}

TEST_CASE("keyed: a tombstone older than the entry is too late") {
    Store store = store_of("b");
    give(store, entry_bytes(entry_of("h", "a"), 0x22, 2, 6));
    CHECK(give(store, deletion_bytes("c", 0x32, 1, 5, deleted_of("h", "a"))) == Applied::Stale);
    CHECK(store.entry("h", id("a")) != nullptr);
    CHECK(store.tombstone_count() == 0);
}

TEST_CASE("keyed: an entry put again after it was deleted is there again") {
    Store a = store_of("a");
    Store c = store_of("c", 0x31, 0x32);
    a.write_entry(now(0), entry_of("h", "a"), {});
    pull_all(c, a, 1);
    // The clock of who deletes is an hour ahead of the owner's.
    c.write_entry(now(2, 3'600'000), deleted_of("h", "a"), {});
    pull_all(a, c, 3);
    CHECK(a.entry("h", id("a")) == nullptr);
    const HeldRecord& again = a.write_entry(now(4), entry_of("h", "a"), {});
    CHECK(again.record.header.counter == 2);
    CHECK(a.entry("h", id("a")) == &again);
    CHECK(a.tombstone_count() == 0);
    pull_all(c, a, 5);
    CHECK(c.entry("h", id("a")) != nullptr);
    CHECK(c.tombstone_count() == 0);
    CHECK(a.hashes() == c.hashes());
    CHECK(a.hashes().live != 0);
}

TEST_CASE("keyed: an own write passes the clock of its key, and leaves those of others alone") {
    constexpr std::int64_t kYear2038 = 2'147'483'647'000;
    Store store = store_of("b");
    give(store, shared_bytes("old", 0x22, 1, std::uint64_t(kYear2038) << 16, "k", "1"));
    CHECK(store.write_shared(now(0), {"other", "1", false}).record.header.clock.ms() == kWallStart);
    const HeldRecord& mine = store.write_shared(now(1), {"k", "2", false});
    CHECK(mine.record.header.clock.ms() == kYear2038);
    CHECK(value_of(store, "k") == "2");
    CHECK(store.write_shared(now(2), {"third", "1", false}).record.header.clock.ms() ==
          kWallStart + 2);
    CHECK(store.write_state(now(3), {}).record.header.clock.ms() == kWallStart + 3);

    give(store, entry_bytes(entry_of("h", "old"), 0x22, 2, std::uint64_t(kYear2038) << 16));
    store.write_entry(now(4), deleted_of("h", "old"), {});
    CHECK(store.entry("h", id("old")) == nullptr);
    CHECK(store.write_alert(now(5), {}, 0).record.header.clock.ms() == kWallStart + 5);
}

TEST_CASE("keyed: at its ttl an entry loses its body, is hidden, and keeps older ones out") {
    Store store = store_of("b");
    const RegistryData data = embedded_of("h", "a", 8, 1000);
    REQUIRE(give(store, entry_bytes(data, 0x22, 2, 6), 0, {300, {}, 0}) == Applied::New);
    const std::size_t bytes = store.bytes();
    CHECK(store.next_deadline() == at(700));
    store.on_timeout(at(699));
    CHECK(store.entry("h", id("a")) != nullptr);
    store.on_timeout(at(700));
    CHECK(store.bytes() == bytes - 16);
    CHECK(store.entry("h", id("a")) == nullptr);
    CHECK(listed(store).empty());
    CHECK(store.entry_count() == 0);
    CHECK(store.tombstone_count() == 1);
    CHECK(store.dimension("face", "model") == std::nullopt);
    REQUIRE(store.record(StreamId{0x22}, 2) != nullptr);
    CHECK(store.record(StreamId{0x22}, 2)->is_stub);
    CHECK(give(store, entry_bytes(entry_of("h", "a"), 0x22, 1, 5)) == Applied::Stale);
    CHECK(listed(store).empty());
    CHECK(give(store, entry_bytes(entry_of("h", "a"), 0x22, 3, 7)) == Applied::New);
    CHECK(listed(store) == Names{"h/a"});
}

TEST_CASE("keyed: what comes past its ttl, with its body or without, is a stub at once") {
    const Buffer whole = entry_bytes(embedded_of("h", "a", 8, 1000), 0x22, 1, 5);
    const Bytes cut = without_body(whole);
    const Buffer stub(cut.begin(), cut.end());
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    CHECK(give(one, whole, 0, {1000, {}, 0}) == Applied::New);
    CHECK(give(two, stub, 0, {1000, {}, 0}) == Applied::New);
    for (const Store* store : {&one, &two}) {
        CHECK(store->entry("h", id("a")) == nullptr);
        CHECK(store->tombstone_count() == 1);
        CHECK(store->bytes() == stub.size());
    }
    CHECK(one.hashes() == two.hashes());
    // Without its body before its time it is damaged.
    Store three = store_of("z", 0x95, 0x96);
    CHECK(give(three, stub, 0, {999, {}, 0}) == Applied::Refused);
    CHECK(three.counts().malformed == 1);
}

TEST_CASE("keyed: tombstones go after their time, stubs so long after their ttl: the floor rises") {
    Store store = store_of("b");
    give(store, entry_bytes(entry_of("h", "a", 1000), 0x22, 1, 5));
    give(store, deletion_bytes("c", 0x32, 7, 6, deleted_of("g", "a")), 0, {500, {}, 0});
    CHECK(floor_of(store, 0x22) == 0);
    store.on_timeout(at(1000));
    CHECK(store.next_deadline() == at(kDayMs - 500));
    store.on_timeout(at(kDayMs - 501));
    CHECK(store.tombstone_count() == 2);
    store.on_timeout(at(kDayMs - 500));
    CHECK(store.tombstone_count() == 1);
    CHECK(floor_of(store, 0x22) == 0);
    CHECK(floor_of(store, 0x32) == 7);
    store.on_timeout(at(kDayMs + 999));
    CHECK(store.tombstone_count() == 1);
    store.on_timeout(at(kDayMs + 1000));
    CHECK(store.records() == 0);
    CHECK(store.counts().purged == 2);
    CHECK(floor_of(store, 0x22) == 1);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 1}});
    CHECK(give(store, entry_bytes(entry_of("h", "a", 1000), 0x22, 1, 5)) == Applied::Duplicate);
}

TEST_CASE("keyed: the quota deletes the own entry that is oldest by clock, in whatever stream") {
    Store store = store_of("a");
    const auto clock = std::uint64_t(kWallStart - 1000) << 16;
    // Of a former start, one of them before a jump of its clock.
    give(store, entry_bytes(entry_of("former", "a"), 0x72, 1, clock));
    give(store, entry_bytes(entry_of("foreign", "c"), 0x32, 1, 1));
    store.write_entry(now(10), entry_of("first", "a"), {});
    store.write_alert(now(11), {}, 0);
    store.write_entry(now(12), entry_of("second", "a"), {});
    store.write_entry(now(13), entry_of("third", "a"), {});
    CHECK(store.delete_own_surplus(now(20), 4) == nullptr);
    const HeldRecord* deleted = store.delete_own_surplus(now(20), 2);
    REQUIRE(deleted != nullptr);
    CHECK(deleted->record.registry->hash() == "former");
    CHECK(deleted->record.registry->is_deleted);
    store.write_entry(now(21), entry_of("first", "a"), {});
    deleted = store.delete_own_surplus(now(22), 2);
    REQUIRE(deleted != nullptr);
    CHECK(deleted->record.registry->hash() == "second");
    CHECK(store.delete_own_surplus(now(23), 2) == nullptr);
    CHECK(listed(store) == Names{"first/a", "foreign/c", "third/a"});
    // One of a former start that comes back later counts as well.
    give(store, entry_bytes(entry_of("late", "a"), 0x74, 5, clock + 1));
    deleted = store.delete_own_surplus(now(24), 2);
    REQUIRE(deleted != nullptr);
    CHECK(deleted->record.registry->hash() == "late");
}

TEST_CASE("keyed: the dimension of a type and space is that of its live entries") {
    Store store = store_of("b");
    CHECK(store.dimension("face", "model") == std::nullopt);
    give(store, entry_bytes(entry_of("plain", "a"), 0x22, 1, 1));
    CHECK(store.dimension("face", "") == std::nullopt);
    store.write_entry(now(0), embedded_of("h", "b", 8), embedding_of(8));
    CHECK(store.dimension("face", "model") == 8);
    CHECK(store.dimension("plate", "model") == std::nullopt);
    CHECK(store.dimension("face", "other") == std::nullopt);
    store.write_entry(now(1), embedded_of("h", "b", 16), embedding_of(16));
    CHECK(store.dimension("face", "model") == 16);
    // Two parts of a mesh chose differently: both agree on one afterwards.
    give(store, entry_bytes(embedded_of("g", "a", 4), 0x22, 2, 2));
    CHECK(store.dimension("face", "model") == 4);
    give(store, deletion_bytes("a", 0x22, 3, 3, deleted_of("g", "a")));
    CHECK(store.dimension("face", "model") == 16);
    store.write_entry(now(2), deleted_of("h", "b"), {});
    CHECK(store.dimension("face", "model") == std::nullopt);
}

TEST_CASE("keyed: entries are listed by hash, then owner, from anywhere, without dead ones") {
    Store store = store_of("b");
    give(store, entry_bytes(entry_of("m", "c"), 0x32, 1, 1));
    give(store, entry_bytes(entry_of("m", "a"), 0x22, 1, 1));
    give(store, entry_bytes(entry_of("z", "a"), 0x22, 2, 2));
    give(store, entry_bytes(entry_of("b", "c"), 0x32, 2, 2));
    give(store, entry_bytes(entry_of("n", "a"), 0x22, 3, 3));
    give(store, deletion_bytes("c", 0x32, 3, 4, deleted_of("n", "a")));
    give(store, deletion_bytes("c", 0x32, 4, 5, deleted_of("zz", "a")));
    CHECK(listed(store) == Names{"b/c", "m/a", "m/c", "z/a"});
    CHECK(store.entry_from("m", id("b"))->record.header.author == id("c"));
    CHECK(store.entry_from("n", NodeId())->record.registry->hash() == "z");
    CHECK(store.entry_after("m", id("c"))->record.registry->hash() == "z");
    CHECK(store.entry_after("z", id("a")) == nullptr);
    CHECK(store.entry_from("zz", NodeId()) == nullptr);
}

TEST_CASE("keyed: shared members are listed by key, without deleted ones") {
    Store store = store_of("b");
    store.write_shared(now(0), {"z", "1", false});
    give(store, shared_bytes("a", 0x22, 1, 1, "c", "2"));
    store.write_shared(now(1), {"m", "3", false});
    store.write_shared(now(2), {"m", "", true});
    const auto members = store.shared();
    REQUIRE(members.size() == 2);
    CHECK(members[0]->record.shared->key == "c");
    CHECK(members[1]->record.shared->key == "z");
    CHECK(store.shared("m") == nullptr);
    CHECK(store.shared_count() == 2);
    CHECK(store.tombstone_count() == 1);
}

TEST_CASE("keyed: the live hash is of what lasts, without tombstones and what has a ttl") {
    Store store = store_of("b");
    give(store, entry_bytes(entry_of("short", "a", 1000), 0x22, 1, 1));
    give(store, deletion_bytes("a", 0x22, 2, 2, deleted_of("x", "c")));
    give(store, shared_bytes("a", 0x22, 3, 3, "k", ""));
    CHECK(store.hashes().live == 0);
    const Buffer lasting = entry_bytes(entry_of("h", "a"), 0x22, 4, 4);
    const Buffer member = shared_bytes("a", 0x22, 5, 5, "m", "1");
    give(store, lasting);
    give(store, member);
    CHECK(store.hashes().live == (checksum64(lasting) ^ checksum64(member)));
}

TEST_CASE("keyed: an own alert is found by its dedupe key for as long as it is held") {
    Store store = store_of("b");
    AlertData data;
    data.dedupe_key = "door";
    data.ttl_ms = 1000;
    give(store, encode_alert_record(header_of(RecordKind::Alert, "a", 0x22, 1, 1), data));
    CHECK(store.own_alert_of("door") == nullptr);
    const HeldRecord& first = store.write_alert(now(0), data, 0);
    CHECK(store.own_alert_of("door") == &first);
    CHECK(store.own_alert_of("") == nullptr);
    const HeldRecord& second = store.write_alert(now(500), data, 0);
    CHECK(store.own_alert_of("door") == &second);
    store.on_timeout(at(1000));
    CHECK(store.own_alert_of("door") == &second);
    store.on_timeout(at(1500));
    CHECK(store.own_alert_of("door") == nullptr);
    CHECK(store.alert_count() == 0);
}

TEST_CASE("keyed: of an empty keyed stream the coverage stays, of others it leaves") {
    Store store = store_of("b");
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    give(store, shared_bytes("c", 0x32, 1, 2, "k", "2"));
    AlertData brief;
    brief.ttl_ms = 1000;
    give(store, encode_alert_record(header_of(RecordKind::Alert, "d", 0x42, 1, 1), brief));
    store.on_timeout(at(1000));
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, 1}});
    CHECK(covered(store, 0x42).empty());
    CHECK(give(store, shared_bytes("a", 0x22, 1, 1, "k", "1")) == Applied::Duplicate);
}

TEST_CASE("keyed: of too many empty streams those empty for longest are forgotten") {
    Store store = store_of("b");
    for (std::uint64_t i = 0; i <= limits::kClosedStreamsMax + 1; ++i) {
        give(store, shared_bytes("a", 0x1000 + i, 1, 1 + i, "k", "1"));
    }
    CHECK(store.counts().streams_forgotten == 1);
    CHECK(covered(store, 0x1000).empty());
    CHECK(covered(store, 0x1001) == std::vector<Interval>{{1, 1}});
    CHECK(store.records() == 1);
}
