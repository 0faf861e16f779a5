// SPDX-License-Identifier: Apache-2.0
/// \file
/// The current graph with the three before it, the trees asked of them (cached), the routes from
/// here and what the graph says of each node's status (PROTOCOL.md, "Topology and routes",
/// "Spreading"). Invariant: nodes whose kept graphs hold the same hash agree on every tree of it,
/// so that a push along a tree reaches each of its nodes once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/routing/graph.h"

namespace meshd {

/// How the mesh sees a node.
enum class NodeStatus : std::uint8_t { Alive, Unreachable, Offline, Left };
/// "alive", "unreachable", "offline", "left".
std::string_view node_status_name(NodeStatus status);

struct Route {
    NodeId destination;
    NodeId next_peer;
    std::uint32_t hops = 0;
    std::uint32_t cost = 0;
    std::vector<NodeId> path;  ///< from the next peer to the destination
};

struct StatusOf {
    NodeStatus status = NodeStatus::Alive;
    /// For Unreachable: the offline node whose loss cut it off.
    NodeId because;
};

class Topology {
  public:
    /// Graphs kept, so that a push sent a moment before a change still finds its tree.
    static constexpr std::size_t kGraphsKept = 4;

    explicit Topology(NodeId self);

    /// Takes the claims of all known nodes. True where the graph changed; a return to a kept graph
    /// is a change, and keeps that graph only once.
    bool update(const std::vector<NodeLinks>& claims);
    /// The same, told of what is new only: nodes whose claims changed or that are new, each once,
    /// and known nodes that are known no more.
    bool update_some(std::vector<NodeLinks> changed, const std::vector<NodeId>& gone);
    /// The known nodes, rising.
    const std::vector<NodeId>& names() const { return names_; }

    /// (claimer, peer) of every claim that the last update() no longer had, of claimers that it
    /// still had. In no order.
    const std::vector<std::pair<NodeId, NodeId>>& withdrawn() const { return withdrawn_; }

    /// For each of `to` that can be reached from self without `avoid`: the nodes of a path with
    /// fewest hops, from the first after self to it.
    std::vector<std::vector<NodeId>> paths_around(const NodeId& avoid,
                                                  const std::vector<NodeId>& to) const;

    /// The current one; without vertices before the first update.
    const Graph& graph() const;
    /// Peers to whom a push of `origin` with graph hash `hash` goes from here: children in that
    /// graph's tree, rising; empty for a leaf. Nothing where the hash is not among the kept graphs,
    /// or where that graph has no path from origin to self (either may be missing): then flood.
    /// Cached per origin: the first call for an origin costs a shortest_paths().
    std::optional<std::vector<NodeId>> children_of(const NodeId& origin, std::uint32_t hash) const;
    /// Peers for whom self answers in the tree of `origin`: to them it announces what it takes in
    /// along that tree. Rising; empty where there is no such tree. Cached like children_of.
    std::vector<NodeId> repairs_of(const NodeId& origin, std::uint32_t hash) const;
    /// Whether that graph's trees reach `node` from here (and with it from every origin that
    /// reaches here). False where the hash is not among the kept graphs.
    bool spans(std::uint32_t hash, const NodeId& node) const;
    /// Nothing for self and for a node without a path.
    std::optional<Route> route(const NodeId& destination) const;
    std::vector<Route> routes() const;  ///< to every reachable node but self, by destination
    bool is_reachable(const NodeId& node) const;  ///< true for self

    /// Status of self and of every node in `claims` of the last update, from self's point of view:
    /// reachable → alive. Not reachable: a node that still claims a link to a node that is alive
    /// (or to self) is offline, since that end took the link down; behind it, over links that both
    /// ends claim, unreachable because of the nearest offline node (of several, the lowest by
    /// name); with no such node, offline. Never Left: who has left says so in its record, which its
    /// owner reads.
    std::map<NodeId, StatusOf> statuses() const;
    /// The same of names(), in their order. Cached until the next change.
    const std::vector<StatusOf>& status_list() const;

  private:
    struct Kept;
    struct Place;
    using Links = std::vector<std::pair<NodeId, std::uint8_t>>;
    void note_withdrawn(const NodeId& node, const Links& before, const Links& now);
    void renumber(const std::vector<NodeLinks>& changed, const std::vector<NodeId>& gone);
    bool confirm(std::uint32_t node);
    bool take_graph();
    const Kept* kept(std::uint32_t hash) const;
    const Place* place_in_tree(const NodeId& origin, std::uint32_t hash) const;

    NodeId self_;
    std::vector<NodeId> names_;
    std::vector<Links> links_;                         ///< claimed, by position in names_
    std::vector<std::vector<Graph::Edge>> confirmed_;  ///< the same, and counting so
    mutable std::optional<std::vector<StatusOf>> statuses_;
    std::vector<std::pair<NodeId, NodeId>> withdrawn_;
    std::deque<std::shared_ptr<Kept>> graphs_;  ///< newest first
};

}  // namespace meshd
