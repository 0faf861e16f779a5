// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("store: a record is new once, then a duplicate") {
    Store store = store_of("b");
    const Buffer node = node_bytes("a", 0x21, 1, 100);
    const Provenance provenance{40, {id("a").short_id()}, 1000};
    const ApplyResult result = store.apply(at(5), node, 0, provenance);
    CHECK(result.outcome == Applied::New);
    REQUIRE(result.held != nullptr);
    CHECK(as_text(result.held->record.bytes) == as_text(node));
    CHECK(result.held->age_ms(at(15)) == 50);
    CHECK(result.held->report_ms(at(15)) == 990);
    CHECK(result.held->report_ms(at(2000)) == 0);
    CHECK(store.node_record(id("a")) == result.held);
    CHECK(store.nodes() == std::vector{id("a")});
    CHECK(store.apply(at(6), node, 0, provenance).outcome == Applied::Duplicate);
    CHECK(store.records() == 1);
    CHECK(store.bytes() == node.size());
}

TEST_CASE("store: an age that would overflow stays the greatest") {
    Store store = store_of("b");
    CHECK(give(store, node_bytes("a", 0x21, 1, 100), 0, {UINT64_MAX, {}, 0}) == Applied::New);
    CHECK(store.node_record(id("a"))->age_ms(at(1000)) == UINT64_MAX);
}

TEST_CASE("store: what a push says to be superseded is covered, and never applied") {
    Store store = store_of("b");
    CHECK(store.apply(at(0), state_bytes("a", 0x21, 9, 109), 4, {}).outcome == Applied::New);
    CHECK(covered(store, 0x21) == std::vector<Interval>{{5, 9}});
    CHECK(give(store, state_bytes("a", 0x21, 5, 105)) == Applied::Duplicate);
    CHECK(give(store, state_bytes("a", 0x21, 4, 104)) == Applied::Stale);
    CHECK(covered(store, 0x21) == std::vector<Interval>{{4, 9}});
}

TEST_CASE("store: a push that covers up to its own counter or beyond is refused") {
    Store store = store_of("b");
    CHECK(store.apply(at(0), node_bytes("a", 0x21, 3, 1), 3, {}).outcome == Applied::Refused);
    CHECK(store.apply(at(0), Buffer{1, 2, 3}, 0, {}).outcome == Applied::Refused);
    CHECK(store.counts().malformed == 2);
    CHECK(store.records() == 0);
}

TEST_CASE("store: of node and state the newest by clock is held, in any order") {
    for (const bool is_newest_first : {false, true}) {
        Store store = store_of("b");
        const Buffer old_node = node_bytes("a", 0x21, 1, 100);
        const Buffer old_state = state_bytes("a", 0x21, 2, 101, R"({"v":1})");
        const Buffer new_node = node_bytes("a", 0x21, 3, 102);
        const Buffer new_state = state_bytes("a", 0x21, 4, 103, R"({"v":2})");
        std::vector<Buffer> order = {old_node, old_state, new_node, new_state};
        if (is_newest_first) {
            std::swap(order[0], order[2]);
            std::swap(order[1], order[3]);
        }
        for (const Buffer& record : order) {
            give(store, record);
        }
        CHECK(as_text(store.node_record(id("a"))->record.bytes) == as_text(new_node));
        CHECK(as_text(store.state_record(id("a"))->record.bytes) == as_text(new_state));
        CHECK(store.records() == 2);
        CHECK(covered(store, 0x21) == std::vector<Interval>{{1, 4}});
        CHECK(store.hashes() == hashes_from_scratch(store, {id("a")}));
    }
}

TEST_CASE("store: a newer start retires the former volatile stream") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 100));
    give(store, state_bytes("a", 0x21, 2, 101));
    give(store, alert_bytes("a", 0x22, 1, 102));
    CHECK(give(store, node_bytes("a", 0x31, 1, 200)) == Applied::New);
    CHECK(store.state_record(id("a")) == nullptr);
    CHECK(covered(store, 0x21).empty());
    CHECK(store.digest().size() == 2);
    CHECK(store.alert_count() == 1);
    // Late ones of the former start neither return nor cover anything.
    CHECK(give(store, state_bytes("a", 0x21, 2, 101)) == Applied::Stale);
    CHECK(give(store, state_bytes("a", 0x21, 3, 150)) == Applied::Stale);
    CHECK(give(store, node_bytes("a", 0x21, 4, 151)) == Applied::Stale);
    CHECK(store.digest().size() == 2);
    CHECK(store.hashes() == hashes_from_scratch(store, {id("a")}));
}

