// SPDX-License-Identifier: Apache-2.0
/// \file
/// Graphs for the tests of routing, written as lists of links.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/prng.h"
#include "proto/routing/graph.h"

namespace meshd::test {

inline NodeId id(const std::string& name) {
    return NodeId::parse(name).value();
}
/// "n00", "n01", …: order of name is order of number.
inline NodeId id(std::size_t number) {
    return id((number < 10 ? "n0" : "n") + std::to_string(number));
}

struct Link {
    NodeId a;
    NodeId b;
    std::uint8_t cost_class = 0;
};

/// Claims of `nodes` nodes and of those named in `links`, each link claimed by both ends.
inline std::vector<NodeLinks> claims_of(const std::vector<Link>& links, std::size_t nodes = 0) {
    std::map<NodeId, NodeLinks> claims;
    const auto of = [&](const NodeId& node) -> NodeLinks& {
        NodeLinks& claim = claims[node];
        claim.node = node;
        return claim;
    };
    for (std::size_t i = 0; i < nodes; ++i) {
        of(id(i));
    }
    for (const Link& link : links) {
        of(link.a).links.emplace_back(link.b, link.cost_class);
        of(link.b).links.emplace_back(link.a, link.cost_class);
    }
    std::vector<NodeLinks> all;
    for (auto& [node, claim] : claims) {
        all.push_back(std::move(claim));
    }
    return all;
}

inline std::vector<Link> line(std::size_t nodes) {
    std::vector<Link> links;
    for (std::size_t i = 1; i < nodes; ++i) {
        links.push_back({id(i - 1), id(i)});
    }
    return links;
}

inline std::vector<Link> ring(std::size_t nodes) {
    std::vector<Link> links = line(nodes);
    links.push_back({id(nodes - 1), id(std::size_t{0})});
    return links;
}

/// All pairs among the numbers from `first` to below `end`.
inline std::vector<Link> full_mesh(std::size_t first, std::size_t end) {
    std::vector<Link> links;
    for (std::size_t i = first; i < end; ++i) {
        for (std::size_t j = i + 1; j < end; ++j) {
            links.push_back({id(i), id(j)});
        }
    }
    return links;
}

/// A connected graph: a random tree and `extra` links more, of random cost class.
inline std::vector<Link> random_connected(Prng& prng, std::size_t nodes, std::size_t extra) {
    std::vector<Link> links;
    const auto cost_class = [&] { return static_cast<std::uint8_t>(prng.below(3)); };
    for (std::size_t i = 1; i < nodes; ++i) {
        links.push_back({id(i), id(prng.below(i)), cost_class()});
    }
    for (std::size_t i = 0; i < extra; ++i) {
        const std::size_t a = prng.below(nodes);
        const std::size_t b = prng.below(nodes);
        if (a != b) {
            links.push_back({id(a), id(b), cost_class()});
        }
    }
    return links;
}

template <class T>
void shuffle(Prng& prng, std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
        std::swap(items[i - 1], items[prng.below(i)]);
    }
}

inline std::vector<Graph::Edge> edges_of(const Graph& graph, std::uint32_t vertex) {
    const auto edges = graph.edges(vertex);
    return {edges.begin(), edges.end()};
}

}  // namespace meshd::test
