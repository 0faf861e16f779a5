// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/topology.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;

/// Takes back `node`'s claim of a link to `peer`, as the end does that saw the link die.
void withdraw(std::vector<NodeLinks>& claims, const NodeId& node, const NodeId& peer) {
    for (NodeLinks& claim : claims) {
        if (claim.node == node) {
            std::erase_if(claim.links, [&](const auto& link) { return link.first == peer; });
        }
    }
}

NodeStatus status_in(const Topology& topology, std::size_t node) {
    return topology.statuses().at(id(node)).status;
}

TEST_CASE("topology: alone, self is alive and reachable, with no route and no tree") {
    Topology topology(id("me"));
    CHECK(topology.graph().size() == 0);
    CHECK_FALSE(topology.update({{id("me"), {}}}));
    CHECK(topology.is_reachable(id("me")));
    CHECK_FALSE(topology.route(id("me")).has_value());
    CHECK_FALSE(topology.route(id("other")).has_value());
    CHECK(topology.routes().empty());
    CHECK_FALSE(topology.children_of(id("me"), topology.graph().hash()).has_value());
    const auto statuses = topology.statuses();
    REQUIRE(statuses.size() == 1);
    CHECK(statuses.at(id("me")).status == NodeStatus::Alive);
}

TEST_CASE("topology: routes in a line lead over the next node and show the path") {
    Topology topology(id(1));
    REQUIRE(topology.update(claims_of(line(5))));
    const auto route = topology.route(id(4));
    REQUIRE(route.has_value());
    CHECK(route->destination == id(4));
    CHECK(route->next_peer == id(2));
    CHECK(route->hops == 3);
    CHECK(route->cost == 30);
    CHECK(route->path == std::vector{id(2), id(3), id(4)});

    const auto routes = topology.routes();
    REQUIRE(routes.size() == 4);
    CHECK(routes[0].destination == id(0));
    CHECK(routes[0].path == std::vector{id(0)});
    CHECK(routes[3].destination == id(4));
    CHECK_FALSE(topology.route(id(1)).has_value());
}

TEST_CASE("topology: next peers along a route agree with each node's own route") {
    Prng prng({3});
    const auto claims = claims_of(random_connected(prng, 15, 15));
    std::map<NodeId, Topology> nodes;
    for (const NodeLinks& claim : claims) {
        nodes.emplace(claim.node, claim.node).first->second.update(claims);
    }
    for (const auto& [self, topology] : nodes) {
        for (const Route& route : topology.routes()) {
            NodeId at = self;
            std::uint32_t left = route.cost;
            while (at != route.destination) {
                const auto next = nodes.at(at).route(route.destination);
                REQUIRE(next.has_value());
                REQUIRE(next->cost == left);
                at = next->next_peer;
                const auto rest = nodes.at(at).route(route.destination);
                REQUIRE((rest || at == route.destination));
                REQUIRE((rest ? rest->cost : 0) < left);
                left = rest ? rest->cost : 0;
            }
        }
    }
}

TEST_CASE("topology: an update with an equal graph is no change") {
    Topology topology(id(0));
    auto claims = claims_of(ring(4));
    CHECK(topology.update(claims));
    CHECK_FALSE(topology.update(claims));
    claims.push_back({id("lonely"), {}});
    std::reverse(claims.begin(), claims.end());
    CHECK_FALSE(topology.update(claims));
    CHECK(topology.statuses().count(id("lonely")) == 1);
}

TEST_CASE("topology: the last four graphs answer, older and unknown ones do not") {
    Topology topology(id(0));
    std::vector<std::uint32_t> hashes;
    for (std::size_t size = 2; size <= 6; ++size) {
        topology.update(claims_of(line(size)));
        hashes.push_back(topology.graph().hash());
    }
    CHECK_FALSE(topology.children_of(id(0), hashes[0]).has_value());
    for (std::size_t i = 1; i < hashes.size(); ++i) {
        const auto peers = topology.children_of(id(0), hashes[i]);
        REQUIRE(peers.has_value());
        CHECK(*peers == std::vector{id(1)});
    }
    CHECK_FALSE(topology.children_of(id(0), 0).has_value());
    CHECK_FALSE(topology.children_of(id(0), hashes[4] + 1).has_value());
    // The fifth node came with the last graph but two.
    CHECK_FALSE(topology.children_of(id(4), hashes[2]).has_value());
    CHECK(topology.children_of(id(4), hashes[3]).has_value());
}

