// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/graph.h"

#include <algorithm>
#include <queue>

#include "proto/base/assert.h"
#include "proto/base/bytes.h"
#include "proto/base/hash.h"

namespace meshd {
namespace {

constexpr std::uint32_t kCosts[] = {10, 20, 60};

/// Vertex and cost class, sorted by vertex.
using Claimed = std::vector<std::pair<std::uint32_t, std::uint8_t>>;

std::optional<std::uint8_t> claimed_class(const Claimed& claimed, std::uint32_t to) {
    // Of repeated claims the last is the worst.
    const auto it = std::upper_bound(claimed.begin(), claimed.end(), to,
                                     [](std::uint32_t v, const auto& c) { return v < c.first; });
    if (it == claimed.begin() || std::prev(it)->first != to) {
        return std::nullopt;
    }
    return std::prev(it)->second;
}

std::vector<Claimed> index_claims(const std::vector<NodeLinks>& claims,
                                  const std::vector<NodeId>& names) {
    std::vector<Claimed> claimed(names.size());
    for (const NodeLinks& claim : claims) {
        const std::uint32_t from = *find_sorted(names, claim.node);
        for (const auto& [node, cost_class] : claim.links) {
            const auto to = find_sorted(names, node);
            if (to && *to != from) {
                claimed[from].emplace_back(*to, cost_class);
            }
        }
    }
    for (Claimed& one : claimed) {
        std::sort(one.begin(), one.end());
    }
    return claimed;
}

/// The confirmed edges of each name in `names`, `to` counting in `names`.
std::vector<std::vector<Graph::Edge>> confirmed_edges(const std::vector<Claimed>& claimed) {
    std::vector<std::vector<Graph::Edge>> edges(claimed.size());
    for (std::uint32_t from = 0; from < claimed.size(); ++from) {
        for (const auto& [to, mine] : claimed[from]) {
            const auto theirs = claimed_class(claimed[to], from);
            if (!theirs) {
                continue;
            }
            const std::uint32_t cost = std::max(link_cost(mine), link_cost(*theirs));
            if (!edges[from].empty() && edges[from].back().to == to) {
                edges[from].back().cost = cost;
            } else {
                edges[from].push_back({to, cost});
            }
        }
    }
    return edges;
}

std::uint64_t mix_hashes(std::uint64_t first, std::uint64_t second) {
    std::uint64_t mix = first * 0x9e3779b97f4a7c15U + second;
    mix = (mix ^ (mix >> 30)) * 0xbf58476d1ce4e5b9U;
    mix = (mix ^ (mix >> 27)) * 0x94d049bb133111ebU;
    return mix ^ (mix >> 31);
}

/// True also for `above` itself.
bool is_below(const PathTree& tree, std::uint32_t vertex, std::uint32_t above) {
    while (vertex != above && tree.parent[vertex] != vertex) {
        vertex = tree.parent[vertex];
    }
    return vertex == above;
}

}  // namespace

std::uint32_t link_cost(std::uint8_t cost_class) {
    return kCosts[std::min<std::size_t>(cost_class, std::size(kCosts) - 1)];
}

std::optional<std::uint32_t> find_sorted(const std::vector<NodeId>& nodes, const NodeId& node) {
    const auto it = std::lower_bound(nodes.begin(), nodes.end(), node);
    if (it == nodes.end() || *it != node) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(it - nodes.begin());
}

Graph::Graph(const std::vector<NodeLinks>& claims) {
    std::vector<NodeId> names;
    names.reserve(claims.size());
    for (const NodeLinks& claim : claims) {
        names.push_back(claim.node);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    *this = Graph(names, confirmed_edges(index_claims(claims, names)), Graph());
}

Graph::Graph(const std::vector<NodeId>& names, const std::vector<std::vector<Edge>>& confirmed,
             const Graph& like) {
    std::vector<std::uint32_t> vertex_of(names.size(), 0);
    std::uint32_t vertices = 0;
    std::size_t edges = 0;
    bool is_like = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!confirmed[i].empty()) {
            is_like = is_like && vertices < like.size() && like.nodes()[vertices] == names[i];
            vertex_of[i] = vertices++;
            edges += confirmed[i].size();
        }
    }
    if (is_like && vertices == like.size()) {
        nodes_ = like.nodes_;
    } else {
        std::vector<NodeId> nodes;
        nodes.reserve(vertices);
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (!confirmed[i].empty()) {
                nodes.push_back(names[i]);
            }
        }
        nodes_ = std::make_shared<const std::vector<NodeId>>(std::move(nodes));
    }
    begins_.reserve(vertices + 1);
    edges_.reserve(edges);
    for (const std::vector<Edge>& mine : confirmed) {
        if (mine.empty()) {
            continue;
        }
        for (const Edge& edge : mine) {
            edges_.push_back({vertex_of[edge.to], edge.cost});
        }
        begins_.push_back(static_cast<std::uint32_t>(edges_.size()));
    }
}

