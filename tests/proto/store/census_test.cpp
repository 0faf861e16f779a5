// SPDX-License-Identifier: Apache-2.0
// Who was away longer than tombstones live: floors, and the comparison of all that is live.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/store/keyed_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Names = std::vector<std::string>;

constexpr std::int64_t kDayMs = 24 * 3600 * 1000;
constexpr std::uint32_t kAllBuckets = 0xffffffff;

/// a wrote the entries "dead" and "kept" and went; c deleted the first and purged the tombstone.
struct Away {
    Store a = store_of("a", 0x21, 0x22);
    Store c = store_of("c", 0x31, 0x32);
    std::int64_t ms = 0;

    Away() {
        a.write_entry(now(0), entry_of("dead", "a"), {});
        a.write_entry(now(1), entry_of("kept", "a"), {});
        a.write_alert(now(2), {}, 0);
        repair(c, a, 3);
        c.write_shared(now(4), {"k", "1", false});
        repair(a, c, 5);
    }
    void purge() {
        c.write_entry(now(6), deleted_of("dead", "a"), {});
        ms = kDayMs + 7;
        c.on_timeout(at(ms));
        REQUIRE(c.tombstone_count() == 0);
        REQUIRE(floor_of(c, 0x32) == 2);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Away, "census: who saw the tombstone is not behind when it is purged") {
    c.write_entry(now(6), deleted_of("dead", "a"), {});
    repair(a, c, 7);
    CHECK(listed(a) == Names{"kept/a"});
    a.on_timeout(at(kDayMs + 100));
    CHECK_FALSE(a.is_behind(c.digest()));
    CHECK_FALSE(c.is_behind(a.digest()));
    CHECK_FALSE(c.is_ahead_of(a.digest(), kAllBuckets));
    c.on_timeout(at(kDayMs + 100));
    CHECK_FALSE(a.is_behind(c.digest()));
    CHECK_FALSE(c.is_behind(a.digest()));
    CHECK(a.hashes() == c.hashes());
}

TEST_CASE_FIXTURE(Away, "census: who lacks what is below a floor is behind, and the other ahead") {
    CHECK_FALSE(a.is_behind(c.digest()));
    purge();
    CHECK(a.is_behind(c.digest()));
    CHECK(c.is_ahead_of(a.digest(), kAllBuckets));
    CHECK_FALSE(c.is_behind(a.digest()));
    CHECK_FALSE(a.is_ahead_of(c.digest(), kAllBuckets));
    // Of buckets that a digest leaves out it says nothing.
    CHECK_FALSE(c.is_ahead_of({}, kAllBuckets & ~(1U << digest_bucket(StreamId{0x32}))));
    CHECK(c.is_ahead_of({}, kAllBuckets));
}

TEST_CASE_FIXTURE(Away, "census: what was deleted meanwhile goes, in the own stream too") {
    purge();
    a.take_changes(at(ms), ms, 100);
    CHECK(take_census(a, c) == Names{"dead"});
    CHECK(listed(a) == Names{"kept/a"});
    CHECK(a.counts().found_dead == 1);
    CHECK_FALSE(a.is_behind(c.digest()));
    pull_all(a, c, ms);
    pull_all(c, a, ms);
    CHECK(listed(c) == Names{"kept/a"});
    CHECK(a.hashes() == c.hashes());
    // It is gone from the disk as well.
    const auto changes = a.take_changes(at(ms), ms, 100);
    CHECK(std::any_of(changes.records.begin(), changes.records.end(), [](const StoredRecord& r) {
        return r.stream == StreamId{0x22} && r.counter == 1 && Bytes(r.bytes).empty();
    }));
}

TEST_CASE_FIXTURE(Away, "census: alerts are no part of it") {
    purge();
    // a's clock stood still: its alert lives here, and has expired there.
    CHECK(c.alert_count() == 0);
    take_census(a, c);
    CHECK(a.alert_count() == 1);
}

TEST_CASE_FIXTURE(Away, "census: what only the returning box has stays, and is offered") {
    a.write_entry(now(10), entry_of("new", "a"), {});
    a.write_shared(now(11), {"new", "1", false});
    purge();
    CHECK(repair(a, c, ms) == Names{"dead"});
    CHECK(listed(a) == Names{"kept/a", "new/a"});
    CHECK(a.shared("new") != nullptr);
    CHECK(repair(c, a, ms).empty());
    CHECK(listed(c) == Names{"kept/a", "new/a"});
    CHECK(c.shared("new") != nullptr);
    CHECK(a.hashes() == c.hashes());
}

TEST_CASE_FIXTURE(Away, "census: a box that came back first does not bring what a third one kept") {
    Store d = store_of("d", 0x41, 0x42);
    repair(d, a, 5);
    repair(d, c, 5);
    d.write_entry(now(6), entry_of("of d", "d"), {});
    purge();
    CHECK(repair(a, c, ms) == Names{"dead"});
    // d was away as well: what it offers is not taken before it has compared.
    CHECK(a.is_ahead_of(d.digest(), kAllBuckets));
    CHECK(a.missing(d.digest()).size() == 1);
    CHECK(repair(a, d, ms).empty());
    CHECK(listed(a) == Names{"kept/a"});
    CHECK(repair(d, a, ms) == Names{"dead"});
    CHECK(repair(a, d, ms).empty());
    CHECK(repair(c, a, ms).empty());
    for (const Store* store : {&a, &c, &d}) {
        CHECK(listed(*store) == Names{"kept/a", "of d/d"});
        CHECK(store->hashes() == a.hashes());
    }
}

TEST_CASE_FIXTURE(Away, "census: a third box that never saw the deleter learns it by the second") {
    Store d = store_of("d", 0x41, 0x42);
    repair(d, a, 5);
    purge();
    // c is gone for good; e has what c had.
    Store e = store_of("e", 0x51, 0x52);
    repair(e, c, ms);
    CHECK(floor_of(e, 0x32) == 2);
    CHECK(repair(d, e, ms) == Names{"dead"});
    CHECK(listed(d) == Names{"kept/a"});
    CHECK(repair(e, d, ms).empty());
    CHECK(listed(e) == Names{"kept/a"});
}

TEST_CASE_FIXTURE(Away, "census: who holds nothing of the kind has no floor before it compared") {
    purge();
    Store e = store_of("e", 0x51, 0x52);
    e.write_alert(now(0), {}, 0);
    CHECK(e.is_behind(c.digest()));
    CHECK(floor_of(e, 0x32) == std::nullopt);
    CHECK(c.is_ahead_of(e.digest(), kAllBuckets));
    repair(e, c, ms);
    CHECK(floor_of(e, 0x32) == 2);
    CHECK(listed(e) == Names{"kept/a"});
}

TEST_CASE_FIXTURE(Away, "census: that of a fresh box tells what is dead before its answers came") {
    purge();
    Store e = store_of("e", 0x51, 0x52);
    if (e.is_behind(c.digest())) {
        take_census(e, c);
    }
    CHECK_FALSE(e.is_behind(c.digest()));
    // Its pull is under way when one comes back that holds what c deleted.
    CHECK(repair(a, e, ms) == Names{"dead"});
    repair(e, a, ms);
    repair(e, c, ms);
    repair(a, c, ms);
    for (const Store* store : {&a, &c, &e}) {
        CHECK(listed(*store) == Names{"kept/a"});
        CHECK(store->hashes() == a.hashes());
    }
}

TEST_CASE_FIXTURE(Away, "census: a push or answer on the way does not hide that one is behind") {
    purge();
    const HeldRecord& later = c.write_shared(now(ms + 1), {"k", "2", false});
    a.apply(at(ms + 2), bytes_of(later), c.covers_after(later.record.header), {});
    CHECK(a.is_behind(c.digest()));
    // An answer to a pull that was sent before.
    const Pull pull{{{StreamId{0x32}, id("c"), {{1, 9}}}}};
    for (const Delta& delta : c.deltas(at(ms + 2), pull, 7)) {
        a.apply_delta(at(ms + 2), delta, [](const DeltaRecord&, const ApplyResult&, RecordKind) {});
    }
    CHECK(a.is_behind(c.digest()));
    CHECK(repair(a, c, ms + 3) == Names{"dead"});
    CHECK(repair(c, a, ms + 3).empty());
    CHECK(a.hashes() == c.hashes());
}

TEST_CASE("census: lists keyed streams with what is live of them, alerts among it") {
    Store store = store_of("b");
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    give(store, shared_bytes("a", 0x22, 2, 2, "m", "1"));
    give(store, shared_bytes("a", 0x22, 3, 3, "k", "2"));
    give(store, alert_bytes("a", 0x22, 4, 4));
    give(store, alert_bytes("c", 0x32, 1, 1));
    const auto census = store.census();
    REQUIRE(census.size() == 1);
    CHECK(census[0].covered.stream == StreamId{0x22});
    CHECK(census[0].covered.author == id("a"));
    CHECK(census[0].covered.floor == 0);
    CHECK(census[0].covered.intervals == std::vector<Interval>{{1, 4}});
    CHECK(census[0].live == std::vector<Interval>{{2, 4}});
}

TEST_CASE("census: what is live elsewhere and lost here is fetched again") {
    Store whole = store_of("x", 0x91, 0x92);
    Store lossy = store_of("y", 0x93, 0x94);
    for (std::uint64_t i = 1; i <= 5; ++i) {
        const Buffer record = entry_bytes(entry_of("h" + std::to_string(i), "a"), 0x22, i, i);
        give(whole, record);
        if (i % 2 == 1) {
            give(lossy, record);
        }
    }
    lossy.cover({StreamId{0x22}, id("a"), {{1, 5}}, 0});
    REQUIRE(lossy.hashes().coverage == whole.hashes().coverage);
    REQUIRE(lossy.missing(whole.digest()).empty());
    std::vector<Record> dead;
    lossy.apply_census(whole.census(), false, dead);
    CHECK(dead.empty());
    CHECK(lossy.counts().found_lost == 2);
    const auto missing = lossy.missing(whole.digest());
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].intervals == std::vector<Interval>{{2, 2}, {4, 4}});
    CHECK(pull_all(lossy, whole, 0) == 2);
    CHECK(lossy.hashes() == whole.hashes());
    // Of what is equal nothing is uncovered.
    lossy.apply_census(whole.census(), false, dead);
    whole.apply_census(lossy.census(), false, dead);
    CHECK(lossy.missing(whole.digest()).empty());
    CHECK(whole.missing(lossy.digest()).empty());
}

