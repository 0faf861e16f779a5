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
    mutable std::vector<bool> reached;  ///< from self; empty until asked for

    bool is_reached(std::uint32_t vertex) const {
        if (!self) {
            return false;
        }
        if (reached.empty()) {
            reached.resize(graph.size());
            reached[*self] = true;
            std::vector<std::uint32_t> frontier = {*self};
            while (!frontier.empty()) {
                const std::uint32_t from = frontier.back();
                frontier.pop_back();
                for (const Graph::Edge& edge : graph.edges(from)) {
                    if (!reached[edge.to]) {
                        reached[edge.to] = true;
                        frontier.push_back(edge.to);
                    }
                }
            }
        }
        return reached[vertex];
    }

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
    std::map<NodeId, const NodeLinks*> now;
    for (const NodeLinks& claim : claims) {
        now.emplace(claim.node, &claim);
    }
    std::vector<NodeLinks> changed;
    std::vector<NodeId> gone;
    for (const auto& [node, claim] : now) {
        const auto at = find_sorted(names_, node);
        if (!at || links_[*at] != claim->links) {
            changed.push_back(*claim);
        }
    }
    for (const NodeId& name : names_) {
        if (now.count(name) == 0) {
            gone.push_back(name);
        }
    }
    return update_some(std::move(changed), gone);
}

bool Topology::update_some(std::vector<NodeLinks> changed, const std::vector<NodeId>& gone) {
    withdrawn_.clear();
    const bool has_new = std::any_of(changed.begin(), changed.end(), [&](const NodeLinks& one) {
        return !find_sorted(names_, one.node);
    });
    if (has_new || !gone.empty()) {
        renumber(changed, gone);
    }
    std::vector<std::uint32_t> at;
    for (NodeLinks& one : changed) {
        at.push_back(*find_sorted(names_, one.node));
        Links& links = links_[at.back()];
        note_withdrawn(one.node, links, one.links);
        links = std::move(one.links);
    }
    bool is_changed = !gone.empty();
    for (const std::uint32_t node : at) {
        is_changed = confirm(node) || is_changed;
    }
    if (!changed.empty() || !gone.empty()) {
        statuses_.reset();
    }
    return is_changed && take_graph();
}

void Topology::note_withdrawn(const NodeId& node, const Links& before, const Links& now) {
    for (const auto& [peer, cost_class] : before) {
        if (std::none_of(now.begin(), now.end(),
                         [&, name = &peer](const auto& link) { return link.first == *name; })) {
            withdrawn_.emplace_back(node, peer);
        }
    }
}

/// Makes room for the new ones among `changed`, and closes it after those gone.
void Topology::renumber(const std::vector<NodeLinks>& changed, const std::vector<NodeId>& gone) {
    constexpr std::uint32_t kGone = UINT32_MAX;
    std::vector<std::uint32_t> moved(names_.size(), 0);
    for (const NodeId& node : gone) {
        moved[*find_sorted(names_, node)] = kGone;
    }
    std::vector<NodeId> names;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        if (moved[i] != kGone) {
            names.push_back(names_[i]);
        }
    }
    for (const NodeLinks& one : changed) {
        if (!find_sorted(names_, one.node)) {
            names.push_back(one.node);
        }
    }
    std::sort(names.begin(), names.end());
    for (std::size_t i = 0, next = 0; i < names_.size(); ++i) {
        if (moved[i] != kGone) {
            next = static_cast<std::size_t>(
                std::find(names.begin() + static_cast<std::ptrdiff_t>(next), names.end(),
                          names_[i]) -
                names.begin());
            moved[i] = static_cast<std::uint32_t>(next);
        }
    }
    std::vector<Links> links(names.size());
    std::vector<std::vector<Graph::Edge>> confirmed(names.size());
    for (std::size_t i = 0; i < names_.size(); ++i) {
        if (moved[i] == kGone) {
            continue;
        }
        links[moved[i]] = std::move(links_[i]);
        std::vector<Graph::Edge>& edges = confirmed_[i];
        std::erase_if(edges, [&](const Graph::Edge& edge) { return moved[edge.to] == kGone; });
        for (Graph::Edge& edge : edges) {
            edge.to = moved[edge.to];
        }
        confirmed[moved[i]] = std::move(edges);
    }
    names_ = std::move(names);
    links_ = std::move(links);
    confirmed_ = std::move(confirmed);
}

