// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/membership.h"

#include <doctest/doctest.h>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;
using std::chrono::seconds;

TimePoint at(int second) {
    return TimePoint(seconds(second));
}

Membership::Member member(NodeStatus status, std::uint64_t start = 1) {
    Membership::Member member;
    member.status = status;
    member.start = StartId{start};
    return member;
}

/// Updates with node "x" alone; its one change, or nothing.
std::optional<MembershipChange> change(Membership& membership, int second,
                                       const Membership::Member& now) {
    const auto events = membership.update(at(second), {{id("x"), now}});
    REQUIRE(events.size() <= 1);
    if (events.empty()) {
        return std::nullopt;
    }
    CHECK(events[0].node == id("x"));
    return events[0].change;
}

TEST_CASE("membership: a node joins once, goes, and returns") {
    Membership membership;
    CHECK(change(membership, 1, member(NodeStatus::Alive)) == MembershipChange::Joined);
    CHECK_FALSE(change(membership, 2, member(NodeStatus::Alive)).has_value());
    CHECK(membership.find(id("x"))->since == at(1));
    CHECK(change(membership, 3, member(NodeStatus::Offline)) == MembershipChange::Offline);
    CHECK_FALSE(change(membership, 4, member(NodeStatus::Offline)).has_value());
    CHECK(membership.find(id("x"))->since == at(3));
    CHECK(change(membership, 5, member(NodeStatus::Alive)) == MembershipChange::Returned);
}

TEST_CASE("membership: a new start of an alive node is a return") {
    Membership membership;
    change(membership, 1, member(NodeStatus::Alive, 1));
    CHECK(change(membership, 2, member(NodeStatus::Alive, 2)) == MembershipChange::Returned);
    CHECK_FALSE(change(membership, 3, member(NodeStatus::Alive, 2)).has_value());
}

TEST_CASE("membership: a node never alive here makes no event until it is") {
    Membership membership;
    CHECK_FALSE(change(membership, 1, member(NodeStatus::Offline)).has_value());
    CHECK_FALSE(change(membership, 2, member(NodeStatus::Left)).has_value());
    CHECK(change(membership, 3, member(NodeStatus::Alive)) == MembershipChange::Joined);
}

TEST_CASE("membership: leaving and restarting are told apart") {
    Membership membership;
    change(membership, 1, member(NodeStatus::Alive));
    auto leaving = member(NodeStatus::Left);
    leaving.restarting = true;
    CHECK(change(membership, 2, leaving) == MembershipChange::Restarting);
    leaving.restarting = false;
    CHECK(change(membership, 3, leaving) == MembershipChange::Left);
}

TEST_CASE("membership: a node that has left stays so until it is alive again") {
    Membership membership;
    change(membership, 1, member(NodeStatus::Alive));
    CHECK(change(membership, 2, member(NodeStatus::Left)) == MembershipChange::Left);
    CHECK_FALSE(change(membership, 3, member(NodeStatus::Offline, 2)).has_value());
    CHECK(membership.find(id("x"))->status == NodeStatus::Left);
    CHECK(change(membership, 4, member(NodeStatus::Alive, 2)) == MembershipChange::Returned);
}

TEST_CASE("membership: unreachable names its cause, and another cause is news") {
    Membership membership;
    change(membership, 1, member(NodeStatus::Alive));
    auto lost = member(NodeStatus::Unreachable);
    lost.because = id("relay");
    auto events = membership.update(at(2), {{id("x"), lost}});
    REQUIRE(events.size() == 1);
    CHECK(events[0].change == MembershipChange::Unreachable);
    CHECK(events[0].because == id("relay"));
    CHECK(membership.update(at(3), {{id("x"), lost}}).empty());
    lost.because = id("other");
    events = membership.update(at(4), {{id("x"), lost}});
    REQUIRE(events.size() == 1);
    CHECK(events[0].because == id("other"));
}

TEST_CASE("membership: who is no longer known is forgotten without an event") {
    Membership membership;
    change(membership, 1, member(NodeStatus::Alive));
    CHECK(membership.update(at(2), {}).empty());
    CHECK(membership.find(id("x")) == nullptr);
    CHECK(change(membership, 3, member(NodeStatus::Alive)) == MembershipChange::Joined);
}

TEST_CASE("membership: several changes come in order of name") {
    Membership membership;
    const auto events = membership.update(
        at(1), {{id("b"), member(NodeStatus::Alive)}, {id("a"), member(NodeStatus::Alive)}});
    REQUIRE(events.size() == 2);
    CHECK(events[0].node == id("a"));
    CHECK(events[1].node == id("b"));
}

}  // namespace
}  // namespace meshd