TEST_CASE("census: a tombstone or alert dropped here does not come back as lost") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    for (Store* store : {&one, &two}) {
        give(*store, deletion_bytes("a", 0x22, 1, 1, deleted_of("h", "a")));
        give(*store, shared_bytes("a", 0x22, 3, 3, "k", "1"));
    }
    // One took the alert, the other has dropped it; so with a tombstone whose floor is not here.
    give(one, alert_bytes("a", 0x22, 2, 2));
    give(one, deletion_bytes("a", 0x22, 4, 4, deleted_of("g", "a")));
    two.cover({StreamId{0x22}, id("a"), {{1, 4}}, 0});
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(two.missing(one.digest()).size() == 1);
    CHECK(pull_all(two, one, 0) == 0);
    CHECK(two.missing(one.digest()).empty());
    CHECK(two.alert_count() == 0);
    CHECK(two.hashes().coverage == one.hashes().coverage);
}

TEST_CASE("census: a tombstone that was covered before it came ends what it deletes after all") {
    // y learned from a box that hides both that the deletion counts for nothing.
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    const Buffer tombstone = deletion_bytes("a", 0x22, 2, 2, deleted_of("h", "a"));
    for (Store* store : {&one, &two}) {
        give(*store, entry_bytes(entry_of("h", "a"), 0x22, 1, 1));
    }
    give(one, tombstone);
    two.cover({StreamId{0x22}, id("a"), {{1, 2}}, 0});
    REQUIRE(two.hashes().coverage == one.hashes().coverage);
    REQUIRE(listed(two) == Names{"h/a"});
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(pull_all(two, one, 0) == 1);
    CHECK(listed(two).empty());
    CHECK(two.hashes() == one.hashes());
    two.on_timeout(at(kDayMs));
    one.on_timeout(at(kDayMs));
    CHECK(floor_of(two, 0x22) == 2);
    CHECK(two.hashes() == one.hashes());
}

