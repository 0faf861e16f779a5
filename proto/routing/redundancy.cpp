// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/redundancy.h"

#include <algorithm>
#include <tuple>

namespace meshd {
namespace {

/// The place of a link in the order. Distances may tie; names do not.
auto rank(const NodeId& a, const NodeId& b) {
    const std::uint64_t up = a.hash() - b.hash();
    const std::uint64_t down = b.hash() - a.hash();
    return std::tuple<std::uint64_t, const NodeId&, const NodeId&>(std::min(up, down),
                                                                   std::min(a, b), std::max(a, b));
}

}  // namespace

bool is_redundant(const Graph& graph, const NodeId& a, const NodeId& b,
                  const std::function<bool(const NodeId&)>& is_settled) {
    const auto first = graph.find(a);
    const auto last = graph.find(b);
    if (!first || !last || !is_settled(a) || !is_settled(b)) {
        return false;
    }
    const auto own = rank(a, b);
    std::vector<bool> seen(graph.size(), false);
    std::vector<std::uint32_t> reached{*first};
    seen[*first] = true;
    for (std::size_t i = 0; i < reached.size(); ++i) {
        const NodeId& from = graph.nodes()[reached[i]];
        for (const Graph::Edge& edge : graph.edges(reached[i])) {
            const NodeId& to = graph.nodes()[edge.to];
            if (seen[edge.to] || !(rank(from, to) < own) || !is_settled(to)) {
                continue;
            }
            if (edge.to == *last) {
                return true;
            }
            seen[edge.to] = true;
            reached.push_back(edge.to);
        }
    }
    return false;
}

}  // namespace meshd
