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
/// By which a box cut off knows it: an exchange, and the longest patience twice.
constexpr Duration kAloneMax = seconds(10);
/// By which a link of which one direction is dead is gone: the longest exchange period, and the
/// same.
constexpr Duration kOneSidedMax = seconds(20);

Buffer some_embedding(Prng& prng, std::size_t dimension) {
    std::vector<double> values;
    for (std::size_t i = 0; i < dimension; ++i) {
        values.push_back(prng.unit() + 0.01);
    }
    return *make_embedding(values);
}

}  // namespace

Faults::Faults(const Plan& plan, World& world, Prng& prng, Violation violation)
    : plan_(plan), world_(world), prng_(prng), violation_(std::move(violation)) {}

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
    every(plan_.uneven_every, [this] { make_uneven(); });
    every(plan_.lossy_every, [this] { make_lossy(); });
    every(plan_.cut_off_every, [this] { cut_off(); });
    every(plan_.segment_every, [this] { fail_segment(); });
    every(plan_.cable_every, [this] { pull_cable(); });
    every(plan_.roam_every, [this] { roam(); });
    every(plan_.scrap_every, [this] { scrap(); });
    every(plan_.burst_every, [this] { radio_burst(); });
    every(plan_.clock_jump_every, [this] { jump_clock(); });
    every(plan_.put_every, [this] { put(); });
    every(plan_.delete_every, [this] { remove(); });
    every(plan_.shared_every, [this] { share(); });
    every(plan_.disk_fault_every, [this] { harm_disk(); });
    every(plan_.disk_loss_every, [this] { lose_disk(); });
    every(plan_.backup_every, [this] { restore_backup(); });
    every(plan_.away_every, [this] { go_away(); });
    every(plan_.rotate_every, [this] { rotate(); });
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

Duration Faults::for_up_to(Duration longest) {
    return prng_.between(milliseconds(100), longest);
}