TEST_CASE("census: a purged tombstone in doubt ends nothing that was written since") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    for (Store* store : {&one, &two}) {
        give(*store, deletion_bytes("a", 0x22, 1, 9, deleted_of("h", "a")));
    }
    two.on_timeout(at(kDayMs));
    REQUIRE(floor_of(two, 0x22) == 1);
    // By a clock that is behind the tombstone's.
    two.apply(at(kDayMs), entry_bytes(entry_of("h", "a"), 0x32, 1, 5), 0, {});
    REQUIRE(listed(two) == Names{"h/a"});
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(pull_all(two, one, kDayMs) == 0);
    CHECK(listed(two) == Names{"h/a"});
}

TEST_CASE("census: all that is dead below a floor is known, however scattered what lives") {
    // x wrote many entries and deleted every second one.
    constexpr std::uint64_t kEntries = 4 * limits::kMessageIntervalsMax;
    Store one = store_of("x", 0x91, 0x92);
    Store away = store_of("y", 0x93, 0x94);
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
        one.write_entry(now(0), entry_of("h" + std::to_string(i), "x"), {});
    }
    pull_all(away, one, 1);
    REQUIRE(listed(away).size() == kEntries);
    for (std::uint64_t i = 1; i <= kEntries; i += 2) {
        one.write_entry(now(2), deleted_of("h" + std::to_string(i), "x"), {});
    }
    const std::int64_t ms = kDayMs + 3;
    one.on_timeout(at(ms));
    REQUIRE(one.tombstone_count() == 0);
    // A fresh box knows what is dead before anything else has come.
    Store fresh = store_of("z", 0x95, 0x96);
    take_census(fresh, one);
    CHECK(floor_of(fresh, 0x92) == floor_of(one, 0x92));
    CHECK(take_census(away, fresh).size() == kEntries / 2);
    CHECK(listed(away).size() == kEntries / 2);
    repair(fresh, one, ms);
    repair(away, one, ms);
    repair(fresh, away, ms);
    for (const Store* store : {&fresh, &away}) {
        CHECK(listed(*store) == listed(one));
        CHECK(store->hashes() == one.hashes());
    }
}

