// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <deque>

#include "proto/routing/topology.h"
#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;

std::map<NodeId, Topology> topologies(Prng& prng, std::vector<NodeLinks> claims) {
    std::map<NodeId, Topology> nodes;
    std::vector<NodeId> names;
    for (const NodeLinks& claim : claims) {
        names.push_back(claim.node);
    }
    for (const NodeId& name : names) {
        // No two nodes have learned the records in one order.
        shuffle(prng, claims);
        nodes.emplace(name, name).first->second.update(claims);
    }
    return nodes;
}

/// Copies each node gets of a push by `origin`; every node decides by its own topology alone.
std::map<NodeId, unsigned> spread(const std::map<NodeId, Topology>& nodes, const NodeId& origin,
                                  std::uint32_t hash) {
    std::map<NodeId, unsigned> copies;
    std::deque<NodeId> frontier{origin};
    std::size_t sent = 0;
    while (!frontier.empty()) {
        const Topology& at = nodes.at(frontier.front());
        const NodeId sender = frontier.front();
        frontier.pop_front();
        const auto peers = at.children_of(origin, hash);
        REQUIRE(peers.has_value());
        for (const NodeId& peer : *peers) {
            REQUIRE(at.graph().has_edge(sender, peer));
            REQUIRE(++sent <= nodes.size());
            ++copies[peer];
            frontier.push_back(peer);
        }
    }
    return copies;
}

void check_all_reached_once(const std::map<NodeId, Topology>& nodes) {
    const std::uint32_t hash = nodes.begin()->second.graph().hash();
    for (const auto& [origin, topology] : nodes) {
        REQUIRE(topology.graph().hash() == hash);
        const auto copies = spread(nodes, origin, hash);
        REQUIRE(copies.size() == nodes.size() - 1);
        REQUIRE(copies.count(origin) == 0);
        for (const auto& [node, count] : copies) {
            REQUIRE(count == 1);
        }
    }
}

TEST_CASE("spreading: line, ring, star and full mesh are covered once from every origin") {
    Prng prng({4});
    std::vector<Link> star;
    for (std::size_t i = 1; i < 9; ++i) {
        star.push_back({id(0), id(i)});
    }
    for (const auto& links : {line(9), ring(9), ring(10), star, full_mesh(0, 9)}) {
        check_all_reached_once(topologies(prng, claims_of(links)));
    }
}

TEST_CASE("spreading: random graphs are covered exactly once from every origin") {
    Prng prng({5});
    for (int round = 0; round < 40; ++round) {
        const std::size_t size = 2 + prng.below(39);
        const std::size_t extra = prng.below(3 * size);
        CAPTURE(round);
        CAPTURE(size);
        check_all_reached_once(topologies(prng, claims_of(random_connected(prng, size, extra))));
    }
}

TEST_CASE("spreading: a ring of equal costs is cut in one place by every node alike") {
    Prng prng({6});
    for (std::size_t size = 4; size <= 16; size += 2) {
        check_all_reached_once(topologies(prng, claims_of(ring(size))));
    }
}

TEST_CASE("spreading: a push along a graph that is no longer current still covers it") {
    Prng prng({7});
    const auto before = claims_of(random_connected(prng, 12, 10));
    auto nodes = topologies(prng, before);
    const std::uint32_t hash = nodes.begin()->second.graph().hash();
    // Half of the nodes have already heard of a link more.
    auto after = before;
    after.push_back({id("new"), {{before[0].node, 0}}});
    after[0].links.emplace_back(id("new"), 0);
    std::size_t number = 0;
    for (auto& [name, topology] : nodes) {
        if (number++ % 2 == 0) {
            REQUIRE(topology.update(after));
        }
    }
    const auto copies = spread(nodes, id(5), hash);
    CHECK(copies.size() == nodes.size() - 1);
}

TEST_CASE("spreading: an origin on the other side of a partition means flooding") {
    auto links = line(3);
    links.push_back({id(3), id(4)});
    Topology topology(id(1));
    topology.update(claims_of(links));
    const std::uint32_t hash = topology.graph().hash();
    CHECK(topology.children_of(id(0), hash) == std::vector{id(2)});
    CHECK(topology.children_of(id(2), hash) == std::vector{id(0)});
    CHECK_FALSE(topology.children_of(id(3), hash).has_value());
    CHECK_FALSE(topology.children_of(id("stranger"), hash).has_value());
}

TEST_CASE("announcers: two answer for each node that has two neighbours besides its family") {
    Prng prng(Entropy{3});
    for (int round = 0; round < 60; ++round) {
        const std::size_t nodes = 5 + prng.below(30);
        std::vector<Link> links = line(nodes);
        for (std::size_t i = 0; i < 2 * nodes; ++i) {
            const std::size_t a = prng.below(nodes);
            const std::size_t b = prng.below(nodes);
            if (a != b) {
                links.push_back({id(a), id(b), static_cast<std::uint8_t>(prng.below(3))});
            }
        }
        const Graph graph(claims_of(links));
        const PathTree tree =
            shortest_paths(graph, static_cast<std::uint32_t>(prng.below(graph.size())));
        std::vector<std::size_t> answered(graph.size(), 0);
        for (std::uint32_t v = 0; v < graph.size(); ++v) {
            for (const std::uint32_t peer : answers_for(graph, tree, v)) {
                answered[peer] += 1;
                CHECK(tree.parent[peer] != v);
                CHECK(tree.parent[v] != peer);
                // What `v` has, it has without the peer.
                for (std::uint32_t up = v; up != tree.root; up = tree.parent[up]) {
                    CHECK(up != peer);
                }
            }
        }
        for (std::uint32_t v = 0; v < graph.size(); ++v) {
            std::size_t helpers = 0;
            for (const Graph::Edge& edge : graph.edges(v)) {
                bool is_below = false;
                for (std::uint32_t up = edge.to; up != tree.root; up = tree.parent[up]) {
                    is_below = is_below || up == v;
                }
                helpers += !is_below && edge.to != tree.parent[v] ? 1 : 0;
            }
            CHECK(answered[v] == (v == tree.root ? 0 : std::min(helpers, kAnnouncersPerNode)));
        }
    }
}

TEST_CASE("announcers: the topology names the peers that self answers for in a kept tree") {
    // A square with its author at n00: n01 and n02 are its children, n03 hangs below one of them.
    const std::vector<Link> square = {
        {id(0), id(1)}, {id(0), id(2)}, {id(1), id(3)}, {id(2), id(3)}};
    std::size_t announcing = 0;
    for (const std::size_t self : {1U, 2U}) {
        Topology topology(id(self));
        topology.update(claims_of(square));
        const std::uint32_t hash = topology.graph().hash();
        const bool is_parent = !topology.children_of(id(0), hash)->empty();
        const auto repairs = topology.repairs_of(id(0), hash);
        CHECK(repairs == (is_parent ? std::vector<NodeId>() : std::vector<NodeId>{id(3)}));
        announcing += repairs.size();
        CHECK(topology.repairs_of(id(0), hash + 1).empty());
        CHECK(topology.repairs_of(id(9), hash).empty());
    }
    CHECK(announcing == 1);
}

}  // namespace
}  // namespace meshd
