// SPDX-License-Identifier: Apache-2.0
/// \file
/// The safety phase of a random run: what happens to the boxes and the network, at random times
/// with the mean intervals of the plan, until stop().
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "tests/sim/swarm.h"
#include "tests/sim/world.h"

namespace meshd::sim {

class Faults {
  public:
    using Violation = std::function<void(std::string)>;
    /// Of alerts and entries that have one; 1 s at least.
    static constexpr Duration kTtlMax = std::chrono::seconds(61);

    /// All must outlive the world's run.
    Faults(const Plan& plan, World& world, Prng& prng, Violation violation);

    /// From now on.
    void begin();
    /// Nothing new happens; boxes and network stay as they are.
    void stop() { is_over_ = true; }
    /// Scrapped, and has not come back.
    bool is_scrapped(Host host) const { return scrapped_.contains(host); }

  private:
    void every(Duration mean, std::function<void()> action);
    std::optional<Host> pick();
    void come_back(Host host, Duration earliest = {}, Duration latest = std::chrono::seconds(20));
    std::string some_hash();
    std::uint64_t some_ttl_ms();

    void raise();
    void update();
    void put();
    void remove();
    void share();
    void crash();
    void power_cut();
    void wipe();
    void leave();
    void pause(Duration longest);
    void partition();
    void cut_one_way();
    void check_one_way(Host from, Host to, TimePoint since, std::uint64_t heals) const;
    void make_uneven();
    void make_lossy();
    void cut_off();
    void check_cut_off(Host host, TimePoint since, std::uint64_t heals) const;
    void fail_segment();
    void pull_cable();
    void roam();
    void scrap();
    void forget(Host scrapped, unsigned starts);
    Duration for_up_to(Duration longest);
    std::optional<std::pair<Host, Host>> pick_pair();
    void radio_burst();
    void jump_clock();
    void harm_disk();
    void lose_disk();
    void restore_backup();
    void go_away();
    void rotate();

    const Plan& plan_;
    World& world_;
    Prng& prng_;
    Violation violation_;
    bool is_over_ = false;
    std::uint64_t heals_ = 0;  ///< times that links were let up again, of whatever cut
    std::set<Host> scrapped_;
    std::uint64_t updates_ = 0;
    std::map<Host, DiskImage> backups_;
};

}  // namespace meshd::sim