TEST_CASE("census: of many tombstones that are due at once, each turn purges some") {
    Store store = store_of("x", 0x91, 0x92);
    for (std::size_t i = 0; i < Store::kDuePerTurn + 1; ++i) {
        store.write_entry(now(0), entry_of("h" + std::to_string(i), "x"), {});
        store.write_entry(now(0), deleted_of("h" + std::to_string(i), "x"), {});
    }
    store.on_timeout(at(kDayMs));
    CHECK(store.tombstone_count() == 1);
    REQUIRE(store.next_deadline());
    CHECK(*store.next_deadline() <= at(kDayMs));
    store.on_timeout(at(kDayMs));
    CHECK(store.tombstone_count() == 0);
}

TEST_CASE("census: what lives among much that is dead is fetched by one pull that goes on") {
    constexpr std::uint64_t kEntries = 8 * limits::kMessageIntervalsMax;
    Store one = store_of("x", 0x91, 0x92);
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
        one.write_entry(now(0), entry_of("h" + std::to_string(i), "x"), {});
        one.write_entry(now(0), deleted_of("gone", "x"), {});
        one.write_entry(now(0), entry_of("gone", "x"), {});
    }
    one.write_entry(now(0), deleted_of("gone", "x"), {});
    const std::int64_t ms = kDayMs + 3;
    one.on_timeout(at(ms));
    REQUIRE(one.tombstone_count() == 0);
    Store fresh = store_of("z", 0x95, 0x96);
    take_census(fresh, one);
    std::vector<StreamIntervals> wants = fresh.missing(one.digest());
    REQUIRE(wants.size() == 1);
    CHECK(wants[0].intervals.size() == 1);
    for (std::size_t pulls = 0; pulls < kEntries && !wants.empty(); ++pulls) {
        for (const Delta& delta : one.deltas(at(ms), Pull{wants}, 7)) {
            Delta taken = delta;
            fresh.apply_delta(at(ms), taken,
                              [](const DeltaRecord&, const ApplyResult&, RecordKind) {});
        }
        wants = fresh.missing(wants);
    }
    CHECK(listed(fresh) == listed(one));
    CHECK(fresh.hashes() == one.hashes());
}

