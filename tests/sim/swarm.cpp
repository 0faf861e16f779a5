// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/swarm.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/store/reconcile.h"
#include "tests/sim/checkers.h"
#include "tests/sim/faults.h"
#include "tests/sim/hostile.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// After heal everything agrees within this: the beacon period of a missing node, a link, a repair
/// round, and stale links timing out; and then what has a ttl must have expired everywhere. Each
/// box reckons its age by itself, and one that was without power takes it for younger: until it
/// expires there too, their coverage differs.
constexpr Duration kSettleMax = seconds(30) + Faults::kTtlMax;
/// After that links rest: whose was lost three times is not asked for 30 s, and what is too much is
/// pruned one by one in 10 to 15 s each.
constexpr Duration kRestMax = std::chrono::minutes(4);
/// Longer than that, and than the longest time for which a node that did not answer is not asked
/// again, 80 s, from an attempt that fails as all heals; it may be refused then once or twice (1 to
/// 3 s each). Seed 140 linked two boxes 62 s after a third died, seed 100 some 90 s after.
constexpr Duration kRest = seconds(100);
/// In which what idle nodes send is counted.
constexpr Duration kQuiet = seconds(5);
/// Datagrams per second and link that an idle node may send; beyond, something runs in circles.
constexpr std::uint64_t kIdlePerLinkMax = 20;
/// In bad weather a box stands still for up to the first, and once in the second.
constexpr Duration kStallMax = milliseconds(500);
constexpr Duration kStallEvery = seconds(10);
/// Notices per node and second: each suspicion may send 3 to each other peer of the suspect; what
/// cascades sends 50 and more.
constexpr std::uint64_t kNoticesPerNodeMax = 20;
/// By which all have forgotten a box: records spread, and marks rest for 5 s.
constexpr Duration kForgetMax = seconds(15);

Network make_network(const Plan& plan, Prng& prng) {
    switch (plan.shape) {
        case Shape::Lan:
            return lan(plan.nodes);
        case Shape::Line:
            return line(plan.nodes);
        case Shape::PartialLan:
            return random_partial_lan(plan.nodes, 0.5, prng);
        case Shape::Hub:
            return hub(plan.nodes);
        case Shape::TwoLans:
            return two_lans(plan.nodes / 2, plan.nodes - plan.nodes / 2);
        case Shape::TwoNets:
            return two_nets(plan.nodes, prng);
    }
    MESHD_ASSERT(false);
}

Config make_config(const Plan& plan) {
    Config config;
    config.max_peers = plan.max_peers;
    config.tombstone_time = plan.tombstone_time;
    config.own_entries_max = plan.own_entries_max;
    config.heartbeat_interval = 10 * plan.link_check;
    return config;
}

/// Tells some alerts a second time.
class Repeater final : public Observer {
  public:
    explicit Repeater(Observer& to) : to_(to) {}
    void on_start(Host host) override { to_.on_start(host); }
    void on_stop(Host host) override { to_.on_stop(host); }
    void on_transmit(Host host, const Transmit& transmit) override {
        to_.on_transmit(host, transmit);
    }
    void on_command(Host host, RequestId request, const Command& command) override {
        to_.on_command(host, request, command);
    }
    void on_persist(Host host, const Persist& persist) override { to_.on_persist(host, persist); }
    void on_stored(Host host, const Persist& persist) override { to_.on_stored(host, persist); }
    void on_disk_changed(Host host, const DiskImage& image) override {
        to_.on_disk_changed(host, image);
    }
    void on_violation(std::string what) override { to_.on_violation(std::move(what)); }
    void on_output(Host host, const Output& output) override {
        to_.on_output(host, output);
        if (std::holds_alternative<AlertEvent>(output) && ++alerts_ % 50 == 0) {
            to_.on_output(host, output);
        }
    }

  private:
    Observer& to_;
    std::uint64_t alerts_ = 0;
};

class Swarm {
  public:
    explicit Swarm(const Plan& plan)
        : plan_(plan),
          prng_(entropy(plan.seed)),
          world_(plan.seed, make_network(plan, prng_), make_config(plan)),
          checkers_(world_),
          repeater_(checkers_),
          faults_(plan_, world_, prng_,
                  [this](std::string what) { checkers_.on_violation(std::move(what)); }) {
        world_.network().defaults() = plan.link;
        // A mutant looks into datagrams.
        if (plan.is_sealed && plan.mutant == Mutant::None) {
            Keyring ring;
            MESHD_ASSERT(ring.add(make_mesh_key(prng_, 1)));
            for (Host host = 0; host < world_.hosts(); ++host) {
                world_.set_security(host, SecurityMode::Sealed, ring);
            }
        }
        world_.set_tap([this](Delivery& delivery) { return pass(delivery); });
        if (plan.mutant == Mutant::TellTwice) {
            world_.observe(&repeater_);
        }
    }

