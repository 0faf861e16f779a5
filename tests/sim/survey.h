// SPDX-License-Identifier: Apache-2.0
/// \file
/// Measures a mesh by what its nodes tell and send: who sees whom alive and since when, links made
/// and ended, messages by kind, when each node was told of an alert. It judges nothing but false
/// accusations: a node told offline, or a link taken down for silence, though its other end runs.
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace meshd::sim {

class Survey final : public Observer {
  public:
    /// Watches `world`, of which no box runs yet, from now on.
    explicit Survey(World& world);
    ~Survey() override;

    void on_start(Host host) override;
    void on_stop(Host host) override;
    void on_transmit(Host host, const Transmit& transmit) override;
    void on_output(Host host, const Output& output) override;

    /// True where each running node sees alive exactly those that run.
    bool is_complete() const;
    /// The same among the nodes from which `host` is told: nobody that runs sees it alive.
    bool is_known_gone(Host host) const;
    /// When each running node was told that `host` is gone, since it stopped.
    const std::map<Host, TimePoint>& told_gone(Host host) const { return gone_[host]; }
    /// True where the confirmed links that the running nodes see are the same everywhere.
    bool have_same_links() const;
    /// True where the links that running nodes hold connect them all.
    bool is_connected() const;

    std::size_t running() const { return running_; }
    /// Links of a box now, and the most it had at once.
    std::size_t degree(Host host) const { return links_[host].size(); }
    std::size_t degree_peak(Host host) const { return degree_peaks_[host]; }
    /// Longest of the shortest ways over links between running nodes, in hops.
    std::size_t diameter() const;

    /// Items of that kind sent by all, fragments not counted as what they are part of.
    std::uint64_t sent(MessageKind kind) const { return sent_[static_cast<std::uint8_t>(kind)]; }
    std::uint64_t handshake_messages() const;
    /// Nodes that run and were told offline or unreachable, over all tellers.
    std::uint64_t false_offline() const { return false_offline_; }
    /// Ends of links that went down without a word though both boxes run.
    std::uint64_t false_link_down() const { return false_link_down_; }

    /// Instants at which nodes were told of the alert with this document; its author is not.
    const std::map<Host, TimePoint>& told_alert(const std::string& document) const;

    /// The box of that name.
    Host host_of(const NodeId& node) const { return hosts_.at(node); }

  private:
    void note_close(Host host, const Transmit& transmit);
    void on_node(Host host, const NodeEvent& event);
    void on_link(Host host, const LinkEvent& event);
    std::vector<std::size_t> hops_from(Host host) const;

    World& world_;
    std::map<NodeId, Host> hosts_;
    std::map<Endpoint, Host> addresses_;
    std::size_t running_ = 0;
    std::vector<std::vector<bool>> sees_;  ///< by viewer and subject
    std::vector<std::size_t> seen_;        ///< subjects seen alive, by viewer
    std::vector<std::set<Host>> links_;    ///< as their holder told
    std::vector<std::size_t> degree_peaks_;
    std::vector<std::map<Host, TimePoint>> gone_;
    std::array<std::uint64_t, 256> sent_{};
    std::map<std::pair<Host, Host>, TimePoint> closed_;  ///< by sender and receiver of a word of it
    std::uint64_t false_offline_ = 0;
    std::uint64_t false_link_down_ = 0;
    std::map<std::string, std::map<Host, TimePoint>> alerts_;
};

}  // namespace meshd::sim
