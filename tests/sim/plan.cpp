// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "proto/base/prng.h"
#include "tests/sim/swarm.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::string_view, 6> kShapeNames = {"lan", "line",     "partial",
                                                         "hub", "two-lans", "two-nets"};

std::string print_s(Duration duration) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1fs", static_cast<double>(to_ms(duration)) / 1000);
    return duration == Duration::zero() ? "-" : text;
}

std::string print_share(double share) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f%%", share * 100);
    return text;
}

/// A fault is absent from every third plan, so that plans differ in what they combine.
Duration sometimes(Prng& prng, Duration low, Duration high) {
    const Duration every = prng.between(low, high);
    return prng.below(3) == 0 ? Duration::zero() : every;
}

double share(Prng& prng, double most) {
    const double value = prng.unit() * most;
    return prng.below(3) == 0 ? 0 : value;
}

}  // namespace

std::optional<Mutant> parse_mutant(std::string_view name) {
    if (name == "drop-repair") {
        return Mutant::DropRepair;
    }
    if (name == "tell-twice") {
        return Mutant::TellTwice;
    }
    if (name == "lose-state") {
        return Mutant::LoseState;
    }
    return std::nullopt;
}

Plan draw_plan(std::uint64_t seed, std::optional<std::size_t> nodes,
               std::optional<seconds> duration) {
    Entropy entropy{};
    store_big_endian<8>(entropy.data(), seed);
    Prng prng(entropy);
    Plan plan;
    plan.seed = seed;
    // Half of all runs on the everyday topology.
    plan.shape =
        prng.below(2) == 0 ? Shape::Lan : static_cast<Shape>(prng.below(kShapeNames.size()));
    const std::size_t drawn_nodes = 10 + prng.below(5);
    plan.nodes = nodes.value_or(drawn_nodes);
    plan.duration = duration.value_or(seconds(600));
    plan.link.delay = prng.between(std::chrono::microseconds(100), milliseconds(5));
    plan.link.jitter = prng.between(Duration::zero(), milliseconds(10));
    plan.link.loss = share(prng, 0.2);
    plan.link.duplicate = share(prng, 0.1);
    plan.link.reorder = share(prng, 0.2);
    plan.corrupt = share(prng, 0.02);
    plan.alert_every = prng.between(milliseconds(500), seconds(8));
    plan.update_every = prng.between(seconds(1), seconds(10));
    const auto boxes = static_cast<Duration::rep>(plan.nodes);
    plan.stall_every = sometimes(prng, seconds(20) / boxes, seconds(60) / boxes);
    plan.crash_every = sometimes(prng, seconds(15), seconds(90));
    plan.leave_every = sometimes(prng, seconds(20), seconds(90));
    plan.partition_every = sometimes(prng, seconds(25), seconds(90));
    plan.one_way_every = sometimes(prng, seconds(15), seconds(60));
    plan.clock_jump_every = sometimes(prng, seconds(10), seconds(60));
    plan.pause_every = sometimes(prng, seconds(30), seconds(120));
    plan.power_cut_every = sometimes(prng, seconds(60), seconds(300));
    plan.wipe_every = sometimes(prng, seconds(60), seconds(180));
    plan.burst_every = sometimes(prng, seconds(5), seconds(30));
    constexpr std::array<std::size_t, 4> kMaxPeers = {10, 10, 6, 4};
    plan.max_peers = kMaxPeers[prng.below(kMaxPeers.size())];
    plan.one_stays_dead = prng.below(3) == 0;
    plan.put_every = prng.between(milliseconds(500), seconds(4));
    plan.delete_every = sometimes(prng, seconds(1), seconds(10));
    plan.shared_every = sometimes(prng, seconds(1), seconds(10));
    plan.disk_fault_every = sometimes(prng, seconds(20), seconds(120));
    plan.disk_loss_every = sometimes(prng, seconds(60), seconds(300));
    plan.backup_every = sometimes(prng, seconds(60), seconds(180));
    plan.away_every = sometimes(prng, seconds(60), seconds(180));
    plan.tombstone_time =
        prng.below(2) == 0 ? prng.between(seconds(30), seconds(120)) : std::chrono::hours(24);
    plan.own_entries_max = prng.below(3) == 0 ? 5 + prng.below(20) : 200'000;
    // The slow half takes less time to run; what fails does so later, that is all.
    plan.link_check = prng.below(2) == 0 ? milliseconds(500) : milliseconds(1000);
    plan.uneven_every = sometimes(prng, seconds(20), seconds(60));
    plan.lossy_every = sometimes(prng, seconds(20), seconds(60));
    plan.cut_off_every = sometimes(prng, seconds(40), seconds(120));
    plan.segment_every = sometimes(prng, seconds(60), seconds(200));
    plan.cable_every = sometimes(prng, seconds(30), seconds(90));
    plan.roam_every = sometimes(prng, seconds(40), seconds(120));
    plan.scrap_every = sometimes(prng, seconds(40), seconds(150));
    plan.weather = sometimes(prng, seconds(20), seconds(40));
    plan.is_sealed = prng.below(2) == 0;
    plan.rotate_every =
        plan.is_sealed ? sometimes(prng, seconds(60), seconds(300)) : Duration::zero();
    return plan;
}

