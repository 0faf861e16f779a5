// SPDX-License-Identifier: Apache-2.0
#include "cli/topology_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "cli/format.h"
#include "cli/topology_graph.h"

namespace meshd::cli {
namespace {

using Vertex = TopologyGraph::Vertex;

struct Point {
    double x = 0;
    double y = 0;
};

// Pixels.
constexpr double kSpacing = 80;  ///< that two linked boxes should be apart
constexpr double kRadius = 13;
constexpr double kMargin = 70;
constexpr double kLegendHeight = 56;
constexpr double kLegendWidth = 680;
constexpr double kLabelOffset = 16;  ///< baseline below the circle
constexpr double kNoteOffset = 13;   ///< second line below the first
constexpr double kCharWidth = 6.7;   ///< of the labels' font, about

constexpr double kPi = 3.14159265358979323846;

/// Costs are tries needed, times ten.
constexpr std::uint64_t kGoodCost = 10;
constexpr std::uint64_t kBadCost = 25;

struct LinkStyle {
    std::string_view name;
    std::string_view attributes;
};
constexpr LinkStyle kGood = {"good link", R"(stroke="#3f8f5b" stroke-width="2")"};
constexpr LinkStyle kLossy = {"lossy link",
                              R"(stroke="#d98a1f" stroke-width="2" stroke-dasharray="7 4")"};
constexpr LinkStyle kBad = {"bad link",
                            R"(stroke="#c8372d" stroke-width="2.5" stroke-dasharray="2 4")"};

struct NodeStyle {
    std::string_view name;
    std::string_view attributes;
};
constexpr NodeStyle kOwn = {"this box", R"(fill="#2b6cb0" stroke="#173f6b" stroke-width="4")"};
constexpr NodeStyle kAlive = {"alive", R"(fill="#7fb2dd" stroke="#2b6cb0" stroke-width="2")"};
constexpr NodeStyle kGone = {
    "not alive", R"(fill="#eeeeee" stroke="#8a8a8a" stroke-width="2" stroke-dasharray="4 3")"};

const LinkStyle& style_of_cost(std::uint64_t cost) {
    return cost <= kGoodCost ? kGood : cost < kBadCost ? kLossy : kBad;
}

std::string number(double value) {
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.1f", value);
    return buffer.data();
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out.push_back(c);
        }
    }
    return out;
}

/// Places the boxes: those with links by forces (Fruchterman and Reingold, "Graph drawing by
/// force-directed placement", 1991), from a circle, so that it is the same each time; those without
/// in rows below.
class Layout {
  public:
    explicit Layout(const TopologyGraph& graph) : graph_(graph), places_(graph.size()) {
        for (Vertex v = 0; v < graph.size(); ++v) {
            (graph.neighbours(v).empty() ? alone_ : linked_).push_back(v);
        }
        place_circle();
        run_forces();
        lay_down();
        pull_apart();
        fit();
        place_alone();
    }

    const Point& at(Vertex v) const { return places_[v]; }
    double width() const { return width_; }
    double height() const { return height_; }

  private:
    void place_circle() {
        // In the order of a walk, so that neighbours begin near each other.
        std::vector<Vertex> order;
        std::vector<bool> seen(graph_.size());
        for (const Vertex start : linked_) {
            if (seen[start]) {
                continue;
            }
            for (const Vertex v : graph_.component_of(start)) {
                seen[v] = true;
                order.push_back(v);
            }
        }
        const double radius =
            kSpacing * std::max(1.0, static_cast<double>(order.size()) / (2 * kPi));
        for (std::size_t i = 0; i < order.size(); ++i) {
            const double angle =
                2 * kPi * static_cast<double>(i) / static_cast<double>(order.size());
            places_[order[i]] = {radius * std::cos(angle), radius * std::sin(angle)};
        }
    }

    void run_forces() {
        constexpr int kRounds = 400;
        std::vector<Point> moves(graph_.size());
        for (int round = 0; round < kRounds; ++round) {
            const double most = kSpacing * (1.0 - static_cast<double>(round) / kRounds);
            for (const Vertex a : linked_) {
                Point sum;
                for (const Vertex b : linked_) {
                    if (a != b) {
                        push(a, b, kSpacing * kSpacing / distance(a, b), sum);
                    }
                }
                for (const auto& [b, cost] : graph_.neighbours(a)) {
                    push(a, b, -distance(a, b) * distance(a, b) / kSpacing, sum);
                }
                // Parts that are not linked must not drift off.
                sum.x -= places_[a].x * 0.05;
                sum.y -= places_[a].y * 0.05;
                moves[a] = sum;
            }
            for (const Vertex v : linked_) {
                const double length = std::max(1e-6, std::hypot(moves[v].x, moves[v].y));
                places_[v].x += moves[v].x / length * std::min(length, most);
                places_[v].y += moves[v].y / length * std::min(length, most);
            }
        }
    }

    /// Screens and pages are wider than high.
    void lay_down() {
        Point least{1e9, 1e9};
        Point most{-1e9, -1e9};
        for (const Vertex v : linked_) {
            least = {std::min(least.x, places_[v].x), std::min(least.y, places_[v].y)};
            most = {std::max(most.x, places_[v].x), std::max(most.y, places_[v].y)};
        }
        if (most.y - least.y > most.x - least.x) {
            for (const Vertex v : linked_) {
                std::swap(places_[v].x, places_[v].y);
            }
        }
    }

    /// What lies so near that names would cover each other moves apart.
    void pull_apart() {
        constexpr int kRounds = 60;
        const double wide = std::max(kSpacing * 0.6, label_width() + 8);
        const double high = 2 * kRadius + kLabelOffset + kNoteOffset + 4;
        for (int round = 0; round < kRounds; ++round) {
            bool has_moved = false;
            for (const Vertex a : linked_) {
                for (const Vertex b : linked_) {
                    const double dx = places_[b].x - places_[a].x;
                    const double dy = places_[b].y - places_[a].y;
                    if (a >= b || std::abs(dx) >= wide || std::abs(dy) >= high) {
                        continue;
                    }
                    has_moved = true;
                    // Along the shorter way out.
                    if (wide - std::abs(dx) < high - std::abs(dy)) {
                        const double by = (wide - std::abs(dx)) / 2 * (dx < 0 ? -1 : 1);
                        places_[a].x -= by;
                        places_[b].x += by;
                    } else {
                        const double by = (high - std::abs(dy)) / 2 * (dy < 0 ? -1 : 1);
                        places_[a].y -= by;
                        places_[b].y += by;
                    }
                }
            }
            if (!has_moved) {
                return;
            }
        }
    }

    void fit() {
        Point least{1e9, 1e9};
        Point most{-1e9, -1e9};
        for (const Vertex v : linked_) {
            least = {std::min(least.x, places_[v].x), std::min(least.y, places_[v].y)};
            most = {std::max(most.x, places_[v].x), std::max(most.y, places_[v].y)};
        }
        if (linked_.empty()) {
            least = most = {};
        }
        const double side = std::max(kMargin, label_width() / 2 + 10);
        for (const Vertex v : linked_) {
            places_[v].x += side - least.x;
            places_[v].y += kMargin - least.y;
        }
        width_ = std::max(kLegendWidth, most.x - least.x + 2 * side);
        height_ = most.y - least.y + 2 * kMargin;
        // In the middle where the legend is wider than the mesh.
        const double shift = (width_ - (most.x - least.x + 2 * side)) / 2;
        for (const Vertex v : linked_) {
            places_[v].x += shift;
        }
    }

    void place_alone() {
        if (alone_.empty()) {
            return;
        }
        const double step = std::max(kSpacing * 0.8, label_width() + 10);
        const auto columns = static_cast<std::size_t>(std::max(1.0, (width_ - kMargin) / step));
        height_ = linked_.empty() ? kMargin : height_;
        for (std::size_t i = 0; i < alone_.size(); ++i) {
            places_[alone_[i]] = {kMargin + static_cast<double>(i % columns) * step,
                                  height_ + static_cast<double>(i / columns) * kSpacing * 0.7};
        }
        height_ += static_cast<double>((alone_.size() - 1) / columns) * kSpacing * 0.7 + kMargin;
    }

    double label_width() const {
        std::size_t longest = 0;
        for (Vertex v = 0; v < graph_.size(); ++v) {
            longest = std::max(longest, width_of(graph_.name(v)));
        }
        return static_cast<double>(longest) * kCharWidth;
    }
    double distance(Vertex a, Vertex b) const {
        return std::max(0.01, std::hypot(places_[a].x - places_[b].x, places_[a].y - places_[b].y));
    }
    void push(Vertex a, Vertex b, double force, Point& sum) const {
        const double apart = distance(a, b);
        sum.x += (places_[a].x - places_[b].x) / apart * force;
        sum.y += (places_[a].y - places_[b].y) / apart * force;
    }

    const TopologyGraph& graph_;
    std::vector<Point> places_;
    std::vector<Vertex> linked_;
    std::vector<Vertex> alone_;
    double width_ = 0;
    double height_ = 0;
};

std::string line(const Point& from, const Point& to, std::string_view attributes) {
    return "<line x1=\"" + number(from.x) + "\" y1=\"" + number(from.y) + "\" x2=\"" +
           number(to.x) + "\" y2=\"" + number(to.y) + "\" " + std::string(attributes) + ">";
}

std::string circle(const Point& at, std::string_view attributes) {
    return "<circle cx=\"" + number(at.x) + "\" cy=\"" + number(at.y) + "\" r=\"" +
           number(kRadius) + "\" " + std::string(attributes) + "/>";
}

std::string text(const Point& at, std::string_view attributes, const std::string& content) {
    return "<text x=\"" + number(at.x) + "\" y=\"" + number(at.y) + "\" " +
           std::string(attributes) + ">" + escaped(content) + "</text>";
}

std::string legend(double y) {
    std::string out;
    double x = 24;
    const auto label = [&](std::string_view name) {
        out += text({x + 34, y + 4}, R"(class="legend")", std::string(name)) + "\n";
        x += 44 + static_cast<double>(name.size()) * kCharWidth;
    };
    for (const NodeStyle& style : {kOwn, kAlive, kGone}) {
        out += "<circle cx=\"" + number(x + 16) + "\" cy=\"" + number(y) + "\" r=\"8\" " +
               std::string(style.attributes) + "/>\n";
        label(style.name);
    }
    for (const LinkStyle& style : {kGood, kLossy, kBad}) {
        out += line({x, y}, {x + 28, y}, style.attributes) + "</line>\n";
        label(style.name);
    }
    return out;
}

}  // namespace

std::string topology_svg(const json::Value& topology, const PictureOptions& options) {
    const TopologyGraph graph(topology);
    const Layout layout(graph);
    const double height = layout.height() + kLegendHeight;
    std::size_t alive = 0;
    for (Vertex v = 0; v < graph.size(); ++v) {
        alive += graph.status(v) == "alive" ? 1 : 0;
    }
    const std::string title = print_count(graph.size(), "box", "boxes") + ", " +
                              std::to_string(alive) + " alive, " +
                              print_count(graph.link_count(), "link", "links");
    std::string out = R"(<svg xmlns="http://www.w3.org/2000/svg" width=")" +
                      number(layout.width()) + "\" height=\"" + number(height) +
                      "\" viewBox=\"0 0 " + number(layout.width()) + " " + number(height) +
                      "\" role=\"img\">\n";
    out += "<title>" + title + "</title>\n";
    out +=
        "<style>text{font-family:sans-serif;font-size:12px;fill:#222222}"
        ".note{font-size:10px;fill:#666666}.name{font-weight:bold}"
        // Names stay readable where a link passes behind them.
        ".name,.note{text-anchor:middle;paint-order:stroke;stroke:#ffffff;stroke-width:3px}</"
        "style>\n";
    out += R"(<rect width="100%" height="100%" fill="#ffffff"/>)"
           "\n";
    out += text({24, 28}, R"(class="legend")", title) + "\n";
    for (Vertex v = 0; v < graph.size(); ++v) {
        for (const auto& [next, cost] : graph.neighbours(v)) {
            if (v < next) {
                out += line(layout.at(v), layout.at(next), style_of_cost(cost).attributes) +
                       "<title>" + escaped(graph.name(v) + " -- " + graph.name(next)) + ", cost " +
                       std::to_string(cost) + "</title></line>\n";
            }
        }
    }
    for (Vertex v = 0; v < graph.size(); ++v) {
        const Point& at = layout.at(v);
        const bool is_alive = graph.status(v) == "alive";
        const bool is_own = graph.name(v) == options.own;
        const NodeStyle& style = !is_alive ? kGone : is_own ? kOwn : kAlive;
        out += circle(at, style.attributes) + "\n";
        const Point below{at.x, at.y + kRadius + kLabelOffset};
        out += text(below, R"(class="name")", graph.name(v)) + "\n";
        const auto note = options.notes.find(graph.name(v));
        const std::string words = !is_alive                     ? graph.status(v)
                                  : note != options.notes.end() ? note->second
                                                                : std::string();
        if (!words.empty()) {
            out += text({below.x, below.y + kNoteOffset}, R"(class="note")", words) + "\n";
        }
    }
    return out + legend(height - kLegendHeight / 2) + "</svg>\n";
}

}  // namespace meshd::cli