TEST_CASE(
    "store: a former start's records are not fetched again, those after a set-back clock are") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x31, 1, 200));
    give(store, node_bytes("a", 0x21, 1, 100));
    CHECK(store.missing({{StreamId{0x21}, id("a"), {{1, 1}}}}).empty());
    // The start that looked older learns of it and writes past the other.
    const auto more = store.missing({{StreamId{0x21}, id("a"), {{1, 3}}}});
    REQUIRE(more.size() == 1);
    CHECK(more[0].intervals == std::vector<Interval>{{1, 3}});
    CHECK(give(store, node_bytes("a", 0x21, 3, 201)) == Applied::New);
    CHECK(covered(store, 0x31).empty());
    // From now on its earlier records count again.
    CHECK(give(store, state_bytes("a", 0x21, 2, 101)) == Applied::New);
    CHECK(store.missing({{StreamId{0x21}, id("a"), {{1, 3}}}}).size() == 1);
}

TEST_CASE("store: a state that arrives before the node record of its start is kept") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 100));
    give(store, state_bytes("a", 0x21, 2, 101, R"({"start":1})"));
    const Buffer early = state_bytes("a", 0x31, 2, 201, R"({"start":2})");
    CHECK(give(store, early) == Applied::New);
    CHECK(as_text(store.state_record(id("a"))->record.bytes) == as_text(early));
    CHECK(give(store, node_bytes("a", 0x31, 1, 200)) == Applied::New);
    CHECK(as_text(store.state_record(id("a"))->record.bytes) == as_text(early));
    CHECK(covered(store, 0x31) == std::vector<Interval>{{1, 2}});
    CHECK(covered(store, 0x21).empty());
    CHECK(store.records() == 2);
}

TEST_CASE("store: a state without node record leaves when the node record has another stream") {
    Store store = store_of("b");
    CHECK(give(store, state_bytes("a", 0x21, 2, 101)) == Applied::New);
    CHECK(store.nodes().empty());
    CHECK(give(store, node_bytes("a", 0x31, 1, 200)) == Applied::New);
    CHECK(store.state_record(id("a")) == nullptr);
    CHECK(covered(store, 0x21).empty());
}

TEST_CASE("store: one node cannot take many streams") {
    Store store = store_of("b");
    for (std::uint64_t i = 0; i < Store::kVolatileStreamsMax; ++i) {
        CHECK(give(store, state_bytes("a", 0x100 + 16 * i, 2, 100 + i)) == Applied::New);
    }
    CHECK(give(store, state_bytes("a", 0x200, 2, 99)) == Applied::Refused);
    CHECK(store.counts().streams_full == 1);
    CHECK(store.streams_refused() == 1);
    CHECK(give(store, node_bytes("a", 0x200, 1, 500)) == Applied::New);
    CHECK(store.records() == 1);
}

TEST_CASE("store: authors beyond the limit are refused and not asked for") {
    Store store = store_of("b");
    for (std::uint64_t i = 0; i < limits::kNodesMax; ++i) {
        give(store, node_bytes("n" + std::to_string(i), 0x1000 + 2 * i, 1, 1));
    }
    CHECK(store.nodes().size() == limits::kNodesMax);
    CHECK(give(store, node_bytes("one-more", 0x21, 1, 1)) == Applied::Refused);
    CHECK(store.counts().nodes_full == 1);
    CHECK(store.missing({{StreamId{0x21}, id("one-more"), {{1, 1}}}}).empty());
    CHECK(store.missing({{StreamId{0x1000}, id("n0"), {{1, 2}}}}).size() == 1);
}

TEST_CASE("store: streams beyond the limit are refused and not asked for") {
    Store store = store_of("b");
    for (std::uint64_t i = 0; i < limits::kStreamsMax; ++i) {
        give(store, alert_bytes("n" + std::to_string(i % 16), 0x1000 + i, 1, 1 + i));
    }
    CHECK(store.digest().size() == limits::kStreamsMax);
    CHECK(give(store, alert_bytes("n0", 0x21, 1, 1)) == Applied::Refused);
    CHECK(store.counts().streams_full == 1);
    CHECK(store.missing({{StreamId{0x21}, id("n0"), {{1, 1}}}}).empty());
    CHECK(give(store, alert_bytes("n0", 0x1000, 2, 1)) == Applied::New);
}

