// SPDX-License-Identifier: Apache-2.0
/// \file
/// Repair off the tree (PROTOCOL.md, "Announcements"): who took in a new record tells the peers it
/// answers for that it has it, so that a node whose parent failed gets the record within
/// milliseconds from a neighbour instead of by comparing digests.
///
/// Calls of the owner:
/// - `on_new` for each record taken in as new, also an own one, beside the push:
///   `targets` = Topology::repairs_of(author, graph of the push); for a repaired record, the
///   current graph. Not for a record that is flooded to all peers (no tree, critical, goodbye).
/// - `on_taken` for each record newly held or newly known to be covered, whatever way it came
///   (`on_new` includes it).
/// - `on_known` where a peer shows that it has a record: it pushed it or sent it in a delta, be it
///   new here or not. (`on_announce` includes it.)
/// - `on_announce` for an Announce message, `on_peer_gone` where a link goes down.
/// - After any of these and after `on_timeout`, send all that `poll` gives, as class Normal,
///   reliable; then re-arm `next_deadline`.
///
/// Invariants: at most kDuePerPeerMax announcements wait per peer and kPullsMax pulls are on their
/// way; a record is asked of one announcer at a time; an announcement is sent at most once to a
/// peer, and not where the peer is known to have the record. What is dropped here is repaired by
/// digest.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/counters.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

class Announcer {
  public:
    /// A push takes less than a round trip per hop; whoever has not got it by then waits for a
    /// retry. Random, so that two announcers and many records do not come at once.
    static constexpr Duration kUrgentDelayMin = std::chrono::milliseconds(20);
    static constexpr Duration kUrgentDelayMax = std::chrono::milliseconds(50);
    /// Records that nobody waits for leave more time to the tree.
    static constexpr Duration kDelay = std::chrono::milliseconds(100);
    /// What is offered instead of pushed waits for the next multiple of this time, so that many go
    /// in one message, whoever they are for.
    static constexpr Duration kTogether = std::chrono::milliseconds(40);
    /// What is due for one peer within this long goes in one message; longer over a link with a
    /// long round trip: a quarter of its batch_interval. There an announcement waits a
    /// batch_interval longer, since so may the push that makes it needless.
    static constexpr Duration kBatch = std::chrono::milliseconds(5);
    /// A pull that brought nothing for this long, and for the round trip if that is long, is asked
    /// of the next announcer.
    static constexpr Duration kPullTimeout = std::chrono::milliseconds(100);
    /// Records waiting to be announced to one peer: 5 000 new ones per second for 100 ms, twice.
    static constexpr std::size_t kDuePerPeerMax = 1024;
    /// Peers with records waiting: no node has more.
    static constexpr std::size_t kPeersMax = limits::kLinksMax;
    /// Records asked for and not yet here.
    static constexpr std::size_t kPullsMax = 1024;
    /// Further announcers remembered for a record: two answer for each peer, and the graphs of two
    /// nodes may differ for a moment.
    static constexpr std::size_t kSourcesMax = 3;

    struct Item {
        NodeId author;
        StreamId stream;
        std::uint64_t counter = 0;
    };
    struct SendAnnounce {
        NodeId peer;
        Announce announce;
    };
    struct SendPull {
        NodeId peer;
        Pull pull;
    };
    using Request = std::variant<SendAnnounce, SendPull>;
    /// Whether the own store covers a version: holds it, or knows that it is superseded.
    using Covered = std::function<bool(StreamId, std::uint64_t)>;

    /// Smoothed round trip over the link to a peer; 0 where none is known.
    using RttTo = std::function<Duration(const NodeId&)>;

    explicit Announcer(
        Counters& counters, RttTo rtt_to = [](const NodeId&) { return Duration{}; })
        : counters_(&counters), rtt_to_(std::move(rtt_to)) {}

    enum class Haste {
        Later,     ///< nobody waits for it
        Urgent,    ///< an alert or a node record
        Together,  ///< one of many that are not pushed
    };
    void on_new(TimePoint now, Prng& prng, const Item& item, Haste haste,
                const std::vector<NodeId>& targets);
    void on_taken(StreamId stream, std::uint64_t counter);
    /// `range`: counters that `peer` covers for sure.
    void on_known(const NodeId& peer, StreamId stream, const Interval& range);
    void on_announce(TimePoint now, const NodeId& peer, const Announce& announce,
                     const Covered& covered);
    void on_peer_gone(const NodeId& peer);
    void on_timeout(TimePoint now, const Covered& covered);
    /// May be early, never late; an early on_timeout does nothing.
    std::optional<TimePoint> next_deadline() const;
    std::optional<Request> poll();

    /// Announcements that wait, and pulls on their way.
    std::size_t pending() const;

  private:
    using Version = std::pair<StreamId, std::uint64_t>;
    struct Due {
        TimePoint at;
        NodeId author;
    };
    struct Waiting {
        std::map<Version, Due> due;
        TimePoint next;  ///< no later than the earliest of `due`
    };
    struct Asked {
        NodeId author;
        TimePoint until;
        std::vector<NodeId> sources;  ///< further announcers, in the order they came
    };
    using Wanted = std::map<NodeId, std::vector<Item>>;

    void ask(const Wanted& wanted);
    Duration pull_timeout(const NodeId& peer) const;

    Counters* counters_;
    RttTo rtt_to_;
    std::map<NodeId, Waiting> waiting_;
    std::map<Version, Asked> asked_;
    TimePoint asked_next_;  ///< no later than the earliest `until`; means nothing without pulls
    std::deque<Request> requests_;
};

}  // namespace meshd