std::optional<std::pair<Host, Host>> Faults::pick_pair() {
    const Host from = prng_.below(world_.hosts());
    const Host to = prng_.below(world_.hosts());
    return from == to ? std::nullopt : std::optional(std::pair(from, to));
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
        const std::uint64_t ttl_ms = prng_.below(8) == 0 ? some_ttl_ms() : 0;
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

std::uint64_t Faults::some_ttl_ms() {
    return 1000 + prng_.below(static_cast<std::uint64_t>(to_ms(kTtlMax)) - 1000);
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
        entry.ttl_ms = prng_.below(4) == 0 ? some_ttl_ms() : 0;
        if (prng_.below(2) == 0) {
            const std::size_t dimension = prng_.below(20) == 0 ? 512U : 4U << prng_.below(3);
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
    world_.after(for_up_to(seconds(15)), [this] {
        world_.network().heal();
        ++heals_;
    });
}

void Faults::cut_one_way() {
    const auto pair = pick_pair();
    if (!pair) {
        return;
    }
    const auto [from, to] = *pair;
    world_.network().link(from, to).up = false;
    world_.after(for_up_to(seconds(30)),
                 [this, from = from, to = to, since = world_.time(), heals = heals_] {
                     if (!is_over_) {
                         check_one_way(from, to, since, heals);
                         world_.network().link(from, to).up = true;
                         ++heals_;
                     }
                 });
}

/// A link is used only while both ends hear each other.
void Faults::check_one_way(Host from, Host to, TimePoint since, std::uint64_t heals) const {
    if (heals != heals_ || world_.time() - since < kOneSidedMax) {
        return;
    }
    for (const auto& [here, there] : {std::pair(from, to), std::pair(to, from)}) {
        if (!world_.is_running(here) || world_.is_paused(here) ||
            world_.awake_since(here) > since) {
            continue;
        }
        for (const PeerView& peer : world_.node(here).peers(world_.now(here))) {
            if (peer.node_id == world_.id(there)) {
                violation_(world_.id(here).text() + " holds a link to " + peer.node_id.text() +
                           ", of which one direction was dead for " +
                           std::to_string(to_ms(world_.time() - since)) + " ms");
            }
        }
    }
}

void Faults::make_uneven() {
    if (const auto pair = pick_pair()) {
        const auto [from, to] = *pair;
        LinkSettings& link = world_.network().link(from, to);
        link.loss = 0.3 + 0.6 * prng_.unit();
        link.delay += prng_.between(Duration::zero(), milliseconds(50));
        world_.after(for_up_to(seconds(60)),
                     [this, from = from, to = to] { world_.network().calm_link(from, to); });
    }
}

void Faults::make_lossy() {
    if (const auto pair = pick_pair()) {
        const auto [from, to] = *pair;
        const double loss = 0.3 + 0.6 * prng_.unit();
        world_.network().link(from, to).loss = loss;
        world_.network().link(to, from).loss = loss;
        world_.after(for_up_to(seconds(60)), [this, from = from, to = to] {
            world_.network().calm_link(from, to);
            world_.network().calm_link(to, from);
        });
    }
}

void Faults::cut_off() {
    const Host host = prng_.below(world_.hosts());
    std::vector<Host> others;
    for (Host other = 0; other < world_.hosts(); ++other) {
        if (other != host) {
            others.push_back(other);
        }
    }
    world_.network().partition({host}, others);
    world_.after(for_up_to(seconds(20)),
                 [this, host, others, since = world_.time(), heals = heals_] {
                     if (is_over_) {
                         return;
                     }
                     check_cut_off(host, since, heals);
                     for (const Host other : others) {
                         world_.network().set_up(host, other, true);
                     }
                     ++heals_;
                 });
}

void Faults::check_cut_off(Host host, TimePoint since, std::uint64_t heals) const {
    if (heals != heals_ || world_.time() - since < kAloneMax || !world_.is_running(host) ||
        world_.is_stopping(host) || world_.is_paused(host) || world_.awake_since(host) > since) {
        return;
    }
    const StatusView status = world_.node(host).status(world_.now(host));
    if (status.nodes_alive != 1) {
        violation_(world_.id(host).text() + " sees " + std::to_string(status.nodes_alive) +
                   " alive though cut off for " + std::to_string(to_ms(world_.time() - since)) +
                   " ms");
    }
}

void Faults::fail_segment() {
    const Segment segment = prng_.below(world_.network().segments());
    world_.network().set_segment(segment, false);
    world_.after(for_up_to(seconds(10)),
                 [this, segment] { world_.network().set_segment(segment, true); });
}

void Faults::pull_cable() {
    const Host host = prng_.below(world_.hosts());
    const std::size_t interface = prng_.below(world_.network().interfaces(host).size());
    world_.set_carrier(host, interface, false);
    world_.after(for_up_to(seconds(20)),
                 [this, host, interface] { world_.set_carrier(host, interface, true); });
}

void Faults::roam() {
    const Host host = prng_.below(world_.hosts());
    const auto& interfaces = world_.network().interfaces(host);
    const std::size_t interface = prng_.below(interfaces.size());
    // From one LAN to the other: whoever is on both stays, so that they remain one mesh.
    const bool may_move = plan_.shape == Shape::TwoLans && interfaces.size() == 1;
    const Segment segment = may_move ? prng_.below(2) : interfaces[interface].segment;
    world_.readdress(host, interface, segment);
}

/// As an operator does it: the box is dead, and some time later somebody has it forgotten. Of a
/// quarter of the boxes at most.
void Faults::scrap() {
    const auto host = pick();
    std::erase_if(scrapped_, [this](Host one) { return world_.is_running(one); });
    if (!host || 4 * scrapped_.size() >= world_.hosts()) {
        return;
    }
    world_.crash(*host);
    scrapped_.insert(*host);
    world_.after(prng_.between(seconds(4), seconds(20)),
                 [this, host = *host, starts = world_.starts(*host)] { forget(host, starts); });
    if (prng_.below(2) == 0) {
        if (prng_.below(3) == 0) {
            world_.wipe(*host);
        }
        come_back(*host, seconds(20), seconds(90));
    }
}

void Faults::forget(Host scrapped, unsigned starts) {
    const auto host = pick();
    if (!is_over_ && host && !world_.is_running(scrapped) && world_.starts(scrapped) == starts) {
        // Who does not know it, or sees it alive still, refuses.
        static_cast<void>(world_.command(*host, Forget{world_.id(scrapped)}));
    }
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

/// As an operator does it, who has seen the one before come to its end: two keys of one generation
/// would part the mesh.
void Faults::rotate() {
    const auto host = pick();
    if (!host) {
        return;
    }
    Keyring ring = world_.keyring(*host);
    for (Host other = 0; other < world_.hosts(); ++other) {
        if (world_.keyring(other).newest_generation() > ring.newest_generation()) {
            return;
        }
    }
    if (ring.add(make_mesh_key(prng_, ring.newest_generation() + 1))) {
        world_.set_security(*host, SecurityMode::Sealed, std::move(ring));
    }
}

}  // namespace meshd::sim
