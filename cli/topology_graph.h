// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {

struct NaturalLess {
    bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

/// A result of mesh.topology as an undirected graph. Vertices are numbered in natural order of
/// their names, so that every walk over it is deterministic.
class TopologyGraph {
  public:
    using Vertex = std::size_t;

    explicit TopologyGraph(const json::Value& topology);

    std::size_t size() const { return names_.size(); }
    std::size_t link_count() const { return link_count_; }
    const std::string& name(Vertex v) const { return names_[v]; }
    /// "alive", …; "unknown" for one that only a link names.
    const std::string& status(Vertex v) const { return statuses_[v]; }
    /// Size() where there is none of that name.
    Vertex find(const std::string& name) const;
    /// Rising.
    const std::map<Vertex, std::uint64_t>& neighbours(Vertex v) const { return neighbours_[v]; }
    bool are_linked(Vertex a, Vertex b) const { return neighbours_[a].contains(b); }

    /// Vertices reached from `v`, itself first, then by hops and number.
    std::vector<Vertex> component_of(Vertex v) const;
    /// True where each of them is linked to each other one.
    bool is_complete(const std::vector<Vertex>& vertices) const;
    /// The vertices in the order of the line they form, from the lower end; empty where the
    /// component is no line.
    std::vector<Vertex> as_line(const std::vector<Vertex>& component) const;
    /// The same for a ring, beginning with the component's first.
    std::vector<Vertex> as_ring(const std::vector<Vertex>& component) const;

  private:
    std::vector<Vertex> walk(Vertex from, std::size_t steps) const;

    std::vector<std::string> names_;
    std::vector<std::string> statuses_;
    std::vector<std::map<Vertex, std::uint64_t>> neighbours_;
    std::size_t link_count_ = 0;
};

}  // namespace meshd::cli
