// SPDX-License-Identifier: Apache-2.0
/// \file
/// The current graph with the three before it, the trees asked of them (cached), and the routes from
/// here.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
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

    /// Takes the claims of all known nodes. True where the graph changed.
    bool update(const std::vector<NodeLinks>& claims);

    const Graph& graph() const;
    /// Peers to whom a push of `origin` with graph hash `hash` goes from here: children in that
    /// graph's tree. Nothing where the hash is not among the kept graphs, or where origin or self is
    /// not in it: then flood.
    std::optional<std::vector<NodeId>> children_of(const NodeId& origin, std::uint32_t hash) const;
    std::optional<Route> route(const NodeId& destination) const;
    std::vector<Route> routes() const;  ///< to every reachable node but self, by destination
    bool is_reachable(const NodeId& node) const;

    /// Status of every node in `claims` of the last update, from self's point of view: reachable →
    /// alive. Not reachable: a node that still claims a link to a node that is alive (or to self) is
    /// offline, since that end took the link down; behind it, unreachable because of the nearest
    /// offline node on the way; with no such node, offline.
    std::map<NodeId, StatusOf> statuses() const;

  private:
    struct Kept;
    NodeId self_;
    std::vector<NodeLinks> claims_;
    std::deque<std::shared_ptr<Kept>> graphs_;  ///< newest first
};

}  // namespace meshd