TEST_CASE("store: a stream belongs to the author and the use of its first record") {
    Store store = store_of("b");
    give(store, node_bytes("a", 0x21, 1, 100));
    CHECK(give(store, node_bytes("c", 0x21, 2, 100)) == Applied::Refused);
    CHECK(give(store, alert_bytes("a", 0x21, 2, 100)) == Applied::Refused);
    CHECK(store.counts().foreign_stream == 2);
    CHECK(store.missing({{StreamId{0x21}, id("c"), {{1, 9}}}}).empty());
    store.cover({StreamId{0x21}, id("c"), {{1, 9}}});
    CHECK(covered(store, 0x21) == std::vector<Interval>{{1, 1}});
}

TEST_CASE("store: kinds of later versions are kept, covered and handed on, up to a limit") {
    Store store = store_of("b");
    CHECK(give(store, other_bytes("poll", "a", 0x22, 1)) == Applied::New);
    CHECK(give(store, other_bytes("vote", "a", 0x22, 2)) == Applied::New);
    CHECK(give(store, other_bytes("vote", "a", 0x22, 2)) == Applied::Duplicate);
    CHECK(store.hashes().live == 0);
    Store other = store_of("c", 0x31, 0x32);
    CHECK(pull_all(other, store, 0) == 2);
    CHECK(other.hashes() == store.hashes());
    for (std::uint64_t i = 3; i <= Store::kOpaqueRecordsMax; ++i) {
        give(store, other_bytes("vote", "a", 0x22, i));
    }
    CHECK(store.counts().refused() == 0);
    CHECK(give(store, other_bytes("vote", "a", 0x22, 9000)) == Applied::Refused);
    CHECK(store.counts().opaque_full == 1);
    CHECK(covered(store, 0x22) == std::vector<Interval>{{1, Store::kOpaqueRecordsMax}});
}

TEST_CASE("store: kinds of later versions are kept up to so many bytes") {
    Store store = store_of("b");
    std::uint64_t counter = 0;
    while (give(store, other_bytes("vote", "a", 0x22, ++counter, 60'000)) == Applied::New) {
    }
    CHECK(store.counts().opaque_full == 1);
    CHECK(store.bytes() <= Store::kOpaqueBytesMax);
    CHECK(store.bytes() > Store::kOpaqueBytesMax - 70'000);
}

TEST_CASE("store: what was held and lost its interval for want of room is not new again") {
    Store store = store_of("b");
    for (std::uint64_t i = 0; i <= limits::kIntervalsMax; ++i) {
        CHECK(give(store, alert_bytes("a", 0x22, 1 + 2 * i, 1 + i)) == Applied::New);
    }
    CHECK(covered(store, 0x22).front() == Interval{3, 3});
    CHECK(give(store, alert_bytes("a", 0x22, 1, 1)) == Applied::Duplicate);
    CHECK(store.alert_count() == limits::kIntervalsMax + 1);
    CHECK(store.hashes() == hashes_from_scratch(store, {}));
}

TEST_CASE("store: state records are kept up to so many bytes, node records always") {
    Store store = store_of("b");
    const std::string big = R"({"a":")" + std::string(60'000, 'x') + R"("})";
    std::uint64_t stream = 0x1000;
    const auto state = [&](std::uint64_t of, std::uint64_t counter) {
        return state_bytes("n" + std::to_string(of), of, counter, counter, big);
    };
    while (give(store, state(stream, 1)) == Applied::New) {
        stream += 2;
    }
    CHECK(store.counts().states_full == 1);
    CHECK(store.counts().refused() == 1);
    CHECK(store.bytes() <= Store::kStateBytesMax);
    CHECK(store.bytes() > Store::kStateBytesMax - 61'000);
    CHECK(covered(store, stream).empty());
    // A newer one takes the place of the former, and may also be longer where others are shorter.
    CHECK(give(store, state(0x1000, 2)) == Applied::New);
    CHECK(give(store, state_bytes("n4096", 0x1000, 3, 3)) == Applied::New);
    CHECK(give(store, state(stream, 1)) == Applied::New);
    CHECK(give(store, state(0x1000, 4)) == Applied::Refused);
    CHECK(store.state_record(id("n4096"))->record.header.counter == 3);
    CHECK(give(store, node_bytes("late", 0x21, 1, 1)) == Applied::New);
    CHECK(give(store, node_bytes("n4098", 0x1002 + 0x100000, 1, 9)) == Applied::New);  // retires
    CHECK(give(store, state(0x1000, 4)) == Applied::New);
    // Own ones always have room.
    store.write_node(now(0), node_data());
    CHECK(store.write_state(now(0), {Activity::Active, big}).record.header.counter == 2);
    CHECK(store.bytes() <= Store::kVolatileBytesMax);
}
