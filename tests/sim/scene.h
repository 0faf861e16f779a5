// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the scenario tests share: a world, its checkers, and short words for common steps.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "proto/store/embedding.h"
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

    /// Puts one entry with a mark of its own, which is returned.
    std::string put(Host host, const std::string& hash, std::uint64_t ttl_ms = 0) {
        EntryPut entry;
        entry.hash = hash;
        entry.type = "person";
        entry.metadata = "{\"mark\":\"" + world.mark() + "\"}";
        entry.ttl_ms = ttl_ms;
        REQUIRE(world.command(host, PutEntries{{entry}, false}));
        return entry.metadata;
    }
    /// Puts `count` entries "<prefix>0", "<prefix>1", … in batches of 100.
    void put_many(Host host, const std::string& prefix, std::size_t count,
                  std::size_t dimension = 0) {
        PutEntries put;
        for (std::size_t i = 0; i < count; ++i) {
            EntryPut entry;
            entry.hash = prefix + std::to_string(i);
            entry.type = "person";
            entry.metadata = "{\"mark\":\"" + world.mark() + "\"}";
            if (dimension != 0) {
                entry.space = "model";
                std::vector<double> values(dimension);
                for (double& value : values) {
                    value = world.prng().unit() + 0.01;
                }
                entry.embedding = *make_embedding(values);
            }
            put.entries.push_back(std::move(entry));
            if (put.entries.size() == 100 || i + 1 == count) {
                REQUIRE(world.command(host, std::exchange(put, {})));
                world.run_for(milliseconds(20));
            }
        }
    }
    std::size_t remove(Host host, const std::string& hash, const NodeId& owner = {}) {
        const auto request = world.command(host, DeleteEntries{hash, owner});
        REQUIRE(request);
        const auto* deleted = world.answer<EntriesDeleted>(host, *request);
        REQUIRE(deleted != nullptr);
        return deleted->deleted;
    }
    void share(Host host, const std::string& key, const std::string& value) {
        REQUIRE(world.command(host, UpdateShared{"{\"" + key + "\":" + value + "}"}));
    }
    /// Metadata of the owner's sighting; empty where there is none.
    std::string shown(Host viewer, const std::string& hash, Host owner) const {
        for (const EntryView& entry : world.node(viewer).entries(world.now(viewer), hash)) {
            if (entry.node == world.id(owner)) {
                return entry.metadata;
            }
        }
        return {};
    }
    std::string shared(Host viewer, const std::string& key) const {
        const auto member = world.node(viewer).shared(world.now(viewer), key);
        return member ? member->value : std::string();
    }
    StoreView store(Host host) const { return world.node(host).status(world.now(host)).store; }
    bool has_warning(Host host) const {
        return !world.node(host).status(world.now(host)).warnings.empty();
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