    SwarmResult run() {
        for (Host host = 0; host < world_.hosts(); ++host) {
            world_.after(prng_.between(Duration::zero(), seconds(2)),
                         [this, host] { start(host); });
        }
        world_.run_for(seconds(3));
        faults_.begin();
        world_.run_for(plan_.duration);
        const TimePoint healed = world_.time();
        heal();
        SwarmResult result;
        if (const std::string different = checkers_.settle(settle_max(), seconds(1));
            !different.empty()) {
            checkers_.on_violation("no agreement after heal: " + different);
        }
        result.settled_after = world_.time() - healed;
        check_quiet(healed);
        check_weather();
        check_forgetting();
        result.violations = checkers_.report();
        result.trace_hash = world_.trace_hash();
        result.deliveries = world_.deliveries();
        result.alerts = checkers_.alerts_raised();
        result.puts = checkers_.store().puts();
        result.forgets = checkers_.mesh().forgets();
        result.durable = checkers_.store().durable_answers();
        for (Host host = 0; host < world_.hosts(); ++host) {
            result.commits += world_.disk(host).commits;
            if (world_.is_running(host)) {
                const StoreView store = world_.node(host).status(world_.now(host)).store;
                result.records = std::max(result.records, store.records);
            }
        }
        return result;
    }

  private:
    static Entropy entropy(std::uint64_t seed) {
        Entropy entropy{};
        store_big_endian<8>(entropy.data(), seed);
        entropy[31] = 1;
        return entropy;
    }

    /// Where clocks jump by days, a box that comes back with a tombstone that the others have
    /// purged hides with it what they wrote since with earlier clocks, until it purges it too; and
    /// then until it next looks for what it lost.
    Duration settle_max() const {
        const bool is_hidden = plan_.clock_jump_every != Duration::zero() &&
                               plan_.tombstone_time < std::chrono::hours(1);
        return kSettleMax + (is_hidden ? plan_.tombstone_time + Reconciler::kLiveCensusIntervalMax
                                       : Duration::zero());
    }

    bool pass(Delivery& delivery) {
        if (plan_.mutant == Mutant::DropRepair || plan_.mutant == Mutant::LoseState) {
            auto kept = with_items(delivery.bytes, [this](MessageKind kind) {
                const bool is_lost = is_repair(kind) || (plan_.mutant == Mutant::LoseState &&
                                                         kind == MessageKind::StateSync);
                return is_lost ? 0U : 1U;
            });
            if (!kept) {
                return false;
            }
            delivery.bytes = std::move(*kept);
        }
        if (!is_over_ && plan_.corrupt > 0 && prng_.unit() < plan_.corrupt) {
            delivery.bytes = bit_flipped(delivery.bytes, prng_);
        }
        return true;
    }

    void start(Host host) {
        if (!world_.is_running(host)) {
            world_.start(host);
        }
    }

