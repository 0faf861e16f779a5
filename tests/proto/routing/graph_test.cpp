// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/graph.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;

/// Bellman-Ford: slow, and too simple to be wrong in the same way.
std::vector<std::uint32_t> costs_by_relaxation(const Graph& graph, std::uint32_t root) {
    std::vector<std::uint32_t> cost(graph.size(), Graph::kUnreachable);
    cost[root] = 0;
    for (std::size_t round = 0; round < graph.size(); ++round) {
        for (std::uint32_t v = 0; v < graph.size(); ++v) {
            for (const Graph::Edge& edge : graph.edges(v)) {
                if (cost[v] != Graph::kUnreachable) {
                    cost[edge.to] = std::min(cost[edge.to], cost[v] + edge.cost);
                }
            }
        }
    }
    return cost;
}

TEST_CASE("graph: a link costs 10, 20 or 60 by class, and an unknown class counts as bad") {
    CHECK(link_cost(0) == 10);
    CHECK(link_cost(1) == 20);
    CHECK(link_cost(2) == 60);
    CHECK(link_cost(3) == 60);
    CHECK(link_cost(255) == 60);
}

TEST_CASE("graph: an edge needs the claim of both ends and has the worse class of the two") {
    const NodeId a = id("a");
    const NodeId b = id("b");
    const NodeId c = id("c");
    const Graph graph({{c, {}}, {b, {{a, 1}, {c, 0}}}, {a, {{b, 0}, {id("nobody"), 0}, {a, 0}}}});
    REQUIRE(graph.size() == 2);
    CHECK(graph.nodes() == std::vector{a, b});
    CHECK(graph.has_edge(a, b));
    CHECK(graph.has_edge(b, a));
    CHECK_FALSE(graph.has_edge(b, c));
    CHECK_FALSE(graph.has_edge(a, a));
    CHECK_FALSE(graph.has_edge(a, id("nobody")));
    CHECK_FALSE(graph.find(c).has_value());
    CHECK(edges_of(graph, 0) == std::vector<Graph::Edge>{{1, 20}});
    CHECK(edges_of(graph, 1) == std::vector<Graph::Edge>{{0, 20}});
}

TEST_CASE("graph: repeated claims count once, at their worst class") {
    const NodeId a = id("a");
    const NodeId b = id("b");
    const Graph graph({{a, {{b, 2}, {b, 0}}}, {b, {{a, 0}}}, {b, {{a, 1}}}});
    CHECK(edges_of(graph, 0) == std::vector<Graph::Edge>{{1, 60}});
    CHECK(edges_of(graph, 1) == std::vector<Graph::Edge>{{0, 60}});
}

TEST_CASE("graph: the hash follows edges and costs, and neither order nor lonely nodes") {
    Prng prng({1});
    auto claims = claims_of(random_connected(prng, 20, 20));
    const Graph graph(claims);
    claims.push_back({id("lonely"), {{id(0), 0}}});
    shuffle(prng, claims);
    for (NodeLinks& claim : claims) {
        shuffle(prng, claim.links);
    }
    CHECK(Graph(claims) == graph);
    CHECK(Graph(claims).hash() == graph.hash());

    const Graph two(claims_of({{id("a"), id("b")}}));
    CHECK(two.hash() != Graph(claims_of({{id("a"), id("b"), 1}})).hash());
    CHECK(two.hash() != Graph(claims_of({{id("a"), id("c")}})).hash());
    CHECK(two.hash() != Graph(claims_of({{id("a"), id("b")}, {id("b"), id("c")}})).hash());
}

TEST_CASE("graph: the graph without edges has hash 1") {
    CHECK(Graph().hash() == 1);
    CHECK(Graph(std::vector<NodeLinks>{}).hash() == 1);
    CHECK(Graph(claims_of({}, 3)) == Graph());
}

TEST_CASE("graph: hash and ties keep the values other versions compute") {
    CHECK(Graph(claims_of({{id("a"), id("b")}})).hash() == 246057981U);
    CHECK(tie_hash(id("a"), id("b")) == 13416712877650132698U);
}

