// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("own records: counters rise by one, clocks rise, the former is replaced") {
    Store store = store_of("a");
    NodeData data = node_data(0x99, 0x98);
    data.links = {{id("c"), 1}, {id("a"), 0}, {id("b"), 0}};
    const Record first = copy_of(store.write_node(now(0), data));
    CHECK(first.header.counter == 1);
    CHECK(store.node_record(id("a"))->covers_after() == 0);
    CHECK(first.node->volatile_stream.value == 0x11);
    CHECK(first.node->durable_stream.value == 0x12);
    CHECK(first.node->links == std::vector<LinkClaim>{{id("b"), 0}, {id("c"), 1}});
    const Record state = copy_of(store.write_state(now(0), {}));
    const Record second = copy_of(store.write_node(now(0, -5000), data));
    CHECK(second.header.counter == 3);
    CHECK(state.header.clock > first.header.clock);
    CHECK(second.header.clock > state.header.clock);
    CHECK(store.records() == 2);
    CHECK(covered(store, 0x11) == std::vector<Interval>{{1, 3}});
    CHECK(store.hashes() == hashes_from_scratch(store, {id("a")}));
}

TEST_CASE("own records: too many addresses are left out") {
    Store store = store_of("a");
    NodeData data = node_data();
    data.addresses.assign(limits::kAddressesMax + 3, ipv4_endpoint({10, 0, 0, 1}, 9999));
    CHECK(store.write_node(now(0), data).record.node->addresses.size() == limits::kAddressesMax);
}

TEST_CASE("own records: a push covers what it supersedes, back to the live one before it") {
    Store store = store_of("a");
    store.write_node(now(0), node_data());
    store.write_state(now(1), {});
    store.write_state(now(2), {});
    const Record state = copy_of(store.write_state(now(3), {}));
    CHECK(state.header.counter == 4);
    CHECK(store.covers_after(state.header) == 1);
    const Record node = copy_of(store.write_node(now(4), node_data()));
    CHECK(store.covers_after(node.header) == 4);
    Store other = store_of("b", 0x21, 0x22);
    CHECK(other.apply(at(5), state.bytes, 1, {}).outcome == Applied::New);
    CHECK(covered(other, 0x11) == std::vector<Interval>{{2, 4}});
}

TEST_CASE("own records: node records publish the lowest live alerts") {
    Store store = store_of("a");
    CHECK(store.own_alert_floors() == std::pair<std::uint64_t, std::uint64_t>{1, 1});
    store.write_alert(now(0), {Priority::Critical, 0, "{}"}, 0);
    store.write_alert(now(0), {Priority::Normal, 0, "{}"}, 0);
    CHECK(store.own_alert_floors() == std::pair<std::uint64_t, std::uint64_t>{2, 1});
    store.write_alert(now(1000), {Priority::Normal, 0, "{}"}, 0);
    store.on_timeout(at(limits::kAlertAgeMsMax));
    CHECK(store.own_alert_floors() == std::pair<std::uint64_t, std::uint64_t>{3, 4});
    const NodeData data = *store.write_node(now(limits::kAlertAgeMsMax), {node_data()}).record.node;
    CHECK(data.alert_floor == 3);
    CHECK(data.critical_floor == 4);
}

