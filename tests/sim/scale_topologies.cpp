// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <deque>

#include "proto/base/assert.h"
#include "tests/sim/scale.h"

namespace meshd::sim {

namespace {

/// On a grid each node hears those this many steps away: twelve, except at the border.
constexpr double kGridRange = 2.0;
/// Of the range at which a random geometric graph begins to be connected (Gupta and Kumar, 1998).
constexpr double kGeometricRange = 1.5;
constexpr int kDrawsMax = 100;

struct Point {
    double x = 0;
    double y = 0;
};

/// One radio channel: each hears who is within `range`.
Network in_range(const std::vector<Point>& points, double range) {
    Network network = lan(points.size());
    for (Host a = 0; a < points.size(); ++a) {
        for (Host b = a + 1; b < points.size(); ++b) {
            if (std::hypot(points[a].x - points[b].x, points[a].y - points[b].y) > range) {
                network.make_deaf(a, b);
            }
        }
    }
    return network;
}

Network grid(std::size_t hosts) {
    const auto width = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(hosts))));
    std::vector<Point> points;
    for (Host host = 0; host < hosts; ++host) {
        points.push_back({static_cast<double>(host % width), static_cast<double>(host / width)});
    }
    return in_range(points, kGridRange);
}

Network geometric(std::size_t hosts, Prng& prng) {
    const auto count = static_cast<double>(hosts);
    const double range = kGeometricRange * std::sqrt(std::log(count) / (std::acos(-1.0) * count));
    for (int draw = 0; draw < kDrawsMax; ++draw) {
        std::vector<Point> points(hosts);
        for (Point& point : points) {
            point = {prng.unit(), prng.unit()};
        }
        Network network = in_range(points, range);
        if (hearing_from(network, 0, std::vector<bool>(hosts, true)).size() == hosts) {
            return network;
        }
    }
    MESHD_ASSERT(false);
}

}  // namespace

std::vector<Host> hearing_from(const Network& network, Host from, const std::vector<bool>& among) {
    std::vector<bool> is_found(network.hosts());
    std::vector<Host> found = {from};
    is_found[from] = true;
    for (std::size_t at = 0; at < found.size(); ++at) {
        for (Host next = 0; next < network.hosts(); ++next) {
            if (among[next] && !is_found[next] && network.is_connected(found[at], next)) {
                is_found[next] = true;
                found.push_back(next);
            }
        }
    }
    return found;
}

std::optional<ScaleTopology> parse_scale_topology(std::string_view name) {
    for (const ScaleTopology topology : {ScaleTopology::Lan, ScaleTopology::Grid,
                                         ScaleTopology::Gateway, ScaleTopology::Geometric}) {
        if (name == scale_topology_name(topology)) {
            return topology;
        }
    }
    return std::nullopt;
}

std::string_view scale_topology_name(ScaleTopology topology) {
    switch (topology) {
        case ScaleTopology::Lan:
            return "lan";
        case ScaleTopology::Grid:
            return "grid";
        case ScaleTopology::Gateway:
            return "gateway";
        case ScaleTopology::Geometric:
            return "geometric";
    }
    MESHD_ASSERT(false);
}

Network make_scale_network(ScaleTopology topology, std::size_t hosts, Prng& prng) {
    switch (topology) {
        case ScaleTopology::Lan:
            return lan(hosts);
        case ScaleTopology::Grid:
            return grid(hosts);
        case ScaleTopology::Gateway:
            return two_lans(hosts / 2, hosts - hosts / 2);
        case ScaleTopology::Geometric:
            return geometric(hosts, prng);
    }
    MESHD_ASSERT(false);
}

}  // namespace meshd::sim
