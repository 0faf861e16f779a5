// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/topology.h"

#include <algorithm>

#include "proto/base/assert.h"

namespace meshd {
namespace {

Route trace(const Graph& graph, const PathTree& tree, std::uint32_t to) {
    Route route;
    route.destination = graph.nodes()[to];
    route.hops = tree.hops[to];
    route.cost = tree.cost[to];
    for (std::uint32_t v = to; v != tree.root; v = tree.parent[v]) {
        route.path.push_back(graph.nodes()[v]);
    }
    std::reverse(route.path.begin(), route.path.end());
    route.next_peer = route.path.front();
    return route;
}

}  // namespace

std::string_view node_status_name(NodeStatus status) {
    switch (status) {
        case NodeStatus::Alive:
            return "alive";
        case NodeStatus::Unreachable:
            return "unreachable";
        case NodeStatus::Offline:
            return "offline";
        case NodeStatus::Left:
            return "left";
    }
    MESHD_ASSERT(false);
}

/// A graph with what was asked of it. Of an origin's tree only self's children are cached, a
/// handful of numbers: whole trees of every origin would be 12 MB per graph at 1 000 nodes.
struct Topology::Kept {
    Graph graph;
    std::optional<std::uint32_t> self;
    /// By origin, at most one entry per vertex; nothing where the origin has no path to self.
    std::map<std::uint32_t, std::optional<std::vector<std::uint32_t>>> children;
    std::optional<PathTree> own_tree;

    const PathTree* tree_from_self() {
        if (!self) {
            return nullptr;
        }
        if (!own_tree) {
            own_tree = shortest_paths(graph, *self);
        }
        return &*own_tree;
    }

    const std::optional<std::vector<std::uint32_t>>& children_below(std::uint32_t origin) {
        const auto [it, is_new] = children.try_emplace(origin);
        if (is_new) {
            const PathTree tree = shortest_paths(graph, origin);
            if (tree.cost[*self] != Graph::kUnreachable) {
                it->second = meshd::children(tree, *self);
            }
        }
        return it->second;
    }
};

Topology::Topology(NodeId self) : self_(std::move(self)) {
    graphs_.push_front(std::make_shared<Kept>());
}

bool Topology::update(const std::vector<NodeLinks>& claims) {
    claims_ = claims;
    Graph graph(claims);
    if (graph == graphs_.front()->graph) {
        return false;
    }
    const auto known = std::find_if(graphs_.begin(), graphs_.end(),
                                    [&](const auto& kept) { return kept->graph == graph; });
    if (known != graphs_.end()) {
        std::rotate(graphs_.begin(), known, known + 1);
        return true;
    }
    auto kept = std::make_shared<Kept>();
    kept->graph = std::move(graph);
    kept->self = kept->graph.find(self_);
    graphs_.push_front(std::move(kept));
    if (graphs_.size() > kGraphsKept) {
        graphs_.pop_back();
    }
    return true;
}

const Graph& Topology::graph() const {
    return graphs_.front()->graph;
}

std::optional<std::vector<NodeId>> Topology::children_of(const NodeId& origin,
                                                         std::uint32_t hash) const {
    const auto it = std::find_if(graphs_.begin(), graphs_.end(),
                                 [&](const auto& kept) { return kept->graph.hash() == hash; });
    if (it == graphs_.end()) {
        return std::nullopt;
    }
    Kept& kept = **it;
    const auto root = kept.graph.find(origin);
    if (!root || !kept.self) {
        return std::nullopt;
    }
    const auto& vertices = kept.children_below(*root);
    if (!vertices) {
        return std::nullopt;
    }
    std::vector<NodeId> peers;
    peers.reserve(vertices->size());
    for (const std::uint32_t v : *vertices) {
        peers.push_back(kept.graph.nodes()[v]);
    }
    return peers;
}

bool Topology::spans(std::uint32_t hash, const NodeId& node) const {
    const auto it = std::find_if(graphs_.begin(), graphs_.end(),
                                 [&](const auto& kept) { return kept->graph.hash() == hash; });
    if (it == graphs_.end()) {
        return false;
    }
    const PathTree* tree = (*it)->tree_from_self();
    const auto vertex = (*it)->graph.find(node);
    return tree && vertex && tree->cost[*vertex] != Graph::kUnreachable;
}

std::optional<Route> Topology::route(const NodeId& destination) const {
    Kept& kept = *graphs_.front();
    const PathTree* tree = kept.tree_from_self();
    const auto to = kept.graph.find(destination);
    if (!tree || !to || *to == tree->root || tree->cost[*to] == Graph::kUnreachable) {
        return std::nullopt;
    }
    return trace(kept.graph, *tree, *to);
}

std::vector<Route> Topology::routes() const {
    std::vector<Route> found;
    Kept& kept = *graphs_.front();
    const PathTree* tree = kept.tree_from_self();
    if (!tree) {
        return found;
    }
    for (std::uint32_t v = 0; v < kept.graph.size(); ++v) {
        if (v != tree->root && tree->cost[v] != Graph::kUnreachable) {
            found.push_back(trace(kept.graph, *tree, v));
        }
    }
    return found;
}

bool Topology::is_reachable(const NodeId& node) const {
    return node == self_ || spans(graphs_.front()->graph.hash(), node);
}

std::map<NodeId, StatusOf> Topology::statuses() const {
    std::map<NodeId, StatusOf> found;
    found[self_] = {NodeStatus::Alive, {}};
    for (const NodeLinks& claim : claims_) {
        found[claim.node].status =
            is_reachable(claim.node) ? NodeStatus::Alive : NodeStatus::Offline;
    }

    // Multi-source breadth first from the lost nodes at the border, in order of name: a node behind
    // them is reached first from the nearest, of equally near ones from the lowest.
    const Graph& confirmed = graph();
    std::map<NodeId, NodeId> lost_by;
    for (const NodeLinks& claim : claims_) {
        const bool at_border =
            std::any_of(claim.links.begin(), claim.links.end(),
                        [&](const auto& link) { return is_reachable(link.first); });
        if (found[claim.node].status != NodeStatus::Alive && at_border) {
            lost_by.emplace(claim.node, claim.node);
        }
    }
    std::deque<NodeId> frontier;
    for (const auto& [node, cause] : lost_by) {
        frontier.push_back(node);
    }
    while (!frontier.empty()) {
        const NodeId node = std::move(frontier.front());
        frontier.pop_front();
        const NodeId cause = lost_by[node];
        if (cause != node) {
            found[node] = {NodeStatus::Unreachable, cause};
        }
        const auto vertex = confirmed.find(node);
        if (!vertex) {
            continue;
        }
        for (const Graph::Edge& edge : confirmed.edges(*vertex)) {
            const NodeId& next = confirmed.nodes()[edge.to];
            if (lost_by.emplace(next, cause).second) {
                frontier.push_back(next);
            }
        }
    }
    return found;
}

}  // namespace meshd
