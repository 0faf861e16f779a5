// SPDX-License-Identifier: Apache-2.0
/// \file
/// The simulated network: hosts with interfaces, segments (broadcast domains) that join them, and
/// for every directed pair of hosts the settings of the link between them, adjustable at any
/// instant. These settings are the whole vocabulary of network faults.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd::sim {

/// Index of a simulated box.
using Host = std::size_t;
/// Index of a broadcast domain.
using Segment = std::size_t;

struct LinkSettings {
    Duration delay = std::chrono::microseconds(200);
    Duration jitter{};     ///< added, uniform in [0, jitter]; keeps the order
    double loss = 0;       ///< probability of each datagram, independent
    double duplicate = 0;  ///< probability of a second copy, itself delayed by up to 10 ms
    double reorder = 0;    ///< probability of a further delay of up to 20 ms that others overtake
    bool up = true;
};

/// One copy of a datagram on its way.
struct Delivery {
    Host source = 0;
    Host target = 0;
    Endpoint from;  ///< as the target's socket shows it: `interface` is the target's
    Duration after{};
    Buffer bytes;
};

class Network {
  public:
    struct Interface {
        Segment segment = 0;
        Endpoint endpoint;        ///< `interface` counts from 1 on each host
        bool has_carrier = true;  ///< the cable is in
    };
    struct Figures {
        std::uint64_t sent = 0;
        std::uint64_t lost = 0;      ///< by loss or a link that is down
        std::uint64_t unrouted = 0;  ///< to an address that nobody on the segment has
        std::uint64_t duplicated = 0;
        std::uint64_t reordered = 0;
    };

    Host add_host();
    /// A new interface of `host` on `segment`, with an address of its own.
    void attach(Host host, Segment segment);

    std::size_t hosts() const { return hosts_.size(); }
    const std::vector<Interface>& interfaces(Host host) const { return hosts_[host]; }
    /// The cable of an interface out or in; without it, the interface has no address.
    void set_carrier(Host host, std::size_t interface, bool has_carrier);
    /// Gives an interface a new address, on the same segment or another: a lease, or roaming.
    void readdress(Host host, std::size_t interface, Segment segment);
    /// Nothing passes over a segment that is down, though all its cables are in: its switch failed.
    void set_segment(Segment segment, bool is_up) { segments_[segment].is_up = is_up; }
    std::size_t segments() const { return segments_.size(); }
    /// Local addresses as the driver would report them.
    std::vector<Endpoint> addresses(Host host) const;

    /// The two never hear each other, whatever the link settings: part of the topology, not a
    /// fault.
    void make_deaf(Host a, Host b);
    /// Both are on one that is up, with their cables in.
    bool share_segment(Host a, Host b) const;

    LinkSettings& defaults() { return defaults_; }
    /// Settings of one direction; a change of the defaults no longer reaches it.
    LinkSettings& link(Host from, Host to);
    /// One direction loses and delays by the defaults again; whether it is up stays as it is.
    void calm_link(Host from, Host to);
    void set_up(Host a, Host b, bool up);
    /// Cuts all links between the two groups.
    void partition(const std::vector<Host>& one, const std::vector<Host>& other);
    /// Forgets all per-link settings: every link has the defaults again.
    void heal() { links_.clear(); }
    /// All cables are in, all segments up.
    void repair();

    /// True where datagrams pass between the two in both directions, except by chance.
    bool is_connected(Host a, Host b) const;

    /// What becomes of a datagram: one delivery per copy that arrives. `now` keeps the order of the
    /// datagrams of one direction.
    std::vector<Delivery> send(Host from, const Transmit& transmit, TimePoint now, Prng& prng);

    const Figures& figures() const { return figures_; }

  private:
    using Pair = std::pair<Host, Host>;
    /// An interface of a host, by its place on a segment.
    struct Member {
        Host host = 0;
        std::size_t interface = 0;
        bool is_gone = false;  ///< the interface has another address now
    };
    struct Broadcast {
        std::vector<Member> members;
        bool is_up = true;
    };
    void place(Host host, std::size_t interface, Segment segment);
    bool is_at(const Member& member) const;
    const LinkSettings& settings(Host from, Host to) const;
    bool is_deaf(Host a, Host b) const { return b < deaf_[a].size() && deaf_[a][b]; }
    const Member* find(Segment segment, const Endpoint& address) const;
    void pass(Host from, const Interface& out, const Member& to, const Buffer& bytes, TimePoint now,
              Prng& prng, std::vector<Delivery>& deliveries);

    std::vector<std::vector<Interface>> hosts_;
    std::vector<Broadcast> segments_;
    std::vector<std::vector<bool>> deaf_;  ///< by both hosts; rows may be short
    LinkSettings defaults_;
    std::map<Pair, LinkSettings> links_;
    std::vector<std::vector<TimePoint>> last_arrival_;  ///< by source and target; as above
    Figures figures_;
};

/// All hosts on one segment.
Network lan(std::size_t hosts);
/// One segment for each adjacent pair; inner hosts have two interfaces.
Network line(std::size_t hosts);
/// A LAN on which the given pairs do not hear each other.
Network partial_lan(std::size_t hosts, const std::vector<std::pair<Host, Host>>& deaf);
/// A LAN on which host 0 hears all and the others hear only host 0.
Network hub(std::size_t hosts);
/// All on one segment, and each second host, on average, on another one too.
Network two_nets(std::size_t hosts, Prng& prng);
/// `first` hosts on one segment and `second` on another; host `first - 1` is on both.
Network two_lans(std::size_t first, std::size_t second);
/// A LAN with random deaf pairs (probability `deaf`), connected all the same.
Network random_partial_lan(std::size_t hosts, double deaf, Prng& prng);

}  // namespace meshd::sim