TEST_CASE("topology: a graph that comes back is kept once") {
    Topology topology(id(0));
    std::vector<std::uint32_t> hashes;
    for (std::size_t size = 2; size <= 5; ++size) {
        topology.update(claims_of(line(size)));
        hashes.push_back(topology.graph().hash());
    }
    CHECK(topology.update(claims_of(line(3))));
    CHECK(topology.graph().hash() == hashes[1]);
    for (const std::uint32_t hash : hashes) {
        CHECK(topology.children_of(id(0), hash).has_value());
    }
    CHECK(topology.update(claims_of(line(6))));
    CHECK_FALSE(topology.children_of(id(0), hashes[0]).has_value());
    CHECK(topology.children_of(id(0), hashes[1]).has_value());
}

TEST_CASE("topology: a graph spans the nodes that its trees reach from here") {
    auto links = line(3);
    links.push_back({id(3), id(4)});
    Topology topology(id(0));
    topology.update(claims_of(links, 6));
    const std::uint32_t apart = topology.graph().hash();
    CHECK(topology.spans(apart, id(0)));
    CHECK(topology.spans(apart, id(2)));
    CHECK_FALSE(topology.spans(apart, id(3)));
    CHECK_FALSE(topology.spans(apart, id(5)));
    CHECK_FALSE(topology.spans(apart + 1, id(2)));
    topology.update(claims_of(line(5)));
    CHECK(topology.spans(topology.graph().hash(), id(3)));
    CHECK_FALSE(topology.spans(apart, id(3)));
}

TEST_CASE("topology: told of changes only, it concludes what it does from all claims") {
    Prng prng({11});
    Topology told(id(0));
    Topology compared(id(0));
    std::map<NodeId, NodeLinks> claims;
    for (int round = 0; round < 300; ++round) {
        std::vector<NodeLinks> changed;
        std::vector<NodeId> gone;
        for (std::size_t i = prng.below(3) + 1; i > 0; --i) {
            const NodeId node = id(prng.below(12));
            if (std::any_of(changed.begin(), changed.end(),
                            [&](const NodeLinks& one) { return one.node == node; }) ||
                std::find(gone.begin(), gone.end(), node) != gone.end()) {
                continue;
            }
            if (prng.below(5) == 0) {
                if (claims.erase(node) != 0) {
                    gone.push_back(node);
                }
                continue;
            }
            NodeLinks links{node, {}};
            for (std::size_t count = prng.below(8); count > 0; --count) {
                links.links.emplace_back(id(prng.below(12)),
                                         static_cast<std::uint8_t>(prng.below(4)));
            }
            claims[node] = links;
            changed.push_back(links);
        }
        std::vector<NodeLinks> all;
        for (const auto& [node, links] : claims) {
            all.push_back(links);
        }
        const bool is_changed = told.update_some(std::move(changed), gone);
        CHECK(is_changed == compared.update(all));
        CHECK(told.graph() == Graph(all));
        CHECK(told.graph().hash() == Graph(all).hash());
        CHECK(told.graph().hash() == compared.graph().hash());
        Topology fresh(id(0));
        fresh.update(all);
        const auto expected = fresh.statuses();
        const auto found = told.statuses();
        REQUIRE(found.size() == expected.size());
        for (const auto& [node, status] : expected) {
            CHECK(found.at(node).status == status.status);
            CHECK(found.at(node).because == status.because);
        }
    }
}

TEST_CASE("status: names are those of the local API") {
    CHECK(node_status_name(NodeStatus::Alive) == "alive");
    CHECK(node_status_name(NodeStatus::Unreachable) == "unreachable");
    CHECK(node_status_name(NodeStatus::Offline) == "offline");
    CHECK(node_status_name(NodeStatus::Left) == "left");
}

