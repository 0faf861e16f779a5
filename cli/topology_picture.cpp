// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_picture.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "cli/topology_graph.h"

namespace meshd::cli {
namespace {

using Vertex = TopologyGraph::Vertex;
using Lines = std::vector<std::string>;
using Link = std::pair<Vertex, Vertex>;

constexpr std::size_t kWidthDefault = 80;
/// Cost of a link without loss: tries needed, times ten.
constexpr std::uint64_t kGoodCost = 10;
/// Fewer boxes linked to each other are told link by link.
constexpr std::size_t kCliqueMin = 4;

class Painter {
  public:
    Painter(const TopologyGraph& graph, const PictureOptions& options)
        : graph_(graph),
          options_(options),
          own_(graph.find(options.own)),
          width_(options.width == 0 ? kWidthDefault : options.width) {}

    std::string paint() {
        std::string out = print_count(graph_.size(), "box", "boxes") + ", " +
                          print_count(graph_.link_count(), "link", "links");
        out += own_ < graph_.size() ? " (* this box)\n" : "\n";
        std::vector<bool> painted(graph_.size());
        std::vector<Vertex> starts;
        if (own_ < graph_.size()) {
            starts.push_back(own_);
        }
        for (Vertex v = 0; v < graph_.size(); ++v) {
            starts.push_back(v);
        }
        for (const Vertex start : starts) {
            if (painted[start] || graph_.neighbours(start).empty()) {
                continue;
            }
            const auto component = graph_.component_of(start);
            for (const Vertex v : component) {
                painted[v] = true;
            }
            out += "\n" + component_picture(component);
        }
        return out + lossy_links() + without_links();
    }

  private:
    std::string label(Vertex v) const {
        std::string out = graph_.name(v);
        if (v == own_) {
            out += "*";
        }
        if (const auto note = options_.notes.find(graph_.name(v)); note != options_.notes.end()) {
            out += " (" + note->second + ")";
        }
        if (graph_.status(v) != "alive") {
            out += " [" + graph_.status(v) + "]";
        }
        return out;
    }

    std::vector<std::string> labels(const std::vector<Vertex>& vertices) const {
        std::vector<std::string> out;
        for (const Vertex v : vertices) {
            out.push_back(label(v));
        }
        return out;
    }

    std::vector<std::string> names(const std::vector<Vertex>& vertices) const {
        std::vector<std::string> out;
        for (const Vertex v : vertices) {
            out.push_back(graph_.name(v));
        }
        return out;
    }

    std::string component_picture(const std::vector<Vertex>& component) const {
        constexpr std::size_t kIndent = 4;
        if (const auto line = graph_.as_line(component); !line.empty()) {
            return wrap(labels(line), " -- ", width_, kIndent) + "\n";
        }
        if (graph_.is_complete(component)) {
            std::vector<Vertex> sorted = component;
            std::sort(sorted.begin() + 1, sorted.end());
            return "all " + std::to_string(sorted.size()) + " linked to each other:\n  " +
                   wrap(labels(sorted), "  ", width_ - 2, 2) + "\n";
        }
        if (const auto ring = graph_.as_ring(component); !ring.empty()) {
            auto parts = labels(ring);
            parts.push_back("back to " + graph_.name(ring.front()));
            return wrap(parts, " -- ", width_, kIndent) + "\n";
        }
        return tree_picture(component);
    }

    // ---- trees ----

    struct Tree {
        std::vector<std::vector<Vertex>> children;
        std::set<Link> rest;  ///< links that are not in the tree, lower end first
    };

    /// By hops; among parents of the same distance the cheapest link, then the lowest.
    Tree tree_of(const std::vector<Vertex>& component) const {
        std::vector<std::size_t> hops(graph_.size(), graph_.size());
        hops[component.front()] = 0;
        for (const Vertex v : component) {
            for (const auto& [next, cost] : graph_.neighbours(v)) {
                hops[next] = std::min(hops[next], hops[v] + 1);
            }
        }
        Tree tree;
        tree.children.resize(graph_.size());
        for (const Vertex v : component) {
            Vertex parent = graph_.size();
            std::uint64_t best = 0;
            for (const auto& [next, cost] : graph_.neighbours(v)) {
                if (hops[next] + 1 == hops[v] && (parent == graph_.size() || cost < best)) {
                    parent = next;
                    best = cost;
                }
            }
            for (const auto& [next, cost] : graph_.neighbours(v)) {
                tree.rest.insert(std::minmax(v, next));
            }
            if (parent != graph_.size()) {
                tree.children[parent].push_back(v);
            }
        }
        for (Vertex v = 0; v < graph_.size(); ++v) {
            std::sort(tree.children[v].begin(), tree.children[v].end());
            for (const Vertex child : tree.children[v]) {
                tree.rest.erase(std::minmax(v, child));
            }
        }
        return tree;
    }

    std::string tree_picture(const std::vector<Vertex>& component) const {
        Tree tree = tree_of(component);
        Lines lines = sideways(tree, component.front());
        const bool is_too_wide = std::any_of(
            lines.begin(), lines.end(), [&](const auto& line) { return width_of(line) > width_; });
        if (is_too_wide) {
            lines = downwards(tree, component.front());
        }
        return join(lines, "\n") + "\n" + rest_of(std::move(tree.rest));
    }