TEST_CASE("own records: what others claim beyond an own counter opens new streams") {
    Store store = store_of("a");
    store.write_node(now(0), node_data());
    store.write_state(now(0), {Activity::Idle, R"({"x":1})"});
    store.write_alert(now(0), {}, 0);
    CHECK(give(store, node_bytes("a", 0x11, 1, 1)) == Applied::Duplicate);
    CHECK_FALSE(store.own_stream_overtaken());
    const std::uint64_t ahead = std::uint64_t(kWallStart + 60'000) << 16;
    const Buffer claimed = node_bytes("a", 0x11, 3, ahead);
    CHECK(give(store, claimed) == Applied::Refused);
    CHECK(store.own_stream_overtaken());
    CHECK(store.counts().own_stream == 1);

    Store other = store_of("b", 0x21, 0x22);
    give(other, claimed);
    store.reopen_streams(now(10), StreamId{0x51}, StreamId{0x52});
    CHECK_FALSE(store.own_stream_overtaken());
    const HeldRecord* node = store.node_record(id("a"));
    REQUIRE(node != nullptr);
    CHECK(node->record.header.stream.value == 0x51);
    CHECK(node->record.header.counter == 1);
    CHECK(node->record.header.clock.value > ahead);
    CHECK(store.state_record(id("a"))->record.state->document == R"({"x":1})");
    CHECK(store.alert_count() == 1);
    CHECK(covered(store, 0x11).empty());
    CHECK(give(store, claimed) == Applied::Stale);
    CHECK_FALSE(store.own_records_outdated());

    pull_all(other, store, 10);
    pull_all(store, other, 10);
    CHECK(other.hashes() == store.hashes());
    CHECK(as_text(other.node_record(id("a"))->record.bytes) == as_text(node->record.bytes));
    CHECK(store.hashes() == hashes_from_scratch(store, {id("a")}));
}

TEST_CASE("own records: a digest that claims more of an own stream is noticed") {
    Store store = store_of("a");
    store.write_node(now(0), node_data());
    store.check_own_streams({{StreamId{0x11}, id("a"), {{1, 1}}}});
    CHECK_FALSE(store.own_stream_overtaken());
    store.check_own_streams({{StreamId{0x11}, id("b"), {{1, 2}}}});
    CHECK_FALSE(store.own_stream_overtaken());
    CHECK(store.missing({{StreamId{0x11}, id("a"), {{1, 2}}}}).empty());
    store.check_own_streams({{StreamId{0x11}, id("a"), {{1, 2}}}});
    CHECK(store.own_stream_overtaken());
}

TEST_CASE("own records: another author cannot write into an own stream") {
    Store store = store_of("a");
    CHECK(give(store, node_bytes("c", 0x11, 1, 1)) == Applied::Refused);
    CHECK_FALSE(store.own_stream_overtaken());
    CHECK(store.counts().foreign_stream == 1);
    store.cover({StreamId{0x11}, id("a"), {{1, 9}}});
    CHECK(store.digest().empty());
}

TEST_CASE(
    "own records: after a restart with the clock set back they are written past the old ones") {
    Store former = store_of("a", 0x11, 0x12);
    former.write_node(now(0), node_data());
    former.write_state(now(0), {Activity::Active, R"({"start":1})"});
    Store other = store_of("b", 0x21, 0x22);
    pull_all(other, former, 0);

    constexpr std::int64_t kSetBack = -kWallStart;
    Store fresh = store_of("a", 0x31, 0x32);
    const Buffer node = bytes_of(fresh.write_node(now(100, kSetBack), node_data()));
    fresh.write_state(now(100, kSetBack), {Activity::Idle, R"({"start":2})"});
    CHECK(give(other, node) == Applied::Stale);
    pull_all(fresh, other, 100);
    CHECK(fresh.own_records_outdated());
    fresh.rewrite_own_records(now(100, kSetBack));
    CHECK_FALSE(fresh.own_records_outdated());
    pull_all(other, fresh, 100);
    CHECK(other.state_record(id("a"))->record.state->document == R"({"start":2})");
    CHECK(covered(other, 0x11).empty());
    pull_all(fresh, other, 100);
    CHECK(fresh.hashes() == other.hashes());
}

TEST_CASE("own records: a restarted node gets its former alerts back, and writes after them") {
    Store former = store_of("a", 0x11, 0x12);
    former.write_alert(now(0), {Priority::High, 0, R"({"n":1})"}, 0);
    const HybridTime clock = alerts_of(former)[0]->record.header.clock;
    Store other = store_of("b", 0x21, 0x22);
    pull_all(other, former, 0);
    Store fresh = store_of("a", 0x31, 0x32);
    CHECK(pull_all(fresh, other, 10) == 1);
    REQUIRE(fresh.alert_count() == 1);
    CHECK(fresh.record(StreamId{0x12}, 1) == alerts_of(fresh)[0]);
    CHECK(fresh.write_alert(now(0, -9999), {}, 0).record.header.clock > clock);
}

TEST_CASE("own records: whatever clock others accept in an author's name, it writes past") {
    Store store = store_of("a");
    store.write_node(now(0), node_data());
    Store other = store_of("b", 0x21, 0x22);
    pull_all(other, store, 0);
    NodeData gone = node_data(0x91, 0x92);
    gone.presence = Presence::Left;
    const std::uint64_t wild = kHybridTimeMax.value - 1;
    const Buffer forged = encode_node_record(header_of(RecordKind::Node, "a", 0x91, 1, wild), gone);
    CHECK(give(other, forged) == Applied::New);
    CHECK(give(store, forged) == Applied::Stale);
    REQUIRE(store.own_records_outdated());
    store.rewrite_own_records(now(10));
    CHECK(pull_all(other, store, 10) == 1);
    CHECK(other.node_record(id("a"))->record.node->presence == Presence::Here);
    CHECK(other.hashes() == store.hashes());
}

TEST_CASE("own records: at the end of time they are still written, and read by all") {
    Store store = store_of("a", 0x31, 0x32);
    const Buffer forged = node_bytes("a", 0x21, 1, kHybridTimeMax.value);
    Store other = store_of("b", 0x51, 0x52);
    CHECK(give(other, forged) == Applied::New);
    CHECK(give(store, forged) == Applied::Stale);
    for (std::int64_t i = 0; i < 3; ++i) {
        store.write_node(now(i), node_data());
        store.write_state(now(i), {Activity::Idle, R"({"n":)" + std::to_string(i) + "}"});
        store.write_alert(now(i), {}, 0);
    }
    CHECK(store.node_record(id("a"))->record.header.clock == kHybridTimeMax);
    CHECK_FALSE(store.own_records_outdated());
    pull_all(other, store, 5);
    // Clocks are equal: the streams decide.
    CHECK(other.node_record(id("a"))->record.header.stream == StreamId{0x31});
    CHECK(other.state_record(id("a"))->record.state->document == R"({"n":2})");
    CHECK(other.alert_count() == 3);
    CHECK(other.hashes() == store.hashes());
}