TEST_CASE("status: a dead leaf is offline, everyone else alive") {
    Topology topology(id(0));
    auto claims = claims_of(line(4));
    withdraw(claims, id(2), id(3));
    topology.update(claims);
    CHECK(status_in(topology, 0) == NodeStatus::Alive);
    CHECK(status_in(topology, 1) == NodeStatus::Alive);
    CHECK(status_in(topology, 2) == NodeStatus::Alive);
    CHECK(status_in(topology, 3) == NodeStatus::Offline);
    CHECK_FALSE(topology.is_reachable(id(3)));
}

TEST_CASE("status: behind a dead relay nodes are unreachable because of it") {
    Topology topology(id(0));
    auto claims = claims_of(line(5));
    withdraw(claims, id(1), id(2));
    topology.update(claims);
    CHECK(status_in(topology, 1) == NodeStatus::Alive);
    const auto statuses = topology.statuses();
    CHECK(statuses.at(id(2)).status == NodeStatus::Offline);
    CHECK(statuses.at(id(2)).because.empty());
    for (const std::size_t far : {3U, 4U}) {
        CHECK(statuses.at(id(far)).status == NodeStatus::Unreachable);
        CHECK(statuses.at(id(far)).because == id(2));
    }
}

TEST_CASE("status: a relay lost next to self is offline, and what is behind it unreachable") {
    Topology topology(id(0));
    auto claims = claims_of(line(3));
    withdraw(claims, id(0), id(1));
    topology.update(claims);
    CHECK(status_in(topology, 1) == NodeStatus::Offline);
    CHECK(topology.statuses().at(id(2)).because == id(1));
}

TEST_CASE("status: of two lost relays the nearest is the cause, of equally near ones the lowest") {
    // 0 - 1 - 3 - 4 and 0 - 2 - 4, 4 - 5; both 1 and 2 are lost.
    Topology topology(id(0));
    auto claims = claims_of({{id(0), id(1)},
                             {id(1), id(3)},
                             {id(3), id(4)},
                             {id(0), id(2)},
                             {id(2), id(4)},
                             {id(4), id(5)},
                             {id(1), id(6)},
                             {id(2), id(6)}});
    withdraw(claims, id(0), id(1));
    withdraw(claims, id(0), id(2));
    topology.update(claims);
    const auto statuses = topology.statuses();
    CHECK(statuses.at(id(3)).because == id(1));
    CHECK(statuses.at(id(4)).because == id(2));
    CHECK(statuses.at(id(5)).because == id(2));
    CHECK(statuses.at(id(6)).because == id(1));
}

TEST_CASE("status: a node known dead before its relay died stays offline") {
    Topology topology(id(0));
    auto claims = claims_of(line(3));
    withdraw(claims, id(1), id(2));
    withdraw(claims, id(0), id(1));
    topology.update(claims);
    CHECK(status_in(topology, 1) == NodeStatus::Offline);
    CHECK(status_in(topology, 2) == NodeStatus::Offline);
}

TEST_CASE("status: after a partition of a full mesh the whole other side is offline") {
    Topology topology(id(0));
    auto claims = claims_of(full_mesh(0, 6));
    for (std::size_t here = 0; here < 3; ++here) {
        for (std::size_t there = 3; there < 6; ++there) {
            withdraw(claims, id(here), id(there));
        }
    }
    topology.update(claims);
    for (std::size_t node = 0; node < 6; ++node) {
        CHECK(status_in(topology, node) == (node < 3 ? NodeStatus::Alive : NodeStatus::Offline));
    }
}

TEST_CASE("status: a node that claims no link is offline until its owner knows better") {
    Topology topology(id(0));
    auto claims = claims_of(line(3));
    withdraw(claims, id(1), id(2));
    withdraw(claims, id(2), id(1));
    topology.update(claims);
    CHECK(status_in(topology, 2) == NodeStatus::Offline);
}

TEST_CASE("status: a returned node is alive again") {
    Topology topology(id(0));
    auto claims = claims_of(line(3));
    topology.update(claims);
    auto broken = claims;
    withdraw(broken, id(0), id(1));
    CHECK(topology.update(broken));
    CHECK(topology.update(claims));
    CHECK(status_in(topology, 2) == NodeStatus::Alive);
    CHECK(topology.route(id(2)).has_value());
}

}  // namespace
}  // namespace meshd
