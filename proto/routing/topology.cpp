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

/// Self in the tree of one origin: all that is asked of that tree.
struct Topology::Place {
    std::vector<NodeId> children;
    std::vector<NodeId> repairs;
};

/// A graph with what was asked of it. Of an origin's tree only self's place is cached, a handful of
/// names: whole trees of every origin would be 12 MB per graph at 1 000 nodes.
struct Topology::Kept {
    Graph graph;
    std::optional<std::uint32_t> self;
    /// By origin, at most one entry per vertex; nothing where the origin has no path to self.
    mutable std::map<std::uint32_t, std::optional<Place>> places;
    mutable std::optional<PathTree> own_tree;

    const PathTree* tree_from_self() const {
        if (!self) {
            return nullptr;
        }
        if (!own_tree) {
            own_tree = shortest_paths(graph, *self);
        }
        return &*own_tree;
    }

    const std::optional<Place>& place(std::uint32_t origin) const {
        const auto [it, is_new] = places.try_emplace(origin);
        if (is_new) {
            const PathTree tree = shortest_paths(graph, origin);
            if (tree.cost[*self] != Graph::kUnreachable) {
                it->second = Place{names(meshd::children(tree, *self)),
                                   names(answers_for(graph, tree, *self))};
            }
        }
        return it->second;
    }

    std::vector<NodeId> names(const std::vector<std::uint32_t>& vertices) const {
        std::vector<NodeId> found;
        found.reserve(vertices.size());
        for (const std::uint32_t v : vertices) {
            found.push_back(graph.nodes()[v]);
        }
        return found;
    }
};

Topology::Topology(NodeId self) : self_(std::move(self)) {
    graphs_.push_front(std::make_shared<Kept>());
}

bool Topology::update(const std::vector<NodeLinks>& claims) {
    withdrawn_.clear();
    std::map<NodeId, const NodeLinks*> now;
    for (const NodeLinks& claim : claims) {
        now.emplace(claim.node, &claim);
    }
    for (const NodeLinks& before : claims_) {
        const auto found = now.find(before.node);
        if (found == now.end() || found->second->links == before.links) {
            continue;
        }
        for (const auto& [peer, cost_class] : before.links) {
            const auto& links = found->second->links;
            if (std::none_of(links.begin(), links.end(),
                             [&](const auto& link) { return link.first == peer; })) {
                withdrawn_.emplace_back(before.node, peer);
            }
        }
    }
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

const Topology::Kept* Topology::kept(std::uint32_t hash) const {
    const auto it = std::find_if(graphs_.begin(), graphs_.end(),
                                 [&](const auto& one) { return one->graph.hash() == hash; });
    return it == graphs_.end() ? nullptr : it->get();
}

const Topology::Place* Topology::place_in_tree(const NodeId& origin, std::uint32_t hash) const {
    const Kept* known = kept(hash);
    const auto root = known != nullptr ? known->graph.find(origin) : std::nullopt;
    if (!root || !known->self) {
        return nullptr;
    }
    const auto& place = known->place(*root);
    return place ? &*place : nullptr;
}

std::optional<std::vector<NodeId>> Topology::children_of(const NodeId& origin,
                                                         std::uint32_t hash) const {
    const Place* place = place_in_tree(origin, hash);
    return place != nullptr ? std::optional(place->children) : std::nullopt;
}

std::vector<NodeId> Topology::repairs_of(const NodeId& origin, std::uint32_t hash) const {
    const Place* place = place_in_tree(origin, hash);
    return place != nullptr ? place->repairs : std::vector<NodeId>();
}

bool Topology::spans(std::uint32_t hash, const NodeId& node) const {
    const Kept* known = kept(hash);
    const PathTree* tree = known != nullptr ? known->tree_from_self() : nullptr;
    if (tree == nullptr) {
        return false;
    }
    const auto vertex = known->graph.find(node);
    return vertex && tree->cost[*vertex] != Graph::kUnreachable;
}

std::vector<std::vector<NodeId>> Topology::paths_around(const NodeId& avoid,
                                                        const std::vector<NodeId>& to) const {
    std::vector<std::vector<NodeId>> paths;
    const Kept& kept = *graphs_.front();
    const Graph& confirmed = kept.graph;
    if (!kept.self) {
        return paths;
    }
    std::vector<std::uint32_t> parent(confirmed.size(), Graph::kUnreachable);
    parent[*kept.self] = *kept.self;
    const auto avoided = confirmed.find(avoid);
    std::deque<std::uint32_t> frontier = {*kept.self};
    while (!frontier.empty()) {
        const std::uint32_t vertex = frontier.front();
        frontier.pop_front();
        for (const Graph::Edge& edge : confirmed.edges(vertex)) {
            if (edge.to != avoided && parent[edge.to] == Graph::kUnreachable) {
                parent[edge.to] = vertex;
                frontier.push_back(edge.to);
            }
        }
    }
    for (const NodeId& node : to) {
        const auto vertex = confirmed.find(node);
        if (!vertex || *vertex == *kept.self || parent[*vertex] == Graph::kUnreachable) {
            continue;
        }
        std::vector<NodeId> path;
        for (std::uint32_t v = *vertex; v != *kept.self; v = parent[v]) {
            path.push_back(confirmed.nodes()[v]);
        }
        std::reverse(path.begin(), path.end());
        paths.push_back(std::move(path));
    }
    return paths;
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