TEST_CASE("paths: in a line cost and hops rise along it") {
    const Graph graph(claims_of(line(5)));
    const PathTree tree = shortest_paths(graph, 0);
    CHECK(tree.cost == std::vector<std::uint32_t>{0, 10, 20, 30, 40});
    CHECK(tree.hops == std::vector<std::uint32_t>{0, 1, 2, 3, 4});
    CHECK(tree.parent == std::vector<std::uint32_t>{0, 0, 1, 2, 3});
    CHECK(children(tree, 2) == std::vector<std::uint32_t>{3});
    CHECK(children(tree, 4).empty());
}

TEST_CASE("paths: in a full mesh everyone is the origin's child") {
    const Graph graph(claims_of(full_mesh(0, 6)));
    for (std::uint32_t root = 0; root < 6; ++root) {
        CHECK(children(shortest_paths(graph, root), root).size() == 5);
    }
}

TEST_CASE("paths: a star has its hub as the only relay") {
    std::vector<Link> links;
    for (std::size_t i = 1; i < 7; ++i) {
        links.push_back({id(0), id(i)});
    }
    const Graph graph(claims_of(links));
    const PathTree tree = shortest_paths(graph, 3);
    CHECK(children(tree, 3) == std::vector<std::uint32_t>{0});
    CHECK(children(tree, 0) == std::vector<std::uint32_t>{1, 2, 4, 5, 6});
}

TEST_CASE("paths: two good links are better than one bad link") {
    const Graph graph(claims_of({{id("a"), id("b")}, {id("b"), id("c")}, {id("a"), id("c"), 2}}));
    const PathTree tree = shortest_paths(graph, 0);
    CHECK(tree.cost[2] == 20);
    CHECK(tree.hops[2] == 2);
    CHECK(tree.parent[2] == 1);
}

TEST_CASE("paths: the other side of a partition has no path") {
    auto links = full_mesh(0, 3);
    const auto apart = full_mesh(3, 6);
    links.insert(links.end(), apart.begin(), apart.end());
    const PathTree tree = shortest_paths(Graph(claims_of(links)), 1);
    for (std::uint32_t v = 3; v < 6; ++v) {
        CHECK(tree.cost[v] == Graph::kUnreachable);
        CHECK(tree.parent[v] == v);
        CHECK(children(tree, v).empty());
    }
}

TEST_CASE("paths: of equally good parents the one with the lowest tie hash wins") {
    // A ring of even size has one node opposite the root with two equal paths.
    for (std::size_t size = 4; size <= 20; size += 2) {
        const Graph graph(claims_of(ring(size)));
        const auto at = [](std::size_t v) { return static_cast<std::uint32_t>(v); };
        const PathTree tree = shortest_paths(graph, 0);
        const std::uint32_t far = at(size / 2);
        const std::uint32_t left = at(size / 2 - 1);
        const std::uint32_t right = at((size / 2 + 1) % size);
        const auto& names = graph.nodes();
        const bool left_wins =
            tie_hash(names[left], names[far]) < tie_hash(names[right], names[far]);
        CHECK(tree.parent[far] == (left_wins ? left : right));
    }
}

TEST_CASE("paths: costs are those of a plain relaxation, and parents are the best of all ties") {
    Prng prng({2});
    for (int round = 0; round < 50; ++round) {
        const std::size_t size = 2 + prng.below(30);
        const Graph graph(claims_of(random_connected(prng, size, prng.below(3 * size))));
        const auto root = static_cast<std::uint32_t>(prng.below(graph.size()));
        const PathTree tree = shortest_paths(graph, root);
        REQUIRE(tree.cost == costs_by_relaxation(graph, root));
        for (std::uint32_t v = 0; v < graph.size(); ++v) {
            if (v == root) {
                continue;
            }
            REQUIRE(tree.hops[v] == tree.hops[tree.parent[v]] + 1);
            const auto tie = [&](std::uint32_t parent) {
                return tie_hash(graph.nodes()[parent], graph.nodes()[v]);
            };
            for (const Graph::Edge& edge : graph.edges(v)) {
                if (tree.cost[edge.to] + edge.cost == tree.cost[v]) {
                    REQUIRE(tie(tree.parent[v]) <= tie(edge.to));
                }
            }
        }
    }
}

}  // namespace
}  // namespace meshd
