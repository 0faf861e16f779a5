// SPDX-License-Identifier: Apache-2.0
/// \file
/// The mesh as a graph of confirmed links, shortest paths in it, and the trees along which records
/// spread (PROTOCOL.md, "Spreading"). Pure functions of the node records: nodes that hold the same
/// records compute the same graph, the same hash and the same trees.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "proto/base/node_id.h"

namespace meshd {

/// What one node says: its links with their cost class. (Fed from node records by the owner.)
struct NodeLinks {
    NodeId node;
    /// A node that has left claims no links.
    std::vector<std::pair<NodeId, std::uint8_t>> links;
};

/// Cost of a link by class (0 good, 1 lossy, 2 bad): tries needed, times 10.
std::uint32_t link_cost(std::uint8_t cost_class);

/// An immutable graph. An edge exists where both ends claim it; its cost class is the worse of the
/// two claims.
class Graph {
  public:
    static constexpr std::uint32_t kUnreachable = UINT32_MAX;
    struct Edge {
        std::uint32_t to;
        std::uint32_t cost;
    };

    Graph() = default;
    explicit Graph(const std::vector<NodeLinks>& claims);

    std::size_t size() const { return nodes_.size(); }
    const std::vector<NodeId>& nodes() const { return nodes_; }  ///< rising; index = vertex
    std::optional<std::uint32_t> find(const NodeId& node) const;
    const std::vector<Edge>& edges(std::uint32_t vertex) const { return edges_[vertex]; }
    bool has_edge(const NodeId& a, const NodeId& b) const;
    /// Over all edges and costs; never 0. Graphs with equal edges are equal here.
    std::uint32_t hash() const { return hash_; }

  private:
    std::vector<NodeId> nodes_;
    std::vector<std::vector<Edge>> edges_;
    std::uint32_t hash_ = 1;
};

/// Shortest paths from one vertex (Dijkstra 1959). Equal costs: the parent whose hash of (parent,
/// child) is lowest, so that every node picks the same tree.
struct PathTree {
    std::uint32_t root = 0;
    std::vector<std::uint32_t> cost;    ///< Graph::kUnreachable where there is no path
    std::vector<std::uint32_t> hops;
    std::vector<std::uint32_t> parent;  ///< itself for the root and where there is no path
};
PathTree shortest_paths(const Graph& graph, std::uint32_t root);

/// Children of `vertex` in `tree`.
std::vector<std::uint32_t> children(const PathTree& tree, std::uint32_t vertex);

}  // namespace meshd