    void heal() {
        is_over_ = true;
        faults_.stop();
        world_.network().heal();
        world_.network().repair();
        LinkSettings& link = world_.network().defaults();
        link = {link.delay, link.jitter, 0, 0, 0, true};
        for (Host host = 0; host < world_.hosts(); ++host) {
            world_.resume(host);
            world_.tell_addresses(host);
            world_.set_disk_fault(host, DiskFault::None);
        }
        // Whoever is just saying goodbye is gone after this.
        world_.run_for(seconds(1));
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (!may_stay_dead() || !faults_.is_scrapped(host)) {
                start(host);
            }
        }
        if (one_stays_dead()) {
            world_.crash(world_.hosts() - 1);
        }
    }

    /// The others hear each other without any one of them.
    bool may_stay_dead() const {
        return plan_.shape == Shape::Lan || plan_.shape == Shape::TwoNets;
    }
    bool one_stays_dead() const { return plan_.one_stays_dead && may_stay_dead(); }

    std::uint64_t link_changes() const {
        return total(Counter::links_up) + total(Counter::links_down);
    }

    void check_quiet(TimePoint healed) {
        // What has a ttl may expire later on a box that was without power: till then it differs.
        const TimePoint expired = healed + Faults::kTtlMax + seconds(2);
        checkers_.mesh().set_fair(true);
        const TimePoint began = world_.time();
        TimePoint changed = began;
        std::uint64_t changes = link_changes();
        while ((world_.time() - changed < kRest || world_.time() < expired) &&
               world_.time() - began < kRestMax) {
            world_.run_for(seconds(1));
            if (const std::uint64_t now = link_changes(); now != changes) {
                changes = now;
                changed = world_.time();
            }
        }
        const std::uint64_t sent = world_.network().figures().sent;
        world_.run_for(kQuiet);
        const std::uint64_t idle = world_.network().figures().sent - sent;
        if (!checkers_.difference().empty()) {
            // Each box forgets by itself one that stays dead: what of it differs is repaired.
            world_.run_for(kQuiet);
        }
        if (const std::string different = checkers_.difference(); !different.empty()) {
            checkers_.on_violation("agreement did not last: " + different);
        }
        if (link_changes() != changes || world_.time() - changed < kRest) {
            checkers_.on_violation("links still come and go");
        }
        std::size_t links = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (world_.is_running(host)) {
                links += world_.node(host).peers(world_.now(host)).size();
            }
        }
        const auto seconds_quiet = static_cast<std::uint64_t>(kQuiet / seconds(1));
        if (idle > links * kIdlePerLinkMax * seconds_quiet) {
            checkers_.on_violation("no quiet: " + std::to_string(idle) + " datagrams");
        }
        checkers_.mesh().set_fair(false);
    }

    /// As bad as a radio may be in everyday use: nobody is taken for gone, and notices of the
    /// links that are silent for a moment do not breed.
    void check_weather() {
        if (plan_.weather == Duration::zero()) {
            return;
        }
        LinkSettings& link = world_.network().defaults();
        const LinkSettings fair = link;
        link = plan_.link;
        checkers_.mesh().set_fair(true);
        const std::uint64_t notices = total(Counter::notices_sent);
        const TimePoint end = world_.time() + plan_.weather;
        for (Host host = 0; host < world_.hosts(); ++host) {
            stall_later(host, end);
        }
        world_.run_for(plan_.weather + kStallMax);
        const std::uint64_t told = total(Counter::notices_sent) - notices;
        const auto node_seconds =
            static_cast<std::uint64_t>(plan_.weather / seconds(1)) * world_.hosts();
        if (told > node_seconds * kNoticesPerNodeMax) {
            checkers_.on_violation(std::to_string(told) + " notices in " +
                                   std::to_string(node_seconds) + " node-seconds");
        }
        link = fair;
        if (const std::string different = checkers_.settle(kSettleMax, seconds(1));
            !different.empty()) {
            checkers_.on_violation("no agreement after bad weather: " + different);
        }
        checkers_.mesh().set_fair(false);
    }

    void stall_later(Host host, TimePoint end) {
        world_.after(prng_.between(Duration::zero(), 2 * kStallEvery), [this, host, end] {
            if (world_.time() >= end) {
                return;
            }
            world_.pause(host);
            world_.after(prng_.between(Duration::zero(), kStallMax), [this, host, end] {
                world_.resume(host);
                stall_later(host, end);
            });
        });
    }

    /// The box that stayed dead is forgotten by all, for good; its next start is welcome.
    void check_forgetting() {
        if (!one_stays_dead()) {
            return;
        }
        const Host dead = world_.hosts() - 1;
        Host asked = prng_.below(dead);
        while (!world_.is_running(asked)) {
            asked = (asked + 1) % dead;
        }
        if (!world_.node(asked).node(world_.now(asked), world_.id(dead))) {
            return;  // a scrapped box that all had forgotten before
        }
        if (!world_.command(asked, Forget{world_.id(dead)})) {
            checkers_.on_violation(world_.id(asked).text() + " refuses to forget a dead box");
        }
        world_.run_for(kForgetMax);
        if (const std::string different = checkers_.difference(); !different.empty()) {
            checkers_.on_violation("after forgetting: " + different);
        }
        world_.start(dead);
        if (const std::string different = checkers_.settle(settle_max(), seconds(1));
            !different.empty()) {
            checkers_.on_violation("after the return of a forgotten box: " + different);
        }
    }

    std::uint64_t total(Counter counter) const {
        std::uint64_t sum = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            sum += world_.is_running(host) ? world_.node(host).counters()[counter] : 0;
        }
        return sum;
    }

    Plan plan_;
    Prng prng_;
    World world_;
    Checkers checkers_;
    Repeater repeater_;
    Faults faults_;
    bool is_over_ = false;
};

}  // namespace

SwarmResult run_swarm(const Plan& plan) {
    return Swarm(plan).run();
}

}  // namespace meshd::sim
