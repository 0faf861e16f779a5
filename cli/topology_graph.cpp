// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_graph.h"

#include <algorithm>

namespace meshd::cli {

TopologyGraph::TopologyGraph(const json::Value& topology) {
    std::map<std::string, std::string, NaturalLess> nodes;
    for (const json::Value& node : topology["nodes"]) {
        nodes[print_value(node["node_id"])] = print_value(node["status"]);
    }
    for (const json::Value& link : topology["links"]) {
        nodes.emplace(print_value(link["a"]), "unknown");
        nodes.emplace(print_value(link["b"]), "unknown");
    }
    for (const auto& [name, status] : nodes) {
        names_.push_back(name);
        statuses_.push_back(status);
    }
    neighbours_.resize(names_.size());
    for (const json::Value& link : topology["links"]) {
        const Vertex a = find(print_value(link["a"]));
        const Vertex b = find(print_value(link["b"]));
        if (a == b || are_linked(a, b)) {
            continue;
        }
        const std::uint64_t cost = link["cost"].as_uint().value_or(0);
        neighbours_[a][b] = cost;
        neighbours_[b][a] = cost;
        ++link_count_;
    }
}

TopologyGraph::Vertex TopologyGraph::find(const std::string& name) const {
    const auto at = std::lower_bound(names_.begin(), names_.end(), name, NaturalLess{});
    return at != names_.end() && *at == name ? static_cast<Vertex>(at - names_.begin()) : size();
}

std::vector<TopologyGraph::Vertex> TopologyGraph::component_of(Vertex v) const {
    std::vector<bool> seen(size());
    std::vector<Vertex> reached = {v};
    seen[v] = true;
    for (std::size_t i = 0; i < reached.size(); ++i) {
        for (const auto& [next, cost] : neighbours_[reached[i]]) {
            if (!seen[next]) {
                seen[next] = true;
                reached.push_back(next);
            }
        }
    }
    return reached;
}

bool TopologyGraph::is_complete(const std::vector<Vertex>& vertices) const {
    return std::all_of(vertices.begin(), vertices.end(), [&](Vertex a) {
        return std::all_of(vertices.begin(), vertices.end(),
                           [&](Vertex b) { return a == b || are_linked(a, b); });
    });
}

std::vector<TopologyGraph::Vertex> TopologyGraph::walk(Vertex from, std::size_t steps) const {
    std::vector<Vertex> order = {from};
    while (order.size() < steps) {
        const Vertex last = order.back();
        const auto& next = neighbours_[last];
        const auto unseen = std::find_if(next.begin(), next.end(), [&](const auto& entry) {
            return std::find(order.begin(), order.end(), entry.first) == order.end();
        });
        if (unseen == next.end()) {
            break;
        }
        order.push_back(unseen->first);
    }
    return order;
}

std::vector<TopologyGraph::Vertex> TopologyGraph::as_line(
    const std::vector<Vertex>& component) const {
    Vertex end = size();
    std::size_t ends = 0;
    for (const Vertex v : component) {
        const std::size_t degree = neighbours_[v].size();
        if (degree > 2) {
            return {};
        }
        if (degree < 2) {
            ++ends;
            end = std::min(end, v);
        }
    }
    return ends == 0 ? std::vector<Vertex>() : walk(end, component.size());
}

std::vector<TopologyGraph::Vertex> TopologyGraph::as_ring(
    const std::vector<Vertex>& component) const {
    const bool is_ring =
        component.size() > 2 && std::all_of(component.begin(), component.end(),
                                            [&](Vertex v) { return neighbours_[v].size() == 2; });
    return is_ring ? walk(component.front(), component.size()) : std::vector<Vertex>();
}

}  // namespace meshd::cli
