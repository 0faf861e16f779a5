// SPDX-License-Identifier: Apache-2.0
/// \file
/// The mesh as a graph of confirmed links, shortest paths in it, and the trees along which records
/// spread (PROTOCOL.md, "Spreading"). Pure functions of the node records: nodes that hold the same
/// records compute the same graph, the same hash and the same trees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "proto/base/node_id.h"

namespace meshd {

/// What one node says: its links with their cost class. (Fed from node records by the owner.)
struct NodeLinks {
    NodeId node;
    /// A node that has left claims no links.
    std::vector<std::pair<NodeId, std::uint8_t>> links;
};

/// Cost of a link by class (0 good, 1 lossy, 2 bad; anything above counts as bad): tries needed,
/// times 10. This is ETX, 1 / (1 - p)^2 for a datagram and its acknowledgement at a loss of p each
/// way (De Couto et al., "A High-Throughput Path Metric for Multi-Hop Wireless Routing", MobiCom
/// 2003), at the middle of each class: p = 0, 30 and 60 % give 1.0, 2.0 and 6.3, rounded so that
/// paths tie often and small differences move nobody.
std::uint32_t link_cost(std::uint8_t cost_class);

/// An immutable graph. An edge exists where both ends claim it; its cost class is the worse of the
/// two claims. The vertices are the nodes with at least one edge: a node that nobody confirms a
/// link to is not in the graph. Claims naming unknown nodes or the claimer itself are ignored;
/// repeated ones count once, at their worst class.
class Graph {
  public:
    static constexpr std::uint32_t kUnreachable = UINT32_MAX;
    struct Edge {
        std::uint32_t to;
        std::uint32_t cost;
        friend bool operator==(const Edge&, const Edge&) = default;
    };

    Graph() = default;
    explicit Graph(const std::vector<NodeLinks>& claims);
    /// Of nodes, rising by name, and the confirmed edges of each, rising by `to`, which counts in
    /// `names`. Shares what is equal with `like`.
    Graph(const std::vector<NodeId>& names, const std::vector<std::vector<Edge>>& confirmed,
          const Graph& like);

    std::size_t size() const { return nodes_->size(); }
    const std::vector<NodeId>& nodes() const { return *nodes_; }  ///< rising; index = vertex
    std::optional<std::uint32_t> find(const NodeId& node) const;
    /// Rising by `to`.
    std::span<const Edge> edges(std::uint32_t vertex) const {
        return std::span(edges_).subspan(begins_[vertex], begins_[vertex + 1] - begins_[vertex]);
    }
    bool has_edge(const NodeId& a, const NodeId& b) const;
    /// Over all edges and costs (the bytes: PROTOCOL.md, "Topology and routes"); never 0, and 1 for
    /// the graph without edges. Graphs with equal edges are equal here. Computed when first asked
    /// for: most graphs of a mesh that forms are never asked.
    std::uint32_t hash() const;

    friend bool operator==(const Graph& a, const Graph& b);

  private:
    std::shared_ptr<const std::vector<NodeId>> nodes_ =
        std::make_shared<const std::vector<NodeId>>();
    std::vector<std::uint32_t> begins_ = {0};  ///< of each vertex in edges_, and the end
    std::vector<Edge> edges_;
    mutable std::optional<std::uint32_t> hash_;
};

/// Position in what is rising.
std::optional<std::uint32_t> find_sorted(const std::vector<NodeId>& nodes, const NodeId& node);

/// Shortest paths from one vertex (Dijkstra 1959). Equal costs: the parent with the lowest
/// tie_hash(parent, child), so that every node picks the same tree, while different children of
/// equally good parents spread over them.
struct PathTree {
    std::uint32_t root = 0;
    std::vector<std::uint32_t> cost;    ///< Graph::kUnreachable where there is no path
    std::vector<std::uint32_t> hops;    ///< 0 where there is no path
    std::vector<std::uint32_t> parent;  ///< itself for the root and where there is no path
};
PathTree shortest_paths(const Graph& graph, std::uint32_t root);

/// 64-bit mix of the hashes of two nodes, in this order (the formula: PROTOCOL.md, "Topology and
/// routes"; the finalizer is splitmix64's, Steele et al., OOPSLA 2014).
std::uint64_t tie_hash(const NodeId& parent, const NodeId& child);

/// Children of `vertex` in `tree`, rising.
std::vector<std::uint32_t> children(const PathTree& tree, std::uint32_t vertex);

/// Neighbours that may have what `vertex` misses when its parent fails, counted per vertex.
inline constexpr std::size_t kAnnouncersPerNode = 2;
/// Mix of the hashes of the origin of a tree, a vertex and its neighbour: of a vertex's neighbours
/// that are neither its parent nor below it in the tree, the kAnnouncersPerNode lowest answer for
/// it (PROTOCOL.md, "Announcements").
std::uint64_t announcer_hash(const NodeId& origin, const NodeId& vertex, const NodeId& neighbour);
/// Neighbours for which `vertex` answers in `tree`, rising. Never its parent, its children or the
/// root.
std::vector<std::uint32_t> answers_for(const Graph& graph, const PathTree& tree,
                                       std::uint32_t vertex);

}  // namespace meshd
