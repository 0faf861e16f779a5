// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the scenario tests share: a world, its checkers, and short words for common steps.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/sim/checkers.h"
#include "tests/sim/world.h"

namespace meshd::sim {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct Scene {
    World world;
    Checkers checkers;

    Scene(std::uint64_t seed, Network network, const Config& config = {})
        : world(seed, std::move(network), config), checkers(world) {}
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    ~Scene() { CHECK(checkers.report() == ""); }

    /// Starts every box that does not run, within `spread` of each other.
    void start_all(Duration spread = milliseconds(300)) {
        for (Host host = 0; host < world.hosts(); ++host) {
            world.after(world.prng().between(Duration::zero(), spread), [this, host] {
                if (!world.is_running(host)) {
                    world.start(host);
                }
            });
        }
        world.run_for(spread);
    }

    /// Starts all and waits for agreement.
    void form(Duration limit = seconds(10)) {
        start_all();
        CHECK(checkers.settle(limit) == "");
    }

    /// Every other running node was told of the alert raised last.
    bool is_told_everywhere(Host raiser) const {
        for (Host host = 0; host < world.hosts(); ++host) {
            if (host != raiser && world.is_running(host) &&
                !checkers.told_of_last().contains(host)) {
                return false;
            }
        }
        return true;
    }

    /// Raises an alert and returns the time until the last node was told; nothing after `limit`.
    std::optional<Duration> raise_and_wait(Host host, Priority priority = Priority::Normal,
                                           std::size_t bytes = 0, Duration limit = seconds(5)) {
        REQUIRE(world.raise(host, priority, bytes));
        return world.run_until([&] { return is_told_everywhere(host); }, limit, milliseconds(1));
    }

    std::optional<NodeStatus> status(Host viewer, Host subject) const {
        const auto view = world.node(viewer).node(world.now(viewer), world.id(subject));
        return view ? std::optional(view->status) : std::nullopt;
    }

    /// All running nodes but `subject` see it as `wanted`.
    bool all_see(Host subject, NodeStatus wanted) const {
        for (Host host = 0; host < world.hosts(); ++host) {
            if (host != subject && world.is_running(host) && status(host, subject) != wanted) {
                return false;
            }
        }
        return true;
    }

    std::uint64_t total(Counter counter) const {
        std::uint64_t sum = 0;
        for (Host host = 0; host < world.hosts(); ++host) {
            if (world.is_running(host)) {
                sum += world.node(host).counters()[counter];
            }
        }
        return sum;
    }

    /// Node events of `kind` about anybody, told by anybody.
    std::size_t events(NodeEventKind kind) const {
        std::size_t sum = 0;
        for (Host host = 0; host < world.hosts(); ++host) {
            for (Host subject = 0; subject < world.hosts(); ++subject) {
                sum += checkers.events(host, kind, world.id(subject));
            }
        }
        return sum;
    }
};

/// For messages: "12.3 ms".
inline std::string print_ms(Duration duration) {
    const auto tenths = duration.count() / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

}  // namespace meshd::sim
