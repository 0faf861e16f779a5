// SPDX-License-Identifier: Apache-2.0
#include "proto/links/neighbours.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr Cookie kCookie{1, 2, 3};

/// Neighbour choice with facts that the test sets.
struct Fixture {
    Prng random = prng();
    Neighbours::Options options{10, 32, seconds(180)};
    Neighbours neighbours{options, random};
    std::set<NodeId> linked;
    std::set<NodeId> unreachable;
    std::map<NodeId, std::size_t> degrees;
    std::size_t other_links = 0;
    std::size_t pending = 0;
    bool bridge_pending = false;

    static NodeId node(std::size_t number) { return id("n" + std::to_string(number)); }

    void hear(TimePoint now, std::size_t first, std::size_t last) {
        for (std::size_t i = first; i <= last; ++i) {
            neighbours.on_heard(now, identity(node(i).text(), i, i),
                                box(static_cast<std::uint8_t>(i)), std::nullopt);
        }
    }
    std::vector<Neighbours::Want> tick(TimePoint now) {
        Neighbours::Facts facts;
        facts.links = linked.size() + other_links;
        facts.pending = pending;
        facts.bridge_pending = bridge_pending;
        facts.is_linked_or_pending = [this](const NodeId& n) { return linked.count(n) != 0; };
        facts.is_reachable = [this](const NodeId& n) { return unreachable.count(n) == 0; };
        facts.degree = [this](const NodeId& n) { return degrees[n]; };
        return neighbours.on_timeout(now, facts);
    }
    std::vector<Neighbours::Want> tick_now(TimePoint now) {
        neighbours.on_change(now, true);
        return tick(now);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "neighbours: up to max_peers nodes heard, all are wanted") {
    hear(at(0), 1, 10);
    const auto wants = tick_now(at(0));
    std::set<NodeId> wanted;
    for (const auto& want : wants) {
        CHECK(want.reason == LinkReason::Fill);
        wanted.insert(want.peer.node);
    }
    CHECK(wanted.size() == 10);
    for (const NodeId& each : wanted) {
        linked.insert(each);
    }
    CHECK(tick_now(at(1000)).empty());
    CHECK_FALSE(neighbours.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: above that, links and handshakes fill to the target") {
    hear(at(0), 1, 40);
    CHECK(tick_now(at(0)).size() == Neighbours::kTarget);
    linked = {node(1), node(2)};
    pending = 3;
    const auto wants = tick_now(at(0));
    REQUIRE(wants.size() == 1);
    CHECK(linked.count(wants[0].peer.node) == 0);
    pending = 4;
    CHECK(tick_now(at(0)).empty());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: of two candidates the one with fewer links") {
    hear(at(0), 1, 40);
    for (std::size_t i = 1; i <= 40; ++i) {
        degrees[node(i)] = i <= 20 ? 8 : 2;
    }
    std::size_t with_few = 0;
    std::size_t all = 0;
    for (int round = 0; round < 200; ++round) {
        for (const auto& want : tick_now(at(round))) {
            with_few += degrees[want.peer.node] == 2 ? 1 : 0;
            all += 1;
        }
    }
    // One of two is of the better half with probability 3/4.
    CHECK(with_few > all * 70 / 100);
    CHECK(with_few < all * 82 / 100);
}

TEST_CASE_FIXTURE(Fixture,
                  "neighbours: changes are gathered for 20 to 200 ms, urgent ones are not") {
    hear(at(0), 1, 1);
    neighbours.on_change(at(0), false);
    const TimePoint due = *neighbours.next_deadline();
    CHECK(due >= at(20));
    CHECK(due <= at(200));
    for (int ms = 1; ms < 20; ++ms) {
        neighbours.on_change(at(ms), false);
        CHECK(*neighbours.next_deadline() <= due);
    }
    CHECK(tick(at(19)).empty());
    neighbours.on_change(at(19), true);
    CHECK(neighbours.next_deadline() == at(19));
    CHECK(tick(at(19)).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: while something is left to do, another look after 250 ms") {
    hear(at(0), 1, 2);
    CHECK(tick_now(at(0)).size() == 2);
    CHECK(neighbours.next_deadline() == at(250));
    linked = {node(1), node(2)};
    CHECK(tick(at(250)).empty());
    CHECK_FALSE(neighbours.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a heard node out of reach is bridged to, held and spread") {
    hear(at(0), 1, 40);
    other_links = 6;
    unreachable = {node(7)};
    CHECK(tick_now(at(0)).empty());
    TimePoint now = at(0);
    std::optional<Neighbours::Want> bridge;
    while (!bridge && now < at(5000)) {
        REQUIRE(neighbours.next_deadline());
        now = *neighbours.next_deadline();
        const auto wants = tick(now);
        if (!wants.empty()) {
            bridge = wants[0];
        }
    }
    REQUIRE(bridge);
    CHECK(bridge->peer.node == node(7));
    CHECK(bridge->reason == LinkReason::Bridge);
    // 400 ms hold, seen at the tick after it, then 150 ms and up to 50 + 2 ms a node.
    CHECK(now >= at(400 + 150));
    CHECK(now <= at(500 + 150 + 50 + 80 + 1));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a gap that closes during the hold needs no bridge") {
    hear(at(0), 1, 40);
    other_links = 6;
    unreachable = {node(7)};
    CHECK(tick_now(at(0)).empty());
    CHECK(tick(at(250)).empty());
    unreachable.clear();
    CHECK(tick(at(500)).empty());
    CHECK_FALSE(neighbours.next_deadline());
    unreachable = {node(7)};
    CHECK(tick_now(at(600)).empty());
    CHECK(tick_now(at(999)).empty());
    CHECK(neighbours.next_deadline() == at(999 + 250));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: one bridge at a time, and none beyond the hub's bound") {
    hear(at(0), 1, 40);
    unreachable = {node(7)};
    const auto bridges_within_5_s = [&] {
        std::size_t bridges = 0;
        for (int ms = 0; ms < 5000; ms += 50) {
            for (const auto& want : tick_now(at(ms))) {
                bridges += want.reason == LinkReason::Bridge ? 1 : 0;
            }
        }
        return bridges;
    };
    SUBCASE("beyond max_peers") {
        other_links = options.bridges_max - 1;
        CHECK(bridges_within_5_s() > 0);
    }
    SUBCASE("hub is full") {
        other_links = options.bridges_max;
        CHECK(bridges_within_5_s() == 0);
    }
    SUBCASE("one is under way") {
        other_links = 6;
        bridge_pending = true;
        CHECK(bridges_within_5_s() == 0);
    }
}

TEST_CASE_FIXTURE(Fixture, "neighbours: who refused or was silent is left alone for a while") {
    hear(at(0), 1, 1);
    SUBCASE("refused: 1 to 3 s") {
        neighbours.on_failed(at(0), node(1), true);
        CHECK(neighbours.find(node(1))->avoid_until >= at(1000));
        CHECK(neighbours.find(node(1))->avoid_until <= at(3000));
        CHECK(tick_now(at(999)).empty());
        CHECK(tick_now(at(3000)).size() == 1);
    }
    SUBCASE("silent: 2 to 5 s, and its cookie may be the reason") {
        neighbours.on_heard(at(0), identity("n1", 1, 1), box(1), kCookie);
        neighbours.on_failed(at(0), node(1), false);
        CHECK(neighbours.find(node(1))->avoid_until >= at(2000));
        CHECK(neighbours.find(node(1))->avoid_until <= at(5000));
        CHECK(tick_now(at(1999)).empty());
        const auto wants = tick_now(at(5000));
        REQUIRE(wants.size() == 1);
        CHECK_FALSE(wants[0].cookie);
    }
    SUBCASE("a new start is a new chance") {
        neighbours.on_failed(at(0), node(1), true);
        CHECK(neighbours.on_heard(at(10), identity("n1", 1, 2), box(1), std::nullopt));
        CHECK(tick_now(at(10)).size() == 1);
    }
    CHECK(neighbours.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a failure of a node not heard is none") {
    neighbours.on_failed(at(0), id("stranger"), true);
    CHECK(neighbours.heard() == 0);
    CHECK(neighbours.find(id("stranger")) == nullptr);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a cookie is used while it is fresh") {
    neighbours.on_heard(at(0), identity("n1", 1, 1), box(1), kCookie);
    neighbours.on_heard(at(100), identity("n1", 1, 1), box(2), std::nullopt);
    const auto fresh = tick_now(at(7999));
    REQUIRE(fresh.size() == 1);
    CHECK(fresh[0].cookie == kCookie);
    CHECK(fresh[0].endpoint == box(2));
    const auto stale = tick_now(at(8000));
    REQUIRE(stale.size() == 1);
    CHECK_FALSE(stale[0].cookie);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: new is a new name or a new start") {
    CHECK(neighbours.on_heard(at(0), identity("n1", 1, 1), box(1), std::nullopt));
    CHECK_FALSE(neighbours.on_heard(at(1), identity("n1", 1, 1), box(1), std::nullopt));
    CHECK(neighbours.on_heard(at(2), identity("n1", 1, 2), box(1), std::nullopt));
    CHECK(neighbours.on_heard(at(3), identity("n2", 1, 2), box(1), std::nullopt));
    CHECK(neighbours.heard() == 2);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: not heard for the time is forgotten, unless linked") {
    hear(at(0), 1, 2);
    linked = {node(1)};
    tick_now(at(180'000));
    CHECK(neighbours.heard() == 2);
    tick_now(at(180'001));
    CHECK(neighbours.heard() == 1);
    CHECK(neighbours.find(node(1)) != nullptr);
}

TEST_CASE_FIXTURE(Fixture,
                  "neighbours: in a full table the unlinked node silent longest makes room") {
    for (std::size_t i = 1; i <= Neighbours::kHeardMax; ++i) {
        const auto when = at(static_cast<std::int64_t>(i));
        CHECK(neighbours.on_heard(when, identity(node(i).text(), i, i), box(1), std::nullopt));
    }
    linked = {node(1), node(2)};
    tick_now(at(5000));
    CHECK_FALSE(neighbours.on_heard(at(5000), identity("n3", 3, 3), box(9), std::nullopt));
    CHECK(neighbours.find(node(3))->endpoint == box(9));
    CHECK(neighbours.on_heard(at(5001), identity("late", 1, 1), box(1), std::nullopt));
    CHECK(neighbours.heard() == Neighbours::kHeardMax);
    CHECK(neighbours.find(id("late")) != nullptr);
    CHECK(neighbours.find(node(4)) == nullptr);
    CHECK(neighbours.on_heard(at(5002), identity("later", 1, 1), box(1), std::nullopt));
    CHECK(neighbours.find(node(5)) == nullptr);
    for (const std::size_t kept : {1U, 2U, 3U, 6U}) {
        CHECK(neighbours.find(node(kept)) != nullptr);
    }
    linked = {node(2)};
    tick_now(at(6000));
    CHECK(neighbours.on_heard(at(6001), identity("last", 1, 1), box(1), std::nullopt));
    CHECK(neighbours.find(node(1)) == nullptr);
    CHECK(neighbours.heard() == Neighbours::kHeardMax);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: where all that are heard are linked there is no room") {
    for (std::size_t i = 1; i <= Neighbours::kHeardMax; ++i) {
        neighbours.on_heard(at(0), identity(node(i).text(), i, i), box(1), std::nullopt);
        linked.insert(node(i));
    }
    tick_now(at(0));
    CHECK_FALSE(neighbours.on_heard(at(1), identity("late", 1, 1), box(1), std::nullopt));
    CHECK(neighbours.find(id("late")) == nullptr);
    CHECK(neighbours.heard() == Neighbours::kHeardMax);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a REQ is accepted below the bound of its reason") {
    struct Row {
        LinkReason reason;
        bool reachable;
        std::size_t below_in_small_mesh;
        std::size_t below_in_large_mesh;
    };
    const Row table[] = {
        {LinkReason::Fill, true, 10, 8},  {LinkReason::Fill, false, 10, 8},
        {LinkReason::Ring, true, 10, 10}, {LinkReason::Ring, false, 10, 10},
        {LinkReason::Bridge, true, 6, 6}, {LinkReason::Bridge, false, 32, 32},
    };
    hear(at(0), 1, 10);
    for (const bool large : {false, true}) {
        for (const Row& row : table) {
            CAPTURE(large);
            CAPTURE(static_cast<int>(row.reason));
            CAPTURE(row.reachable);
            const std::size_t below = large ? row.below_in_large_mesh : row.below_in_small_mesh;
            CHECK(neighbours.accepts(row.reason, 0, row.reachable));
            CHECK(neighbours.accepts(row.reason, below - 1, row.reachable));
            CHECK_FALSE(neighbours.accepts(row.reason, below, row.reachable));
        }
        hear(at(0), 11, 11);
    }
}

TEST_CASE("neighbours: a small max_peers bounds target and acceptance") {
    Prng random = prng();
    Neighbours neighbours({2, 32, seconds(180)}, random);
    for (std::size_t i = 1; i <= 5; ++i) {
        neighbours.on_heard(at(0), identity("n" + std::to_string(i), i, i), box(1), std::nullopt);
    }
    Neighbours::Facts facts;
    facts.is_linked_or_pending = [](const NodeId&) { return false; };
    facts.is_reachable = [](const NodeId&) { return true; };
    facts.degree = [](const NodeId&) { return 0U; };
    neighbours.on_change(at(0), true);
    CHECK(neighbours.on_timeout(at(0), facts).size() == 2);
    CHECK(neighbours.accepts(LinkReason::Fill, 1, true));
    CHECK_FALSE(neighbours.accepts(LinkReason::Fill, 2, true));
    CHECK_FALSE(neighbours.accepts(LinkReason::Bridge, 2, true));
    CHECK(neighbours.accepts(LinkReason::Bridge, 2, false));
}
