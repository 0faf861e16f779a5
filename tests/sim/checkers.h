// SPDX-License-Identifier: Apache-2.0
/// \file
/// What must hold in every run. Safety is watched all the time: an alert is told once per process,
/// unchanged and along a path without repeats; datagrams keep their length; nobody appears who
/// never started; nobody else changes a node's own state; copies are bounded; and what StoreChecks
/// and MeshChecks watch. Agreement is asked for after quiet: difference() is empty once every
/// running node sees the same.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/mesh_checks.h"
#include "tests/sim/store_checks.h"
#include "tests/sim/world.h"

namespace meshd::sim {

class Checkers final : public Observer {
  public:
    /// Violations kept; more say nothing new.
    static constexpr std::size_t kViolationsMax = 20;
    /// Copies of alerts a node may get per alert and link: one by push, one by repair, and some
    /// sent again because the acknowledgement was lost.
    static constexpr std::uint64_t kCopiesPerLinkMax = 4;

    /// Watches `world` from now on and looks at the nodes once per virtual second.
    explicit Checkers(World& world);
    ~Checkers() override;

    void on_start(Host host) override;
    void on_stop(Host host) override;
    void on_transmit(Host host, const Transmit& transmit) override;
    void on_output(Host host, const Output& output) override;
    void on_command(Host host, RequestId request, const Command& command) override;
    void on_persist(Host host, const Persist& persist) override;
    void on_stored(Host host, const Persist& persist) override;
    void on_disk_changed(Host host, const DiskImage& image) override;
    void on_violation(std::string what) override;

    /// First difference between what the running nodes see, or between that and what happened;
    /// empty where all agree: the same nodes in the same status, states, links, alerts, hashes.
    std::string difference() const;
    /// Runs the world until difference() is empty. The last difference after `limit`, else empty.
    /// It looks every `step`: comparing all with all costs more than running the mesh.
    std::string settle(Duration limit = std::chrono::seconds(30),
                       Duration step = std::chrono::milliseconds(50));

    const std::vector<std::string>& violations() const { return violations_; }
    /// All violations, one a line; empty where there are none.
    std::string report() const;

    /// Node events of `kind` about `subject` told by `host`'s present process.
    std::size_t events(Host host, NodeEventKind kind, const NodeId& subject) const;
    /// Alert events told by `host`'s present process.
    std::size_t alerts_told(Host host) const;
    std::size_t alerts_raised() const { return raised_.size(); }
    StoreChecks& store() { return store_; }
    const StoreChecks& store() const { return store_; }
    MeshChecks& mesh() { return mesh_; }
    /// Instants at which each running node was told of the alert raised last.
    const std::map<Host, TimePoint>& told_of_last() const { return told_of_last_; }

  private:
    struct Raised {
        Host host = 0;
        unsigned start = 0;
        TimePoint when;
        std::uint64_t ttl_ms = 0;
    };
    /// What one process has told.
    struct Told {
        std::map<std::string, std::string> alerts;  ///< document by alert id
        std::set<std::string> documents;
        std::map<std::pair<NodeEventKind, NodeId>, std::size_t> nodes;
        std::string state;  ///< own document as last confirmed
    };

    void look();
    void check_alert(Host host, const AlertView& alert);
    bool may_begin(const AlertView& alert, TimePoint raised) const;
    void check_own(Host host);
    void check_nodes(Host host);
    void check_known(Host host, const NodeId& node);
    void check_copies(Host host);
    std::string describe(Host host, const NodeView& view) const;
    std::string missing_alert(Host host, const std::vector<Host>& members) const;

    World& world_;
    StoreChecks store_;
    MeshChecks mesh_;
    std::vector<Told> told_;
    std::map<std::string, Raised> raised_;                                     ///< by document
    std::map<std::tuple<Host, unsigned, RequestId>, std::string> unanswered_;  ///< documents
    std::string last_raised_;
    std::map<Host, TimePoint> told_of_last_;
    std::set<NodeId> ever_started_;
    std::vector<bool> said_goodbye_;
    std::vector<std::string> violations_;
};

}  // namespace meshd::sim
