// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/swarm.h"

#include <functional>
#include <utility>

#include "proto/base/assert.h"
#include "tests/sim/checkers.h"
#include "tests/sim/hostile.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// After heal everything agrees within this: the beacon period of a missing node, a link, a repair
/// round, and stale links timing out.
constexpr Duration kSettleMax = seconds(30);
constexpr Duration kQuiet = seconds(5);
/// Datagrams per second and link that an idle node may send; beyond, something runs in circles.
constexpr std::uint64_t kIdlePerLinkMax = 20;

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
    }
    MESHD_ASSERT(false);
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
    void on_raise(Host host, const std::string& document) override { to_.on_raise(host, document); }
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
          world_(plan.seed, make_network(plan, prng_)),
          checkers_(world_),
          repeater_(checkers_) {
        world_.network().defaults() = plan.link;
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
        schedule_faults();
        world_.run_for(plan_.duration);
        heal();
        const TimePoint healed = world_.time();
        SwarmResult result;
        if (const std::string different = checkers_.settle(kSettleMax); !different.empty()) {
            checkers_.on_violation("no agreement after heal: " + different);
        }
        result.settled_after = world_.time() - healed;
        check_quiet();
        result.violations = checkers_.report();
        result.trace_hash = world_.trace_hash();
        result.deliveries = world_.deliveries();
        result.alerts = checkers_.alerts_raised();
        return result;
    }

  private:
    static Entropy entropy(std::uint64_t seed) {
        Entropy entropy{};
        store_big_endian<8>(entropy.data(), seed);
        entropy[31] = 1;
        return entropy;
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

    /// Runs `action` again and again at random times until the safety phase is over.
    void every(Duration mean, std::function<void()> action) {
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

    void schedule_faults() {
        every(plan_.alert_every, [this] { raise(); });
        every(plan_.update_every, [this] { update(); });
        every(plan_.stall_every, [this] { stall(); });
        every(plan_.crash_every, [this] {
            if (const auto host = pick()) {
                world_.crash(*host);
                come_back(*host);
            }
        });
        every(plan_.leave_every, [this] {
            if (const auto host = pick()) {
                world_.stop(*host, prng_.below(2) == 0);
                come_back(*host);
            }
        });
        every(plan_.partition_every, [this] { partition(); });
        every(plan_.one_way_every, [this] { cut_one_way(); });
        every(plan_.clock_jump_every, [this] {
            const auto day =
                static_cast<std::int64_t>(milliseconds(std::chrono::hours(24)).count());
            const auto by =
                static_cast<std::int64_t>(prng_.below(2 * static_cast<std::uint64_t>(day)));
            world_.jump_wall_clock(prng_.below(world_.hosts()), by - day);
        });
    }

    /// A random node that runs and is awake.
    std::optional<Host> pick() {
        const Host host = prng_.below(world_.hosts());
        const bool is_awake = world_.is_running(host) && !world_.is_paused(host) &&
                              !world_.node(host).status(world_.now(host)).has_left;
        return is_awake ? std::optional(host) : std::nullopt;
    }

    void start(Host host) {
        if (!world_.is_running(host)) {
            world_.start(host);
        }
    }

    void come_back(Host host) {
        world_.after(prng_.between(milliseconds(600), seconds(20)), [this, host] { start(host); });
    }

    void raise() {
        if (const auto host = pick()) {
            const auto priority = static_cast<Priority>(prng_.below(4));
            const std::size_t bytes = prng_.below(20) == 0 ? prng_.below(60'000) : prng_.below(400);
            const Duration wait = prng_.below(4) == 0 ? seconds(2) : seconds(0);
            static_cast<void>(world_.raise(*host, priority, bytes, wait));
        }
    }

    void update() {
        if (const auto host = pick()) {
            const std::size_t bytes = prng_.below(20) == 0 ? prng_.below(50'000) : prng_.below(300);
            UpdateState update;
            update.patch = "{\"step\":" + std::to_string(++updates_) + ",\"pad\":\"" +
                           std::string(bytes, 'y') + "\"}";
            if (prng_.below(3) == 0) {
                update.activity = static_cast<Activity>(1 + prng_.below(3));
            }
            static_cast<void>(world_.command(*host, update));
        }
    }

    void stall() {
        if (const auto host = pick()) {
            world_.pause(*host);
            world_.after(prng_.between(Duration::zero(), milliseconds(500)),
                         [this, host = *host] { world_.resume(host); });
        }
    }

    void partition() {
        std::vector<Host> one;
        std::vector<Host> other;
        for (Host host = 0; host < world_.hosts(); ++host) {
            (prng_.below(2) == 0 ? one : other).push_back(host);
        }
        world_.network().partition(one, other);
        world_.after(prng_.between(milliseconds(100), seconds(15)),
                     [this] { world_.network().heal(); });
    }

    void cut_one_way() {
        const Host from = prng_.below(world_.hosts());
        const Host to = prng_.below(world_.hosts());
        world_.network().link(from, to).up = false;
        world_.after(prng_.between(milliseconds(100), seconds(10)),
                     [this, from, to] { world_.network().link(from, to).up = true; });
    }

    void heal() {
        is_over_ = true;
        world_.network().heal();
        world_.network().defaults().loss = 0;
        world_.network().defaults().duplicate = 0;
        world_.network().defaults().reorder = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            world_.resume(host);
        }
        // Whoever is just saying goodbye is gone after this.
        world_.run_for(seconds(1));
        for (Host host = 0; host < world_.hosts(); ++host) {
            start(host);
        }
    }

    void check_quiet() {
        const std::uint64_t sent = world_.network().figures().sent;
        world_.run_for(kQuiet);
        if (const std::string different = checkers_.difference(); !different.empty()) {
            checkers_.on_violation("agreement did not last: " + different);
        }
        std::size_t links = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            links += world_.node(host).peers(world_.now(host)).size();
        }
        const std::uint64_t idle = world_.network().figures().sent - sent;
        const auto seconds_quiet = static_cast<std::uint64_t>(kQuiet / seconds(1));
        if (idle > links * kIdlePerLinkMax * seconds_quiet) {
            checkers_.on_violation("no quiet: " + std::to_string(idle) + " datagrams");
        }
    }

    Plan plan_;
    Prng prng_;
    World world_;
    Checkers checkers_;
    Repeater repeater_;
    bool is_over_ = false;
    std::uint64_t updates_ = 0;
};

}  // namespace

SwarmResult run_swarm(const Plan& plan) {
    return Swarm(plan).run();
}

}  // namespace meshd::sim
