// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the mesh behaves at a given size: one world of many nodes is started at once, left alone,
/// told alerts, and loses single nodes and then half of them. Everything is measured from outside
/// (Survey), and everything follows from the plan.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/network.h"

namespace meshd::sim {

enum class ScaleTopology {
    Lan,        ///< all hear all
    Grid,       ///< a square of hearing ranges: each hears those two steps away
    Gateway,    ///< two LANs, of which one node is on both
    Geometric,  ///< random places, each hears a range of 1.5 times what connects them
};
std::optional<ScaleTopology> parse_scale_topology(std::string_view name);
std::string_view scale_topology_name(ScaleTopology topology);
Network make_scale_network(ScaleTopology topology, std::size_t hosts, Prng& prng);
/// `from` and those of `among` to which a chain of them that hear each other leads.
std::vector<Host> hearing_from(const Network& network, Host from, const std::vector<bool>& among);

struct ScalePlan {
    std::uint64_t seed = 1;
    ScaleTopology topology = ScaleTopology::Lan;
    std::size_t nodes = 50;
    double loss = 0;                ///< of each datagram
    std::chrono::seconds idle{60};  ///< how long the mesh is left alone for the figures at idle
    bool has_stalls = false;        ///< meanwhile boxes stand still for up to 500 ms, now and then
    std::size_t crashes = 10;
    std::size_t alerts = 30;
    bool is_verbose = false;  ///< says on stderr what has been done, and at what cost
};

/// Times in milliseconds; nothing where it did not happen within the time allowed.
struct ScaleResult {
    std::optional<double> connected_ms;  ///< the links join all, since the first start
    std::optional<double> complete_ms;   ///< each sees all alive
    std::optional<double> equal_ms;      ///< and all see the same links
    double rest_ms = 0;                  ///< then, until links rested
    std::size_t diameter = 0;            ///< after the mesh has come to rest
    double degree_mean = 0;
    std::size_t degree_max = 0;
    std::size_t degree_peak = 0;  ///< of any node, from the first start to rest
    double handshake_messages_per_node = 0;
    double idle_packets_per_node_s = 0;
    double idle_bytes_per_node_s = 0;           ///< of UDP payload
    double idle_hours = 0;                      ///< times nodes
    std::size_t stalls = 0;                     ///< while idle
    std::uint64_t idle_links_made = 0;          ///< ends of links, by all nodes
    std::uint64_t idle_records_written = 0;     ///< by all nodes
    std::uint64_t forming_records_written = 0;  ///< until links have come to rest
    std::uint64_t forming_copies = 0;           ///< of records, as they arrived
    std::uint64_t false_offline = 0;            ///< while idle
    std::uint64_t false_link_down = 0;
    std::vector<double> crash_first_ms;  ///< by crash: the first node knows
    std::vector<double> crash_all_ms;    ///< by crash: the last node knows
    std::vector<double> crash_node_ms;   ///< by crash and node that is left: it knows
    std::size_t crashes_unknown = 0;     ///< not known by all within the time allowed
    std::vector<double> alert_all_ms;    ///< by alert: the last node has it
    std::size_t alerts_lost = 0;         ///< not everywhere within the time allowed
    double alert_copies_per_node = 0;
    std::optional<double> half_connected_ms;  ///< after half crashed: links join the survivors
    std::optional<double> half_complete_ms;   ///< and each sees alive just the survivors
    std::uint64_t deliveries = 0;
    std::uint64_t trace_hash = 0;
};
ScaleResult run_scale(const ScalePlan& plan);

/// As a JSON object.
std::string print_scale(const ScalePlan& plan, const ScaleResult& result);

/// The value below which the share `part` of `values` lies, nothing of none.
std::optional<double> percentile(std::vector<double> values, double part);

}  // namespace meshd::sim