/// Compares the claims of a node with those of its peers anew. True where an edge changed.
bool Topology::confirm(std::uint32_t node) {
    const auto worst = [](const Links& links, const NodeId& peer) {
        std::optional<std::uint32_t> cost;
        for (const auto& [name, cost_class] : links) {
            if (name == peer) {
                cost = std::max(cost.value_or(0), link_cost(cost_class));
            }
        }
        return cost;
    };
    std::vector<Graph::Edge> now;
    for (const auto& [peer, cost_class] : links_[node]) {
        const auto to = find_sorted(names_, peer);
        if (!to || *to == node) {
            continue;
        }
        if (const auto theirs = worst(links_[*to], names_[node])) {
            now.push_back({*to, std::max(link_cost(cost_class), *theirs)});
        }
    }
    // Of repeated claims the dearest counts.
    std::sort(now.begin(), now.end(), [](const Graph::Edge& a, const Graph::Edge& b) {
        return std::pair(a.to, b.cost) < std::pair(b.to, a.cost);
    });
    now.erase(std::unique(now.begin(), now.end(),
                          [](const Graph::Edge& a, const Graph::Edge& b) { return a.to == b.to; }),
              now.end());
    if (now == confirmed_[node]) {
        return false;
    }
    for (const Graph::Edge& edge : confirmed_[node]) {
        std::erase_if(confirmed_[edge.to], [&](const Graph::Edge& e) { return e.to == node; });
    }
    for (const Graph::Edge& edge : now) {
        std::vector<Graph::Edge>& theirs = confirmed_[edge.to];
        theirs.insert(std::find_if(theirs.begin(), theirs.end(),
                                   [&](const Graph::Edge& e) { return e.to > node; }),
                      {node, edge.cost});
    }
    confirmed_[node] = std::move(now);
    return true;
}

bool Topology::take_graph() {
    Graph graph(names_, confirmed_, graphs_.front()->graph);
    const auto known = std::find_if(graphs_.begin(), graphs_.end(),
                                    [&](const auto& kept) { return kept->graph == graph; });
    if (known == graphs_.begin()) {
        return false;
    }
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
    if (hash == 0) {  // of no graph, and those kept need not be hashed to know it
        return nullptr;
    }
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
    if (known == nullptr) {
        return false;
    }
    const auto vertex = known->graph.find(node);
    return vertex && known->is_reached(*vertex);
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
    if (node == self_) {
        return true;
    }
    const auto vertex = graph().find(node);
    return vertex && graphs_.front()->is_reached(*vertex);
}

std::map<NodeId, StatusOf> Topology::statuses() const {
    std::map<NodeId, StatusOf> found;
    found[self_] = {NodeStatus::Alive, {}};
    const auto& list = status_list();
    for (std::size_t i = 0; i < names_.size(); ++i) {
        found[names_[i]] = list[i];
    }
    return found;
}

const std::vector<StatusOf>& Topology::status_list() const {
    if (statuses_) {
        return *statuses_;
    }
    const Kept& kept = *graphs_.front();
    std::vector<StatusOf>& found = statuses_.emplace(names_.size());
    std::vector<std::uint32_t> lost;
    std::uint32_t vertex = 0;
    for (std::uint32_t i = 0; i < names_.size(); ++i) {
        const bool is_vertex = !confirmed_[i].empty();
        const bool is_reached = is_vertex && kept.is_reached(vertex);
        vertex += is_vertex ? 1 : 0;
        if (!is_reached && names_[i] != self_) {
            found[i].status = NodeStatus::Offline;
            lost.push_back(i);
        }
    }

    // Multi-source breadth first from the lost nodes at the border, in order of name: a node behind
    // them is reached first from the nearest, of equally near ones from the lowest.
    constexpr std::uint32_t kNobody = UINT32_MAX;
    std::vector<std::uint32_t> lost_by(lost.empty() ? 0 : names_.size(), kNobody);
    std::deque<std::uint32_t> frontier;
    for (const std::uint32_t i : lost) {
        if (std::any_of(links_[i].begin(), links_[i].end(),
                        [&](const auto& link) { return is_reachable(link.first); })) {
            lost_by[i] = i;
            frontier.push_back(i);
        }
    }
    while (!frontier.empty()) {
        const std::uint32_t node = frontier.front();
        frontier.pop_front();
        const std::uint32_t cause = lost_by[node];
        if (cause != node) {
            found[node] = {NodeStatus::Unreachable, names_[cause]};
        }
        for (const Graph::Edge& edge : confirmed_[node]) {
            if (lost_by[edge.to] == kNobody) {
                lost_by[edge.to] = cause;
                frontier.push_back(edge.to);
            }
        }
    }
    return found;
}

}  // namespace meshd