std::string print_plan(const Plan& plan) {
    std::string text =
        "seed " + std::to_string(plan.seed) + ": " +
        std::string(kShapeNames[static_cast<std::size_t>(plan.shape)]) + " nodes " +
        std::to_string(plan.nodes) + " for " + std::to_string(plan.duration.count()) +
        "s max-peers " + std::to_string(plan.max_peers) + " delay " +
        std::to_string(plan.link.delay.count()) + "us jitter " +
        std::to_string(plan.link.jitter.count()) + "us loss " + print_share(plan.link.loss) +
        " duplicate " + print_share(plan.link.duplicate) + " reorder " +
        print_share(plan.link.reorder) + " corrupt " + print_share(plan.corrupt) +
        (plan.one_stays_dead ? " one-stays-dead" : "") + (plan.is_sealed ? " sealed" : "") +
        " tombstones " + print_s(plan.tombstone_time) + " own-entries " +
        std::to_string(plan.own_entries_max) + " weather " + print_s(plan.weather) +
        " link-check " + print_s(plan.link_check) + "; every:";
    const std::pair<const char*, Duration> events[] = {{"alert", plan.alert_every},
                                                       {"update", plan.update_every},
                                                       {"stall", plan.stall_every},
                                                       {"rotate", plan.rotate_every},
                                                       {"pause", plan.pause_every},
                                                       {"crash", plan.crash_every},
                                                       {"power-cut", plan.power_cut_every},
                                                       {"wipe", plan.wipe_every},
                                                       {"leave", plan.leave_every},
                                                       {"partition", plan.partition_every},
                                                       {"one-way", plan.one_way_every},
                                                       {"uneven", plan.uneven_every},
                                                       {"lossy", plan.lossy_every},
                                                       {"cut-off", plan.cut_off_every},
                                                       {"segment", plan.segment_every},
                                                       {"cable", plan.cable_every},
                                                       {"roam", plan.roam_every},
                                                       {"scrap", plan.scrap_every},
                                                       {"burst", plan.burst_every},
                                                       {"clock-jump", plan.clock_jump_every},
                                                       {"put", plan.put_every},
                                                       {"delete", plan.delete_every},
                                                       {"shared", plan.shared_every},
                                                       {"disk-fault", plan.disk_fault_every},
                                                       {"disk-loss", plan.disk_loss_every},
                                                       {"backup", plan.backup_every},
                                                       {"away", plan.away_every}};
    for (const auto& [name, mean] : events) {
        text += std::string(" ") + name + " " + print_s(mean);
    }
    return text;
}

}  // namespace meshd::sim
