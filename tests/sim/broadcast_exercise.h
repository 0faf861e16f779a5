// SPDX-License-Identifier: Apache-2.0
/// \file
/// The public broadcast exercise (Maelstrom, "Efficient Broadcast"): 25 nodes, 100 ms of latency
/// between any two, 100 broadcasts a second for 20 s, with or without a partition in the middle.
/// There a good answer needs less than 20 messages for each operation at a median latency below
/// 1 s. An operation is an alert; its latency ends when the last node has it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace meshd::sim {

struct ExerciseResult {
    std::size_t operations = 0;
    std::size_t refused = 0;            ///< by an overloaded node; not operations
    std::size_t lost = 0;               ///< not everywhere, ten seconds after the end
    double messages_per_operation = 0;  ///< datagrams of any kind, idle traffic included
    double copies_per_operation = 0;    ///< of alerts that arrived
    /// Items by kind, where there are any; a datagram carries one or more.
    std::vector<std::pair<std::uint8_t, double>> items_per_operation;
    double median_ms = 0;
    double max_ms = 0;
    /// From the end of the partition until all have what was broadcast before it; 0 without one.
    double healed_ms = 0;
};
ExerciseResult run_exercise(std::uint64_t seed, bool has_partition);
std::string print_exercise(const ExerciseResult& result, bool has_partition);

}  // namespace meshd::sim