bool operator==(const Graph& a, const Graph& b) {
    return a.begins_ == b.begins_ && a.edges_ == b.edges_ &&
           (a.nodes_ == b.nodes_ || *a.nodes_ == *b.nodes_);
}

std::uint32_t Graph::hash() const {
    if (!hash_) {
        Buffer bytes;
        bytes.reserve(edges_.size() / 2 * 20);
        for (std::uint32_t v = 0; v < size(); ++v) {
            for (const Edge& edge : edges(v)) {
                if (v < edge.to) {
                    append_big_endian<8>(bytes, nodes()[v].hash());
                    append_big_endian<8>(bytes, nodes()[edge.to].hash());
                    append_big_endian<4>(bytes, edge.cost);
                }
            }
        }
        hash_ = bytes.empty()
                    ? 1
                    : std::max<std::uint32_t>(1, static_cast<std::uint32_t>(hash64(bytes) >> 32));
    }
    return *hash_;
}

std::optional<std::uint32_t> Graph::find(const NodeId& node) const {
    return find_sorted(*nodes_, node);
}

bool Graph::has_edge(const NodeId& a, const NodeId& b) const {
    const auto from = find(a);
    const auto to = find(b);
    if (!from || !to) {
        return false;
    }
    const auto mine = edges(*from);
    return std::any_of(mine.begin(), mine.end(), [&](const Edge& edge) { return edge.to == *to; });
}

std::uint64_t tie_hash(const NodeId& parent, const NodeId& child) {
    return mix_hashes(parent.hash(), child.hash());
}

std::uint64_t announcer_hash(const NodeId& origin, const NodeId& vertex, const NodeId& neighbour) {
    return mix_hashes(mix_hashes(origin.hash(), vertex.hash()), neighbour.hash());
}

PathTree shortest_paths(const Graph& graph, std::uint32_t root) {
    MESHD_ASSERT(root < graph.size());
    const std::size_t size = graph.size();
    PathTree tree;
    tree.root = root;
    tree.cost.assign(size, Graph::kUnreachable);
    tree.hops.assign(size, 0);
    tree.parent.resize(size);
    for (std::uint32_t v = 0; v < size; ++v) {
        tree.parent[v] = v;
    }
    using Reached = std::pair<std::uint32_t, std::uint32_t>;  // cost, vertex
    std::priority_queue<Reached, std::vector<Reached>, std::greater<>> frontier;
    tree.cost[root] = 0;
    frontier.emplace(0, root);
    while (!frontier.empty()) {
        const auto [cost, from] = frontier.top();
        frontier.pop();
        if (cost != tree.cost[from]) {
            continue;
        }
        // Every edge costs something, so all parents that could tie for `from` are settled by now.
        tree.hops[from] = from == root ? 0 : tree.hops[tree.parent[from]] + 1;
        for (const Graph::Edge& edge : graph.edges(from)) {
            const std::uint32_t through = cost + edge.cost;
            if (through < tree.cost[edge.to]) {
                tree.cost[edge.to] = through;
                tree.parent[edge.to] = from;
                frontier.emplace(through, edge.to);
            } else if (through == tree.cost[edge.to]) {
                const auto rank = [&](std::uint32_t parent) {
                    return std::pair(tie_hash(graph.nodes()[parent], graph.nodes()[edge.to]),
                                     parent);
                };
                if (rank(from) < rank(tree.parent[edge.to])) {
                    tree.parent[edge.to] = from;
                }
            }
        }
    }
    return tree;
}

std::vector<std::uint32_t> children(const PathTree& tree, std::uint32_t vertex) {
    std::vector<std::uint32_t> found;
    for (std::uint32_t v = 0; v < tree.parent.size(); ++v) {
        if (tree.parent[v] == vertex && v != vertex) {
            found.push_back(v);
        }
    }
    return found;
}

std::vector<std::uint32_t> answers_for(const Graph& graph, const PathTree& tree,
                                       std::uint32_t vertex) {
    std::vector<std::uint32_t> found;
    for (const Graph::Edge& edge : graph.edges(vertex)) {
        const std::uint32_t peer = edge.to;
        // Who gets the record only through the peer is no help to it.
        const auto may_answer = [&](std::uint32_t v) {
            return v != tree.parent[peer] && !is_below(tree, v, peer);
        };
        if (peer == tree.root || !may_answer(vertex)) {
            continue;
        }
        const auto rank = [&](std::uint32_t v) {
            return std::pair(
                announcer_hash(graph.nodes()[tree.root], graph.nodes()[peer], graph.nodes()[v]), v);
        };
        std::size_t before = 0;
        for (const Graph::Edge& other : graph.edges(peer)) {
            if (may_answer(other.to) && rank(other.to) < rank(vertex)) {
                before += 1;
            }
        }
        if (before < kAnnouncersPerNode) {
            found.push_back(peer);
        }
    }
    return found;
}

}  // namespace meshd
