// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/faults.h"

#include <algorithm>
#include <utility>

#include "proto/store/embedding.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kLargeBytes = 60'000;
/// So few that boxes often write the same ones.
constexpr std::uint64_t kHashes = 24;
constexpr std::uint64_t kMembers = 12;

Buffer some_embedding(Prng& prng, std::size_t dimension) {
    std::vector<double> values;
    for (std::size_t i = 0; i < dimension; ++i) {
        values.push_back(prng.unit() + 0.01);
    }
    return *make_embedding(values);
}

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
    every(plan_.put_every, [this] { put(); });
    every(plan_.delete_every, [this] { remove(); });
    every(plan_.shared_every, [this] { share(); });
    every(plan_.disk_fault_every, [this] { harm_disk(); });
    every(plan_.disk_loss_every, [this] { lose_disk(); });
    every(plan_.backup_every, [this] { restore_backup(); });
    every(plan_.away_every, [this] { go_away(); });
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

void Faults::come_back(Host host, Duration earliest, Duration latest) {
    world_.after(prng_.between(std::max<Duration>(earliest, milliseconds(50)), latest),
                 [this, host] {
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
        const bool is_large = prng_.below(50) == 0;
        const std::size_t bytes = prng_.below(is_large ? kLargeBytes : 400);
        const Duration wait = prng_.below(4) == 0 ? seconds(2) : seconds(0);
        const std::string dedupe_key =
            prng_.below(8) == 0 ? "key" + std::to_string(prng_.below(5)) : "";
        const std::uint64_t ttl_ms = prng_.below(8) == 0 ? 1000 + prng_.below(60'000) : 0;
        // Refusal by a full queue is an answer; whoever got one is not counted as raised.
        static_cast<void>(world_.raise(*host, priority, bytes, wait, dedupe_key, ttl_ms));
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

std::string Faults::some_hash() {
    return "hash" + std::to_string(prng_.below(kHashes));
}

void Faults::put() {
    const auto host = pick();
    if (!host) {
        return;
    }
    PutEntries put;
    put.is_durable = prng_.below(5) == 0;
    for (std::uint64_t i = 1 + prng_.below(5); i > 0; --i) {
        EntryPut entry;
        entry.hash = some_hash();
        entry.type = prng_.below(2) == 0 ? "person" : "car";
        entry.metadata = "{\"mark\":\"" + world_.mark() + "\"}";
        entry.ttl_ms = prng_.below(4) == 0 ? 1000 + prng_.below(60'000) : 0;
        if (prng_.below(2) == 0) {
            const std::size_t dimension = prng_.below(20) == 0 ? 512 : 4 << prng_.below(3);
            entry.space = "model" + std::to_string(dimension);
            entry.embedding = some_embedding(prng_, dimension);
        }
        put.entries.push_back(std::move(entry));
    }
    static_cast<void>(world_.command(*host, put));
}

void Faults::remove() {
    if (const auto host = pick()) {
        DeleteEntries remove{some_hash(), {}};
        if (prng_.below(3) == 0) {
            remove.node = world_.id(prng_.below(world_.hosts()));
        }
        static_cast<void>(world_.command(*host, remove));
    }
}

void Faults::share() {
    if (const auto host = pick()) {
        const std::string value = prng_.below(3) == 0 ? "null" : "\"" + world_.mark() + "\"";
        const std::string key = "member" + std::to_string(prng_.below(kMembers));
        static_cast<void>(world_.command(*host, UpdateShared{"{\"" + key + "\":" + value + "}"}));
    }
}

void Faults::harm_disk() {
    const Host host = prng_.below(world_.hosts());
    world_.set_disk_fault(host, prng_.below(2) == 0 ? DiskFault::Failing : DiskFault::Slow);
    world_.after(prng_.between(milliseconds(100), seconds(30)),
                 [this, host] { world_.set_disk_fault(host, DiskFault::None); });
}

void Faults::lose_disk() {
    world_.set_disk_fault(prng_.below(world_.hosts()), DiskFault::Lost);
}

void Faults::restore_backup() {
    if (const auto host = pick()) {
        const auto backup = backups_.find(*host);
        if (backup != backups_.end()) {
            world_.crash(*host);
            world_.set_disk_image(*host, backup->second);
            come_back(*host);
        }
        backups_.insert_or_assign(*host, world_.disk(*host).image);
    }
}

/// For longer than its peers remember what is dead; of tombstones that live for a day, for a while.
void Faults::go_away() {
    if (const auto host = pick()) {
        const bool is_short = plan_.tombstone_time < std::chrono::hours(1);
        const Duration long_time = is_short ? plan_.tombstone_time : seconds(60);
        world_.crash(*host);
        come_back(*host, long_time, 2 * long_time);
    }
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