TEST_CASE("census: a purged tombstone's knowledge outlasts gaps in what is newer") {
    Store one = store_of("x", 0x91, 0x92);
    give(one, entry_bytes(entry_of("h", "a"), 0x22, 1, 1));
    give(one, deletion_bytes("a", 0x22, 2, 2, deleted_of("h", "a")));
    one.on_timeout(at(kDayMs));
    REQUIRE(floor_of(one, 0x22) == 2);
    for (std::uint64_t i = 1; i <= 2 * limits::kIntervalsMax; ++i) {
        const Buffer later = shared_bytes("a", 0x22, 10 + 2 * i, 9 + i, "k", "1");
        one.apply(at(kDayMs), later, 9 + 2 * i, {});
    }
    CHECK(covered(one, 0x22).front() == Interval{1, 2});
    CHECK(covered(one, 0x22).size() == 1 + limits::kIntervalsMax);
}

TEST_CASE("census: a tombstone purged here does not come back from where it is held still") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    for (Store* store : {&one, &two}) {
        give(*store, deletion_bytes("a", 0x22, 1, 1, deleted_of("h", "a")));
    }
    two.on_timeout(at(kDayMs));
    REQUIRE(floor_of(two, 0x22) == 1);
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(pull_all(two, one, kDayMs) == 0);
    CHECK(two.tombstone_count() == 0);
    CHECK(two.missing(one.digest()).empty());
    CHECK_FALSE(two.is_behind(one.digest()));
    CHECK_FALSE(one.is_ahead_of(two.digest(), kAllBuckets));
}

TEST_CASE("census: an entry that expired here does not come back from a disk that was set back") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    const Buffer entry = entry_bytes(entry_of("h", "a", 1000), 0x22, 1, 1);
    give(two, entry);
    two.on_timeout(at(1000));
    two.on_timeout(at(2 * kDayMs));
    REQUIRE(two.tombstone_count() == 0);
    REQUIRE(floor_of(two, 0x22) == 1);
    one.apply(at(2 * kDayMs), entry, 0, {});
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(pull_all(two, one, 2 * kDayMs) == 0);
    CHECK(listed(two).empty());
    CHECK(two.missing(one.digest()).empty());
}

TEST_CASE("census: what a purged tombstone hid comes back, at or below the floor too") {
    // y comes back with a tombstone that x has purged, and hides what was written since by a clock
    // behind it. Then its own is purged, and a later one of the stream that was hidden from.
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    const Buffer tombstone = deletion_bytes("c", 0x32, 1, 9, deleted_of("h", "a"));
    give(two, tombstone);
    for (Store* store : {&one, &two}) {
        give(*store, entry_bytes(entry_of("h", "a"), 0x22, 1, 5));
        give(*store, deletion_bytes("a", 0x22, 2, 6, deleted_of("other", "a")));
    }
    one.cover({StreamId{0x32}, id("c"), {{1, 1}}, 0});
    REQUIRE(listed(one) == Names{"h/a"});
    REQUIRE(listed(two).empty());
    one.on_timeout(at(kDayMs));
    two.on_timeout(at(kDayMs));
    REQUIRE(two.tombstone_count() == 0);
    REQUIRE(floor_of(two, 0x22) == 2);
    REQUIRE(two.hashes().coverage == one.hashes().coverage);
    REQUIRE(two.hashes().live != one.hashes().live);
    std::vector<Record> dead;
    two.apply_census(one.census(), false, dead);
    CHECK(pull_all(two, one, kDayMs) == 1);
    CHECK(listed(two) == Names{"h/a"});
    CHECK(two.hashes() == one.hashes());
}

