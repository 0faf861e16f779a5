// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/faults.h"

#include <utility>

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLargeBytes = 60'000;

}  // namespace

Faults::Faults(const Plan& plan, World& world, Prng& prng)
    : plan_(plan), world_(world), prng_(prng) {}

void Faults::begin() {
    every(plan_.alert_every, [this] { raise(); });
    every(plan_.update_every, [this] { update(); });
    every(plan_.stall_every, [this] { pause(milliseconds(500)); });
    every(plan_.pause_every, [this] { pause(seconds(10)); });
    every(plan_.crash_every, [this] { crash(); });
    every(plan_.power_cut_every, [this] { power_cut(); });
    every(plan_.wipe_every, [this] { wipe(); });
    every(plan_.leave_every, [this] { leave(); });
    every(plan_.partition_every, [this] { partition(); });
    every(plan_.one_way_every, [this] { cut_one_way(); });
    every(plan_.burst_every, [this] { radio_burst(); });
    every(plan_.clock_jump_every, [this] { jump_clock(); });
}

void Faults::every(Duration mean, std::function<void()> action) {
    if (mean == Duration::zero()) {
        return;
    }
    world_.after(prng_.between(Duration::zero(), 2 * mean),
                 [this, mean, action = std::move(action)]() mutable {
                     if (!is_over_) {
                         action();
                         every(mean, std::move(action));
                     }
                 });
}

/// A random box that runs, is awake and in the mesh.
std::optional<Host> Faults::pick() {
    const Host host = prng_.below(world_.hosts());
    const bool is_fit =
        world_.is_running(host) && !world_.is_paused(host) && !world_.is_stopping(host);
    return is_fit ? std::optional(host) : std::nullopt;
}

void Faults::come_back(Host host) {
    world_.after(prng_.between(milliseconds(50), seconds(20)), [this, host] {
        if (!is_over_ && !world_.is_running(host)) {
            world_.start(host);
        }
    });
}

void Faults::raise() {
    const auto host = pick();
    if (!host) {
        return;
    }
    const std::uint64_t alerts = prng_.below(20) == 0 ? 1 + prng_.below(50) : 1;
    for (std::uint64_t i = 0; i < alerts; ++i) {
        const auto priority = static_cast<Priority>(prng_.below(4));
        const bool is_large = prng_.below(20) == 0;
        const std::size_t bytes = prng_.below(is_large ? kLargeBytes : 400);
        const Duration wait = prng_.below(4) == 0 ? seconds(2) : seconds(0);
        // Refusal by a full queue is an answer; whoever got one is not counted as raised.
        static_cast<void>(world_.raise(*host, priority, bytes, wait));
    }
}

void Faults::update() {
    const auto host = pick();
    if (!host) {
        return;
    }
    const std::size_t bytes = prng_.below(prng_.below(20) == 0 ? kLargeBytes : 300);
    UpdateState update;
    update.patch =
        "{\"step\":" + std::to_string(++updates_) + ",\"pad\":\"" + std::string(bytes, 'y') + "\"}";
    if (prng_.below(3) == 0) {
        update.activity = static_cast<Activity>(1 + prng_.below(3));
    }
    static_cast<void>(world_.command(*host, update));
}

void Faults::crash() {
    if (const auto host = pick()) {
        world_.crash(*host);
        come_back(*host);
    }
}

void Faults::power_cut() {
    for (Host host = 0; host < world_.hosts(); ++host) {
        world_.crash(host);
        world_.after(seconds(2), [this, host] {
            if (!is_over_ && !world_.is_running(host)) {
                world_.start(host);
            }
        });
    }
}

void Faults::wipe() {
    if (const auto host = pick()) {
        world_.crash(*host);
        world_.wipe(*host);
        come_back(*host);
    }
}

void Faults::leave() {
    if (const auto host = pick()) {
        world_.stop(*host, prng_.below(2) == 0);
        come_back(*host);
    }
}

void Faults::pause(Duration longest) {
    if (const auto host = pick()) {
        world_.pause(*host);
        world_.after(prng_.between(Duration::zero(), longest),
                     [this, host = *host] { world_.resume(host); });
    }
}

void Faults::partition() {
    std::vector<Host> one;
    std::vector<Host> other;
    for (Host host = 0; host < world_.hosts(); ++host) {
        (prng_.below(2) == 0 ? one : other).push_back(host);
    }
    world_.network().partition(one, other);
    world_.after(prng_.between(milliseconds(100), seconds(15)),
                 [this] { world_.network().heal(); });
}

void Faults::cut_one_way() {
    const Host from = prng_.below(world_.hosts());
    const Host to = prng_.below(world_.hosts());
    world_.network().link(from, to).up = false;
    world_.after(prng_.between(milliseconds(100), seconds(10)), [this, from, to] {
        if (!is_over_) {
            world_.network().link(from, to).up = true;
        }
    });
}

/// Nothing passes anywhere for up to 300 ms.
void Faults::radio_burst() {
    world_.network().defaults().up = false;
    world_.after(prng_.between(Duration::zero(), milliseconds(300)),
                 [this] { world_.network().defaults().up = true; });
}

void Faults::jump_clock() {
    const auto day = static_cast<std::uint64_t>(milliseconds(std::chrono::hours(24)).count());
    const auto by = static_cast<std::int64_t>(prng_.below(2 * day));
    world_.jump_wall_clock(prng_.below(world_.hosts()), by - static_cast<std::int64_t>(day));
}

}  // namespace meshd::sim
