// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/delivery.h"

#include <doctest/doctest.h>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;
using std::chrono::milliseconds;

constexpr StreamId kStream{7};

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

TEST_CASE("delivery: the answer comes when all expected nodes have reported") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{1}, kStream, 3, {id("a"), id("b")}, at(1000));
    CHECK(tracker.next_deadline() == at(1000));
    tracker.on_report(kStream, 3, id("b"));
    tracker.on_report(kStream, 3, id("b"));
    CHECK_FALSE(tracker.poll().has_value());
    tracker.on_report(kStream, 3, id("a"));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->request == RequestId{1});
    CHECK(result->stream == kStream);
    CHECK(result->counter == 3);
    CHECK(result->delivered == std::vector{id("a"), id("b")});
    CHECK(result->pending.empty());
    CHECK_FALSE(tracker.poll().has_value());
    CHECK_FALSE(tracker.next_deadline().has_value());
}

TEST_CASE("delivery: at the deadline those without a report are pending") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{1}, kStream, 3, {id("a"), id("b")}, at(1000));
    tracker.on_report(kStream, 3, id("b"));
    tracker.on_timeout(at(999));
    CHECK_FALSE(tracker.poll().has_value());
    tracker.on_timeout(at(1000));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->delivered == std::vector{id("b")});
    CHECK(result->pending == std::vector{id("a")});
}

TEST_CASE("delivery: nobody waits for a node that is gone, and it stays pending") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{1}, kStream, 3, {id("a"), id("b")}, at(1000));
    tracker.on_node_gone(id("a"));
    tracker.on_node_gone(id("stranger"));
    CHECK_FALSE(tracker.poll().has_value());
    tracker.on_report(kStream, 3, id("b"));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->delivered == std::vector{id("b")});
    CHECK(result->pending == std::vector{id("a")});
}

TEST_CASE("delivery: a node that reported and then died has been reached") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{1}, kStream, 3, {id("a"), id("b")}, at(1000));
    tracker.on_report(kStream, 3, id("a"));
    tracker.on_node_gone(id("a"));
    tracker.on_node_gone(id("b"));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->delivered == std::vector{id("a")});
    CHECK(result->pending == std::vector{id("b")});
}

TEST_CASE("delivery: with nobody to reach the answer is there at once") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{5}, kStream, 1, {}, at(1000));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->delivered.empty());
    CHECK(result->pending.empty());
}

TEST_CASE("delivery: waits are kept apart, and reports of what nobody waits for are ignored") {
    DeliveryTracker tracker;
    tracker.wait(RequestId{1}, kStream, 1, {id("a")}, at(2000));
    tracker.wait(RequestId{2}, kStream, 2, {id("a")}, at(1000));
    CHECK(tracker.next_deadline() == at(1000));
    tracker.on_report(kStream, 9, id("a"));
    tracker.on_report(StreamId{8}, 1, id("a"));
    CHECK_FALSE(tracker.poll().has_value());
    tracker.on_report(kStream, 2, id("a"));
    const auto result = tracker.poll();
    REQUIRE(result.has_value());
    CHECK(result->request == RequestId{2});
    CHECK(tracker.next_deadline() == at(2000));
}

TEST_CASE("delivery: a bounded number of callers may wait") {
    DeliveryTracker tracker;
    for (std::uint64_t i = 0; i < DeliveryTracker::kWaitingMax; ++i) {
        CHECK_FALSE(tracker.is_full());
        tracker.wait(RequestId{i + 1}, kStream, i, {id("a")}, at(1000));
    }
    CHECK(tracker.is_full());
    tracker.on_report(kStream, 0, id("a"));
    CHECK_FALSE(tracker.is_full());
}

}  // namespace
}  // namespace meshd
