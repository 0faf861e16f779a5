// SPDX-License-Identifier: Apache-2.0
/// \file
/// What must hold of who is seen. All the time: nobody is told alive who stopped long ago; in fair
/// weather nobody who runs is told gone. After quiet: who was forgotten and did not start since is
/// known to nobody; who has links does not say that it is cut off; every node has a route to every
/// other one, and the routes of those in between lead there too.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace meshd::sim {

class MeshChecks {
  public:
    using Violation = std::function<void(std::string)>;
    /// A box that stood still for ten seconds, or was apart with the one that stopped, brings its
    /// links along and needs its time to find them dead.
    static constexpr Duration kGhostMax = std::chrono::seconds(20);
    /// Where two parts of the mesh meet, links of before the cut are taken for those of now until
    /// the newer records have come.
    static constexpr Duration kGhostTime = std::chrono::seconds(5);

    MeshChecks(World& world, Violation violation);

    void on_start(Host host);
    void on_stop(Host host);
    void on_command(Host host, const Command& command);
    void on_output(Host host, const Output& output);

    /// Fair weather: from now on a running node told offline or unreachable is a violation, also
    /// where it says so of itself.
    void set_fair(bool is_fair) { is_fair_ = is_fair; }
    std::size_t forgets() const { return forgotten_.size(); }

    std::string difference(const std::vector<Host>& members) const;

  private:
    struct Forgotten {
        Host subject = 0;
        unsigned subject_starts = 0;
        Host by = 0;
        unsigned by_starts = 0;
        TimePoint when;
    };
    void on_node(Host host, const NodeEvent& event);
    bool is_ghost(const NodeId& node) const;
    void lay(Host host, const NodeId& node);
    bool must_stay_forgotten(const Forgotten& forgotten) const;
    std::string other_seal(const std::vector<Host>& members) const;
    std::string lost_way(const std::vector<Host>& members) const;
    bool is_running(const NodeId& node) const;
    std::optional<TimePoint> stopped(const NodeId& node) const;

    World& world_;
    Violation violation_;
    std::vector<std::optional<TimePoint>> stopped_;  ///< of those that do not run
    std::vector<Forgotten> forgotten_;
    bool is_fair_ = false;
};

}  // namespace meshd::sim