    /// The first child beside its parent, the others below, so that a line stays a line.
    Lines sideways(const Tree& tree, Vertex v) const {
        const std::string own = label(v);
        const std::string blank(width_of(own), ' ');
        const auto& children = tree.children[v];
        if (children.empty()) {
            return {own};
        }
        Lines out;
        for (std::size_t i = 0; i < children.size(); ++i) {
            const bool is_first = i == 0;
            const bool is_last = i + 1 == children.size();
            const Lines below = sideways(tree, children[i]);
            for (std::size_t line = 0; line < below.size(); ++line) {
                std::string joint = is_last ? "     " : "  |  ";
                if (line == 0) {
                    joint =
                        is_first ? (is_last ? " --- " : " -+- ") : (is_last ? "  `- " : "  +- ");
                }
                out.push_back((is_first && line == 0 ? own : blank) + joint + below[line]);
            }
        }
        return out;
    }

    Lines downwards(const Tree& tree, Vertex v) const {
        Lines out = {label(v)};
        const auto& children = tree.children[v];
        for (const Vertex child : children) {
            const bool is_last = child == children.back();
            const Lines below = downwards(tree, child);
            for (std::size_t line = 0; line < below.size(); ++line) {
                const std::string_view joint =
                    line == 0 ? (is_last ? "`-- " : "+-- ") : (is_last ? "    " : "|   ");
                out.push_back(std::string(joint) + below[line]);
            }
        }
        return out;
    }

    /// Links beside the tree: first the groups where all are linked to all, which is what a shared
    /// network looks like, then what is left by box.
    std::string rest_of(std::set<Link> rest) const {
        std::string out;
        std::set<Link> single;
        while (!rest.empty()) {
            const std::vector<Vertex> clique = clique_around(*rest.begin());
            if (clique.size() < kCliqueMin) {
                single.insert(*rest.begin());
                rest.erase(rest.begin());
                continue;
            }
            for (const Vertex a : clique) {
                for (const Vertex b : clique) {
                    rest.erase(std::minmax(a, b));
                    single.erase(std::minmax(a, b));
                }
            }
            out += "all linked to each other: " + wrap(names(clique), ", ", width_, 4) + "\n";
        }
        std::map<Vertex, std::vector<Vertex>> by_box;
        for (const auto& [a, b] : single) {
            by_box[a].push_back(b);
        }
        for (const auto& [a, others] : by_box) {
            out += "also linked: " + graph_.name(a) + " -- " +
                   wrap(names(others), ", ", width_, 4) + "\n";
        }
        return out;
    }

    /// A group that contains the link and to which no box can be added; rising.
    std::vector<Vertex> clique_around(const Link& link) const {
        std::vector<Vertex> clique = {link.first, link.second};
        for (const auto& [candidate, cost] : graph_.neighbours(link.first)) {
            const bool fits =
                std::all_of(clique.begin(), clique.end(),
                            [&, c = candidate](Vertex v) { return graph_.are_linked(c, v); });
            if (fits) {
                clique.push_back(candidate);
            }
        }
        std::sort(clique.begin(), clique.end());
        return clique;
    }

    // ---- below the picture ----

    std::string lossy_links() const {
        std::string out;
        for (Vertex v = 0; v < graph_.size(); ++v) {
            for (const auto& [next, cost] : graph_.neighbours(v)) {
                if (v < next && cost > kGoodCost) {
                    out += "lossy: " + graph_.name(v) + " -- " + graph_.name(next) + " (cost " +
                           std::to_string(cost) + ")\n";
                }
            }
        }
        return out.empty() ? out : "\n" + out;
    }

    std::string without_links() const {
        std::vector<Vertex> alone;
        for (Vertex v = 0; v < graph_.size(); ++v) {
            if (graph_.neighbours(v).empty()) {
                alone.push_back(v);
            }
        }
        return alone.empty() ? std::string()
                             : "\nwithout links: " + wrap(labels(alone), ", ", width_, 4) + "\n";
    }

    const TopologyGraph& graph_;
    const PictureOptions& options_;
    Vertex own_;
    std::size_t width_;
};

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out + "\"";
}

}  // namespace

std::string topology_picture(const json::Value& topology, const PictureOptions& options) {
    const TopologyGraph graph(topology);
    return Painter(graph, options).paint();
}

std::string topology_dot(const json::Value& topology) {
    const TopologyGraph graph(topology);
    std::string out = "graph mesh {\n";
    for (Vertex v = 0; v < graph.size(); ++v) {
        out += "  " + quoted(graph.name(v));
        out +=
            graph.status(v) == "alive"
                ? ";\n"
                : " [style=dashed, label=" + quoted(graph.name(v) + " " + graph.status(v)) + "];\n";
    }
    for (Vertex v = 0; v < graph.size(); ++v) {
        for (const auto& [next, cost] : graph.neighbours(v)) {
            if (v < next) {
                out += "  " + quoted(graph.name(v)) + " -- " + quoted(graph.name(next)) +
                       " [label=" + std::to_string(cost) + "];\n";
            }
        }
    }
    return out + "}\n";
}

}  // namespace meshd::cli
