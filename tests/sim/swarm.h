// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random runs: a seed gives a plan (topology, link settings, how often what fails), the plan a run
/// with all faults under the checkers, then heal, quiet, and the demand that all agree.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/network.h"

namespace meshd::sim {

/// Ways in which the simulator breaks the mesh on purpose, so that it shows that the checkers can
/// fail.
enum class Mutant {
    None,
    DropRepair,  ///< all digests, pulls and deltas vanish: what a push missed stays missing
    TellTwice,   ///< now and then an alert is told a second time
    LoseState,   ///< every push of a node or state record vanishes, repair too
};
std::optional<Mutant> parse_mutant(std::string_view name);

enum class Shape { Lan, Line, PartialLan, Hub, TwoLans, TwoNets };

struct Plan {
    std::uint64_t seed = 0;
    Shape shape = Shape::Lan;
    std::size_t nodes = 0;
    std::chrono::seconds duration{};  ///< of the safety phase
    LinkSettings link;
    std::size_t max_peers = 10;
    double corrupt = 0;  ///< share of datagrams that arrive with one bit changed
    /// Mean time between two such events in the whole mesh; zero = never.
    Duration alert_every{};
    Duration put_every{};  ///< one to five entries, of few hashes; some with a ttl
    Duration delete_every{};
    Duration shared_every{};  ///< a member of the shared state is written or deleted
    Duration update_every{};
    Duration stall_every{};      ///< a box stands still for up to 500 ms
    Duration pause_every{};      ///< a box stands still for up to 10 s
    Duration crash_every{};      ///< and comes back after up to 20 s
    Duration power_cut_every{};  ///< all boxes at once
    Duration wipe_every{};       ///< a crash that also loses the disk
    Duration leave_every{};
    Duration partition_every{};  ///< for up to 15 s
    Duration one_way_every{};    ///< one direction of one link, for up to 30 s
    Duration uneven_every{};     ///< one direction of one link is lossy and slow for up to 60 s
    Duration lossy_every{};      ///< one link loses 30 to 90 % for up to 60 s
    Duration cut_off_every{};    ///< a box is cut off from all others for up to 20 s
    Duration segment_every{};    ///< a switch fails for up to 10 s
    Duration cable_every{};      ///< out for up to 20 s
    Duration roam_every{};       ///< an interface gets another address, where possible elsewhere
    Duration scrap_every{};      ///< a box dies, is forgotten, and comes back late or never
    Duration burst_every{};      ///< nothing passes for up to 300 ms
    Duration clock_jump_every{};
    Duration disk_fault_every{};  ///< full or slow, for up to 30 s
    Duration disk_loss_every{};   ///< a database is replaced by an empty one
    Duration backup_every{};      ///< a disk is copied, and a crashed box set back to an older copy
    Duration away_every{};        ///< a crash, and back after tombstones are gone
    bool is_sealed = false;
    Duration rotate_every{};  ///< a box gets a new mesh key, to be spread
    Duration tombstone_time{};
    std::size_t own_entries_max = 0;
    Duration link_check{};        ///< period of heartbeats; a link is down after four
    bool one_stays_dead = false;  ///< after heal, on a LAN; then forgotten, then started anew
    /// After agreement: the links as before and short stalls, under which nobody is lost.
    Duration weather{};
    Mutant mutant = Mutant::None;
};

/// Everything that the seed decides; `nodes` and `duration` may be given instead.
Plan draw_plan(std::uint64_t seed, std::optional<std::size_t> nodes = {},
               std::optional<std::chrono::seconds> duration = {});
/// All options on one line.
std::string print_plan(const Plan& plan);

struct SwarmResult {
    std::string violations;  ///< one a line; empty where the run was right
    std::uint64_t trace_hash = 0;
    std::uint64_t deliveries = 0;
    std::size_t alerts = 0;
    std::size_t puts = 0;
    std::size_t durable = 0;  ///< answers that said so
    std::size_t forgets = 0;  ///< of dead boxes
    std::uint64_t commits = 0;
    std::size_t records = 0;   ///< in the store at the end
    Duration settled_after{};  ///< time from heal to agreement
};
SwarmResult run_swarm(const Plan& plan);

}  // namespace meshd::sim