TEST_CASE("census: however much was in doubt before, what is dead here stays so") {
    Store one = store_of("x", 0x91, 0x92);
    Store two = store_of("y", 0x93, 0x94);
    constexpr std::uint64_t kRecords = 200;
    for (std::uint64_t i = 1; i <= kRecords; i += 2) {
        give(one, deletion_bytes("a", 0x22, i, i, deleted_of("h" + std::to_string(i), "a")));
    }
    for (Store* store : {&one, &two}) {
        store->cover({StreamId{0x22}, id("a"), {{1, kRecords}}, 0});
    }
    std::vector<Record> dead;
    for (int i = 0; i < 3; ++i) {
        two.apply_census(one.census(), false, dead);
        CHECK(pull_all(two, one, 0) == 0);
    }
    CHECK(two.tombstone_count() == 0);
}

TEST_CASE("census: one of endless intervals costs no more than what is held") {
    for (const bool is_behind : {true, false}) {
        Store store = store_of("b");
        store.write_shared(now(0), {"own", "1", false});
        give(store, shared_bytes("a", 0x22, 5, 1, "k", "1"));
        give(store, alert_bytes("a", 0x22, 6, 2));
        std::vector<Record> dead;
        const Interval all{1, limits::kCounterMax};
        store.apply_census({{{StreamId{0x22}, id("a"), {all}, limits::kCounterMax}, {all}},
                            {{StreamId{0x12}, id("b"), {all}, 0}, {all}},
                            {{StreamId{0x77}, id("d"), {all}, 0}, {{3, 3}}}},
                           is_behind, dead);
        CHECK(dead.empty());
        CHECK(store.shared_count() == 2);
        CHECK(store.alert_count() == 1);
        CHECK(covered(store, 0x22) == std::vector<Interval>{{5, 6}});
        CHECK(covered(store, 0x12) == std::vector<Interval>{{1, 1}});
        CHECK_FALSE(store.own_stream_overtaken());
    }
}

TEST_CASE("census: of a stream that is held as another author's nothing is believed") {
    Store store = store_of("b");
    store.write_shared(now(0), {"own", "1", false});
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    std::vector<Record> dead;
    const Interval all{1, limits::kCounterMax};
    const std::vector<CensusStream> lies = {{{StreamId{0x22}, id("c"), {all}, 9}, {}},
                                            {{StreamId{0x12}, id("c"), {all}, 9}, {}}};
    const DigestHashes before = store.hashes();
    store.apply_census(lies, true, dead);
    store.adopt_floors({lies[0].covered, lies[1].covered});
    CHECK(dead.empty());
    CHECK(store.shared_count() == 2);
    CHECK(store.hashes() == before);
    CHECK(floor_of(store, 0x22) == 0);
    CHECK(floor_of(store, 0x12) == 0);
}

TEST_CASE("census: unknown streams open as far as there is room") {
    Store store = store_of("b");
    give(store, shared_bytes("a", 0x22, 1, 1, "k", "1"));
    std::vector<CensusStream> many;
    for (std::uint64_t i = 0; i < limits::kStreamsMax + 10; ++i) {
        many.push_back({{StreamId{0x1000 + i}, id("c"), {{1, 2}}, 2}, {}});
    }
    std::vector<Record> dead;
    store.apply_census(many, true, dead);
    CHECK(store.digest().size() <= limits::kClosedStreamsMax + 1);
    CHECK(store.shared_count() == 1);
}
