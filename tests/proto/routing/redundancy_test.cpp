// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/redundancy.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/routing/graph_support.h"

namespace meshd::test {
namespace {

bool all_settled(const NodeId&) {
    return true;
}

bool is_connected(const Graph& graph, std::size_t nodes) {
    if (graph.size() != nodes) {
        return false;
    }
    const PathTree tree = shortest_paths(graph, 0);
    return std::count(tree.cost.begin(), tree.cost.end(), Graph::kUnreachable) == 0;
}

std::vector<Link> redundant_links(const Graph& graph, const std::vector<Link>& links) {
    std::vector<Link> redundant;
    for (const Link& link : links) {
        if (is_redundant(graph, link.a, link.b, all_settled)) {
            redundant.push_back(link);
        }
    }
    return redundant;
}

std::vector<Link> without(const std::vector<Link>& links, const std::vector<Link>& gone) {
    std::vector<Link> left;
    for (const Link& link : links) {
        if (std::none_of(gone.begin(), gone.end(),
                         [&](const Link& one) { return one.a == link.a && one.b == link.b; })) {
            left.push_back(link);
        }
    }
    return left;
}

}  // namespace

TEST_CASE("redundancy: no link of a line, one of a ring, and it is the same from both ends") {
    CHECK(redundant_links(Graph(claims_of(line(5))), line(5)).empty());
    const Graph graph(claims_of(ring(6)));
    CHECK(redundant_links(graph, ring(6)).size() == 1);
    for (const Link& link : ring(6)) {
        CHECK(is_redundant(graph, link.a, link.b, all_settled) ==
              is_redundant(graph, link.b, link.a, all_settled));
    }
}

TEST_CASE("redundancy: all redundant links may go at once") {
    Prng prng(Entropy{3});
    for (int run = 0; run < 50; ++run) {
        const auto links = random_connected(prng, 20, 40);
        const auto gone = redundant_links(Graph(claims_of(links)), links);
        const auto left = without(links, gone);
        CHECK(gone.size() >= 10);
        CHECK(is_connected(Graph(claims_of(left)), 20));
        CHECK(redundant_links(Graph(claims_of(left)), left).empty());
    }
}

TEST_CASE("redundancy: who decides by a view in which others' drops are not seen parts nothing") {
    Prng prng(Entropy{4});
    for (int run = 0; run < 50; ++run) {
        const auto links = random_connected(prng, 20, 40);
        auto left = links;
        std::vector<std::vector<Link>> past{links};
        for (int drop = 0; drop < 200; ++drop) {
            const auto& view = past[prng.below(past.size())];
            const Link link = view[prng.below(view.size())];
            if (is_redundant(Graph(claims_of(view)), link.a, link.b, all_settled)) {
                left = without(left, {link});
                past.push_back(left);
            }
        }
        CHECK(is_connected(Graph(claims_of(left)), 20));
    }
}

TEST_CASE("redundancy: a way over a node whose news is young does not count") {
    const auto links = ring(6);
    const Graph graph(claims_of(links));
    const Link spare = redundant_links(graph, links).front();
    for (std::size_t young = 0; young < 6; ++young) {
        CHECK_FALSE(is_redundant(graph, spare.a, spare.b,
                                 [&](const NodeId& node) { return node != id(young); }));
    }
}

TEST_CASE("redundancy: a link that is not known cannot be missed") {
    CHECK_FALSE(is_redundant(Graph(), id(1), id(2), all_settled));
}

}  // namespace meshd::test
