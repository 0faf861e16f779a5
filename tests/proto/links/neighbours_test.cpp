// SPDX-License-Identifier: Apache-2.0
#include "proto/links/neighbours.h"

#include <doctest/doctest.h>

#include <algorithm>
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
    Neighbours::Options options{10, 32, seconds(180), id("self")};
    Neighbours neighbours{options, random};
    std::set<NodeId> linked;
    std::set<NodeId> unreachable;
    std::set<NodeId> redundant;
    std::map<NodeId, Standing> standings;
    TimePoint up_since = at(-60'000);
    Neighbours::Todo todo;
    std::map<NodeId, std::size_t> degrees;
    std::size_t other_links = 0;
    std::size_t pending = 0;
    std::size_t number_of_apart = 0;
    bool bridge_pending = false;

    static NodeId node(std::size_t number) { return id("n" + std::to_string(number)); }

    void hear(TimePoint now, std::size_t first, std::size_t last) {
        for (std::size_t i = first; i <= last; ++i) {
            neighbours.on_heard(now, identity(node(i).text(), i, i),
                                box(static_cast<std::uint8_t>(i)), std::nullopt);
        }
    }
    Neighbours::Facts facts() const {
        Neighbours::Facts facts;
        for (const NodeId& node : linked) {
            facts.links.push_back({node, up_since});
        }
        for (std::size_t i = 0; i < other_links; ++i) {
            facts.links.push_back({id("other" + std::to_string(i)), up_since});
        }
        std::sort(facts.links.begin(), facts.links.end(),
                  [](const auto& a, const auto& b) { return a.node < b.node; });
        for (std::size_t i = 0; i < pending; ++i) {
            facts.pending.push_back(id("pending" + std::to_string(i)));
        }
        facts.bridge_pending = bridge_pending;
        facts.standing = [this](const NodeId& n) {
            const auto it = standings.find(n);
            if (it != standings.end()) {
                return it->second;
            }
            return Standing{
                unreachable.count(n) == 0 ? Standing::Kind::Reachable : Standing::Kind::Unknown,
                {}};
        };
        facts.degree = [this](const NodeId& n) {
            const auto it = degrees.find(n);
            return it == degrees.end() ? 0 : it->second;
        };
        facts.is_redundant = [this](const NodeId& n) { return redundant.count(n) != 0; };
        return facts;
    }
    std::vector<Neighbours::Want> tick(TimePoint now) {
        todo = neighbours.on_timeout(now, facts());
        return todo.asks;
    }
    bool accepts(LinkReason reason, bool is_forced = false) {
        return neighbours.on_req(at(0), id("asker"), reason, is_forced, facts());
    }
    /// Both ring neighbours are linked.
    void settle_ring() {
        for (std::size_t i = 1; i <= 40; ++i) {
            if (neighbours.is_ring_neighbour(node(i))) {
                linked.insert(node(i));
            }
        }
        other_links -= std::min<std::size_t>(2, other_links);
        tick_now(at(-1000));
        number_of_apart = 1;
        while (neighbours.is_ring_neighbour(node(number_of_apart))) {
            number_of_apart += 1;
        }
    }
    NodeId apart() const { return node(number_of_apart); }
    std::vector<Neighbours::Want> tick_now(TimePoint now) {
        neighbours.on_change(now, true);
        return tick(now);
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "neighbours: up to max_peers nodes heard, all are wanted") {
    hear(at(0), 1, 10);
    // Those heard first are not yet all: links with each of them would be too many.
    CHECK(tick_now(at(0)).size() == 2);
    const auto wants = tick_now(at(120));
    std::set<NodeId> wanted;
    std::size_t ring = 0;
    for (const auto& want : wants) {
        ring += want.reason == LinkReason::Ring ? 1 : 0;
        wanted.insert(want.peer.node);
    }
    CHECK(ring == 2);
    CHECK(wanted.size() == 10);
    for (const NodeId& each : wanted) {
        linked.insert(each);
    }
    CHECK(tick_now(at(1000)).empty());
    CHECK_FALSE(neighbours.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: above that, links and handshakes fill to the target") {
    hear(at(-5000), 1, 40);
    settle_ring();
    other_links = 1;
    pending = 2;
    const auto wants = tick_now(at(1000));
    REQUIRE(wants.size() == 1);
    CHECK(linked.count(wants[0].peer.node) == 0);
    pending = 3;
    CHECK(tick_now(at(2000)).empty());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: places for the ring are kept free until it is known") {
    hear(at(0), 1, 40);
    // Half of the other four: the other half comes from those who ask here.
    CHECK(tick_now(at(0)).size() == 2);
    other_links = 4;
    CHECK(tick_now(at(100)).empty());
    const auto wants = tick_now(at(120));
    REQUIRE(wants.size() == 2);
    CHECK(wants[0].reason == LinkReason::Ring);
    CHECK(wants[1].reason == LinkReason::Ring);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: one link below the target is not worth a call") {
    hear(at(-5000), 1, 40);
    other_links = 6;
    settle_ring();
    other_links = 3;
    CHECK(tick_now(at(1000)).empty());
    other_links = 2;
    CHECK(tick_now(at(2000)).size() == 1);
    // Others have time to ask before it asks again.
    CHECK(neighbours.next_deadline() == at(2400));
    CHECK(tick_now(at(2399)).empty());
    // Once it calls, it goes on to the target.
    other_links = 3;
    CHECK(tick_now(at(2400)).size() == 1);
    other_links = 4;
    CHECK(tick_now(at(3000)).empty());
    other_links = 3;
    CHECK(tick_now(at(4000)).empty());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: of two candidates the one with fewer links") {
    hear(at(0), 1, 40);
    for (std::size_t i = 1; i <= 40; ++i) {
        degrees[node(i)] = i <= 20 ? 8 : 2;
    }
    std::size_t with_few = 0;
    std::size_t all = 0;
    for (int round = 0; round < 1000; ++round) {
        for (const auto& want : tick_now(at(500 * round))) {
            const bool is_fill = want.reason == LinkReason::Fill;
            with_few += is_fill && degrees[want.peer.node] == 2 ? 1 : 0;
            all += is_fill ? 1 : 0;
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

TEST_CASE_FIXTURE(Fixture, "neighbours: looks again when a node is no longer avoided") {
    hear(at(0), 1, 1);
    neighbours.on_failed(at(0), node(1), true);
    CHECK(tick_now(at(500)).empty());
    REQUIRE(neighbours.next_deadline());
    CHECK(*neighbours.next_deadline() == neighbours.find(node(1))->avoid_until);
    CHECK(tick(*neighbours.next_deadline()).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a heard node out of reach is bridged to, held and spread") {
    hear(at(-5000), 1, 40);
    other_links = 6;
    settle_ring();
    unreachable = {apart()};
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
    CHECK(bridge->peer.node == apart());
    CHECK(bridge->reason == LinkReason::Bridge);
    CHECK_FALSE(bridge->is_forced);
    // 400 ms hold, then 150 ms and up to 50 + 2 ms a node.
    CHECK(now >= at(400 + 150));
    CHECK(now <= at(420 + 150 + 50 + 80 + 20));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a gap that closes during the hold needs no bridge") {
    hear(at(-5000), 1, 40);
    other_links = 6;
    settle_ring();
    unreachable = {apart()};
    CHECK(tick_now(at(0)).empty());
    CHECK(tick(at(400)).empty());
    unreachable.clear();
    CHECK(tick_now(at(500)).empty());
    CHECK_FALSE(neighbours.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "neighbours: who was lost is bridged to by what is known of its loss") {
    hear(at(-5000), 1, 40);
    other_links = 6;
    settle_ring();
    const auto bridges_to = [&](Standing::Kind kind) {
        standings[apart()] = {kind, at(0)};
        for (int ms = 0; ms < 3000; ms += 20) {
            if (!tick_now(at(ms)).empty()) {
                return true;
            }
        }
        return false;
    };
    SUBCASE("it died") {
        CHECK_FALSE(bridges_to(Standing::Kind::Gone));
    }
    SUBCASE("only its way was lost") {
        CHECK(bridges_to(Standing::Kind::CutOff));
    }
    SUBCASE("it was heard since") {
        hear(at(1), number_of_apart, number_of_apart);
        CHECK(bridges_to(Standing::Kind::Gone));
    }
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a bridge is forced where several refuse") {
    hear(at(-5000), 1, 2);
    unreachable = {node(1), node(2)};
    const auto bridge = [&]() -> std::optional<Neighbours::Want> {
        for (int ms = 0; ms < 900; ms += 20) {
            for (const auto& want : tick_now(at(ms))) {
                if (want.reason == LinkReason::Bridge) {
                    return want;
                }
            }
        }
        return std::nullopt;
    };
    // Refused as fill: who is out of reach may still be asked for a bridge.
    neighbours.on_failed(at(0), node(1), true);
    SUBCASE("one of two") {
        const auto want = bridge();
        CHECK((!want || !want->is_forced));
    }
    SUBCASE("both of two") {
        neighbours.on_failed(at(0), node(2), true);
        const auto want = bridge();
        REQUIRE(want);
        CHECK(want->is_forced);
    }
}

TEST_CASE_FIXTURE(Fixture, "neighbours: one bridge at a time, and none beyond the hub's bound") {
    hear(at(-5000), 1, 40);
    other_links = 6;
    settle_ring();
    unreachable = {apart()};
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
        other_links = options.bridges_max - 1 - linked.size();
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
}

TEST_CASE_FIXTURE(Fixture, "neighbours: each refusal in a row doubles the wait, a link ends that") {
    hear(at(0), 1, 1);
    for (int i = 0; i < 8; ++i) {
        neighbours.on_failed(at(0), node(1), true);
    }
    CHECK(neighbours.find(node(1))->avoid_until >= at(16'000));
    CHECK(neighbours.find(node(1))->avoid_until <= at(48'000));
    linked = {node(1)};
    tick_now(at(0));
    neighbours.on_failed(at(0), node(1), true);
    CHECK(neighbours.find(node(1))->avoid_until <= at(3000));
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
        bool forced;
        std::size_t below_in_small_mesh;
        std::size_t below_in_large_mesh;
    };
    const Row table[] = {
        {LinkReason::Fill, true, false, 10, 8},    {LinkReason::Fill, false, true, 10, 8},
        {LinkReason::Ring, true, false, 10, 10},   {LinkReason::Ring, false, true, 10, 10},
        {LinkReason::Bridge, true, true, 6, 6},    {LinkReason::Bridge, false, false, 10, 10},
        {LinkReason::Bridge, false, true, 32, 32},
    };
    hear(at(0), 1, 10);
    for (const bool large : {false, true}) {
        for (const Row& row : table) {
            CAPTURE(large);
            CAPTURE(static_cast<int>(row.reason));
            CAPTURE(row.reachable);
            CAPTURE(row.forced);
            unreachable = row.reachable ? std::set<NodeId>{} : std::set<NodeId>{id("asker")};
            other_links = 0;
            CHECK(accepts(row.reason, row.forced));
            // Handshakes count as links.
            other_links = (large ? row.below_in_large_mesh : row.below_in_small_mesh) - 2;
            pending = 1;
            CHECK(accepts(row.reason, row.forced));
            pending = 2;
            CHECK_FALSE(accepts(row.reason, row.forced));
            pending = 0;
        }
        hear(at(0), 11, 11);
    }
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a full node drops a link it can spare for a bridge") {
    hear(at(0), 1, 40);
    for (std::size_t i = 1; i <= 40 && linked.size() < 10; ++i) {
        if (!neighbours.is_ring_neighbour(node(i))) {
            linked.insert(node(i));
            degrees[node(i)] = i;
        }
    }
    unreachable = {id("asker")};
    const auto answer = [&] {
        return neighbours.on_req(at(0), id("asker"), LinkReason::Bridge, false, facts());
    };
    CHECK_FALSE(answer());
    const NodeId spare = *std::next(linked.begin(), 3);
    const NodeId other = *std::next(linked.begin(), 6);
    redundant = {spare, other};
    CHECK(answer());
    CHECK(neighbours.victim_for(at(0), id("asker"), facts()) ==
          (degrees[spare] > degrees[other] ? spare : other));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: no link makes room for a beacon") {
    hear(at(-5000), 1, 40);
    for (std::size_t i = 1; i <= 40; ++i) {
        if (!neighbours.is_ring_neighbour(node(i)) && linked.size() < 10) {
            linked.insert(node(i));
            redundant.insert(node(i));
        }
    }
    SUBCASE("full of links") {
        const auto wants = tick_now(at(0));
        REQUIRE(wants.size() == 2);
        CHECK_FALSE(todo.drop);
    }
    SUBCASE("full of links and of handshakes with who does not answer") {
        pending = Neighbours::kUnansweredMax;
        CHECK(tick_now(at(0)).empty());
        CHECK_FALSE(todo.drop);
    }
    SUBCASE("full of handshakes") {
        linked = {*linked.begin()};
        pending = 9;
        CHECK(tick_now(at(0)).empty());
        CHECK_FALSE(todo.drop);
    }
}

TEST_CASE_FIXTURE(Fixture, "neighbours: only a ring neighbour takes a full node's place by ring") {
    hear(at(0), 1, 40);
    std::optional<NodeId> ring;
    for (std::size_t i = 1; i <= 40; ++i) {
        if (neighbours.is_ring_neighbour(node(i))) {
            ring = node(i);
        } else if (linked.size() < 10) {
            linked.insert(node(i));
            redundant.insert(node(i));
        }
    }
    REQUIRE(ring);
    CHECK(neighbours.on_req(at(0), *ring, LinkReason::Ring, false, facts()));
    CHECK_FALSE(neighbours.on_req(at(0), node(39), LinkReason::Ring, false, facts()));
    // A ring link is never the victim.
    redundant = {*ring};
    linked.erase(linked.begin());
    linked.insert(*ring);
    unreachable = {id("asker")};
    CHECK_FALSE(neighbours.victim_for(at(0), id("asker"), facts()));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: links above eight are pruned one in 10 to 15 s of quiet") {
    hear(at(-5000), 1, 40);
    settle_ring();
    other_links = 9 - linked.size();
    for (std::size_t i = 0; i < other_links; ++i) {
        redundant.insert(id("other" + std::to_string(i)));
        degrees[id("other" + std::to_string(i))] = 7;
    }
    const auto prunes_until = [&](std::int64_t from, std::int64_t until) {
        std::size_t prunes = 0;
        for (std::int64_t ms = from; ms < until; ms += 100) {
            tick_now(at(ms));
            prunes += todo.prune ? 1 : 0;
        }
        return prunes;
    };
    CHECK(prunes_until(0, 10'000) == 0);
    CHECK(prunes_until(10'000, 15'200) == 1);
    const std::size_t more = prunes_until(15'200, 75'200);
    CHECK(more >= 4);
    CHECK(more <= 6);
    degrees.clear();
    CHECK(prunes_until(75'200, 120'000) == 0);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: agrees to part only from what it can spare") {
    hear(at(-5000), 1, 40);
    settle_ring();
    const NodeId peer = id("other0");
    other_links = 5;
    redundant = {peer};
    CHECK(neighbours.agrees_to_prune(peer, facts()));
    redundant.clear();
    CHECK_FALSE(neighbours.agrees_to_prune(peer, facts()));
    redundant = {peer, *linked.begin()};
    CHECK_FALSE(neighbours.agrees_to_prune(*linked.begin(), facts()));
    other_links = 4;
    CHECK_FALSE(neighbours.agrees_to_prune(peer, facts()));
}

TEST_CASE("neighbours: in a full mesh nobody parts") {
    Fixture fixture;
    fixture.hear(at(0), 1, 10);
    fixture.other_links = 9;
    fixture.redundant = {id("other0")};
    CHECK_FALSE(fixture.neighbours.agrees_to_prune(id("other0"), fixture.facts()));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: a link lost three times in five minutes is not chosen") {
    hear(at(0), 1, 1);
    neighbours.on_link_lost(at(0), node(1), box(1));
    neighbours.on_link_lost(at(1000), node(1), box(1));
    CHECK(neighbours.find(node(1))->avoid_fill_until <= at(1000));
    neighbours.on_link_lost(at(2000), node(1), box(1));
    CHECK(neighbours.find(node(1))->avoid_fill_until == at(32'000));
    neighbours.on_link_lost(at(400'000), node(1), box(1));
    CHECK(neighbours.find(node(1))->avoid_fill_until == at(32'000));
}

TEST_CASE_FIXTURE(Fixture, "neighbours: the way heard last is best, one that failed is last") {
    const Identity peer = identity("n1", 1, 1);
    const Endpoint first = box(1, 9999, 1);
    const Endpoint second = box(101, 9999, 2);
    neighbours.on_heard(at(0), peer, first, std::nullopt);
    neighbours.on_heard(at(1), peer, second, std::nullopt);
    CHECK(neighbours.find(node(1))->endpoint == second);
    neighbours.on_link_lost(at(2), node(1), second);
    CHECK(neighbours.find(node(1))->endpoint == first);
    CHECK(neighbours.find(node(1))->ways.size() == 2);
    neighbours.on_heard(at(3), peer, second, std::nullopt);
    CHECK(neighbours.find(node(1))->endpoint == second);
    for (std::uint8_t i = 0; i < 10; ++i) {
        neighbours.on_heard(at(4), peer, box(i, 1), std::nullopt);
    }
    CHECK(neighbours.find(node(1))->ways.size() == HeardNode::kWaysMax);
}

TEST_CASE_FIXTURE(Fixture, "neighbours: ways over an interface that is gone are forgotten") {
    const Identity peer = identity("n1", 1, 1);
    neighbours.on_heard(at(0), peer, box(1, 9999, 1), std::nullopt);
    neighbours.on_heard(at(1), peer, box(101, 9999, 2), std::nullopt);
    neighbours.on_interfaces({1});
    CHECK(neighbours.find(node(1))->endpoint == box(1, 9999, 1));
    // The last address is kept: it may be routed to.
    neighbours.on_interfaces({});
    CHECK(neighbours.find(node(1))->endpoint == box(1, 9999, 0));
}

TEST_CASE("neighbours: a small max_peers bounds target and acceptance") {
    struct Row {
        std::size_t max_peers;
        std::size_t target;
        std::size_t soft_max;
    };
    const Row table[] = {{1, 1, 1}, {2, 2, 2}, {3, 2, 3},  {4, 3, 4}, {5, 3, 4},
                         {6, 4, 5}, {8, 5, 7}, {10, 6, 8}, {20, 6, 8}};
    for (const Row& row : table) {
        CAPTURE(row.max_peers);
        Prng random = prng();
        const Neighbours neighbours({row.max_peers, 32, seconds(180), id("self")}, random);
        CHECK(neighbours.target() == row.target);
        CHECK(neighbours.soft_max() == row.soft_max);
    }
}
