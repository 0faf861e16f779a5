// SPDX-License-Identifier: Apache-2.0
/// \file
/// Repairs what pushes missed: compares digests with peers and pulls what is lacking (PROTOCOL.md,
/// "Digest and repair"). Receiver-driven: whoever answers keeps no state but what of it is on its
/// way (UnderWay), so that any answer may be lost, doubled or reordered.
///
/// Invariants: at most one digest asked for per second over all peers, but one at once on each new
/// link; a peer whose digest lacked nothing we need, or whose answers bring nothing, is asked ever
/// more rarely; of one stream at most one pull is under way, whichever peer it went to; keyed
/// streams are not pulled from a peer that is behind, nor while we are (store.h (7)): then first a
/// census is taken, one at a time over all peers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/store.h"

namespace meshd {

class Reconciler {
  public:
    /// A digest is compared only this long after it came: most of what it has and we lack is on its
    /// way to us by push.
    static constexpr Duration kHold = std::chrono::milliseconds(250);
    static constexpr Duration kAskInterval = std::chrono::seconds(1);
    static constexpr Duration kAskIntervalMax = std::chrono::seconds(5);
    /// The same for a peer whose answers came and brought nothing: it has what is refused here, for
    /// want of room or as malformed, and would be fetched again each time.
    static constexpr Duration kAskIntervalBarrenMax = std::chrono::seconds(60);
    /// And for a peer that had nothing we need so many times in a row while our coverages differ:
    /// of nodes and streams beyond the limits each may hold others, and that will not change soon.
    static constexpr unsigned kFruitlessMax = 10;
    /// Without a delta for so long a pull counts as lost.
    static constexpr Duration kPullTimeout = std::chrono::milliseconds(500);
    /// Deltas that answers to one peer's pulls have on their way together.
    static constexpr std::size_t kDeltasPerPull = 7;
    /// Asks on after so many of them: the rest keeps the link busy until the next answer comes.
    static constexpr std::size_t kDeltasToAskOn = 4;

    /// After floors have become ours, answers to what others were asked before are on their way for
    /// so long at most; they are repeated no more often than this either.
    static constexpr Duration kStaleAnswerTime = std::chrono::seconds(2);

    /// A census not complete after so long counts as lost.
    static constexpr Duration kCensusTimeout = std::chrono::seconds(5);
    /// Equal coverage with unequal live records for so long means that one of us lost some.
    static constexpr Duration kLiveDiffersTime = std::chrono::seconds(2);
    /// A census for that reason is taken of one peer at most this often, then ever more rarely:
    /// what one lacks may be hidden by a tombstone that only it still has.
    static constexpr Duration kLiveCensusIntervalMin = std::chrono::seconds(5);
    static constexpr Duration kLiveCensusIntervalMax = std::chrono::seconds(60);

    struct AskDigest {
        NodeId peer;
    };
    struct AskCensus {
        NodeId peer;
        std::uint32_t number = 0;
    };
    struct SendPull {
        NodeId peer;
        Pull pull;
    };
    using Request = std::variant<AskDigest, SendPull, AskCensus>;

    void on_link_up(TimePoint now, const NodeId& peer);
    void on_link_down(const NodeId& peer);
    /// The peer's hashes, from a heartbeat, which differ from ours or not.
    void on_hashes(TimePoint now, const NodeId& peer, const DigestHashes& theirs,
                   const DigestHashes& ours);
    /// Part of the peer's digest (a large one comes in several messages).
    void on_digest(TimePoint now, const NodeId& peer, const Digest& digest);
    /// Part of the peer's census; the last one takes effect. Entries that are dead by it are added
    /// to `dead`.
    void on_census(TimePoint now, const NodeId& peer, const Census& census, Store& store,
                   std::vector<Record>& dead);
    /// False where the peer was asked before the floors that are ours by now: it may be behind
    /// them, and what it has may be dead. Its deltas' keyed records are then not to be taken.
    bool takes_keyed(TimePoint now, const NodeId& peer) const;
    /// A pull was sent to the peer, by whatever part of the node.
    void on_pulled(const NodeId& peer);
    /// False where nothing was asked of the peer on this link: its deltas are not to be taken,
    /// since they may say of others' streams that nothing is missing.
    bool expects_delta(const NodeId& peer) const;
    /// A delta of the peer, already applied to the store.
    void on_delta(TimePoint now, const NodeId& peer, Store& store);
    void on_timeout(TimePoint now, Store& store);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Request> poll();
    /// When the stores of this node and the peer were last seen to be equal, by their hashes;
    /// nothing where they have not been on this link.
    std::optional<TimePoint> agreed_at(const NodeId& peer) const;
    /// Pulls under way.
    std::size_t pulls() const;

  private:
    struct Held {
        std::map<StreamId, StreamIntervals> streams;  ///< the last word on each
        std::uint32_t buckets = 0;                    ///< those that it tells all of
        TimePoint compare_at;
    };
    struct PullState {
        std::vector<StreamIntervals> wants;
        TimePoint deadline;
        std::size_t deltas = 0;            ///< received since it was sent
        std::size_t useful = 0;            ///< of these, brought something
        std::uint64_t lacking_before = 0;  ///< counters wanted when it was sent
    };
    struct CensusState {
        NodeId peer;
        std::uint32_t number = 0;
        bool is_behind = false;  ///< else live records were lost
        TimePoint deadline;
        std::set<std::uint32_t> parts;  ///< that came
        /// Of all parts, to judge at once: what a part says is dead looks known from then on, and
        /// with it would go the sign that we are behind, should the rest be lost.
        std::vector<CensusStream> streams;
    };
    struct PeerState {
        bool differs = false;
        std::optional<TimePoint> agreed_at;
        std::optional<TimePoint> live_differs_since;
        TimePoint live_census_at;  ///< not before
        Duration live_census_interval = kLiveCensusIntervalMin;
        TimePoint ask_at;  ///< not before
        Duration ask_interval = kAskInterval;
        bool last_pull_brought = true;  ///< something, or there was none yet
        bool fresh = true;              ///< new link: ask at once, compare without the hold
        std::optional<Held> held;
        std::optional<PullState> pull;
        std::optional<TimePoint> stale_until;  ///< for the answers to pulls of before
        unsigned fruitless = 0;                ///< digests in a row that had nothing we need
        bool has_pulled = false;
    };

    void compare(TimePoint now, const NodeId& peer, PeerState& state, Store& store);
    void start_pull(TimePoint now, const NodeId& peer, PeerState& state,
                    std::vector<StreamIntervals> wants);
    void continue_pull(TimePoint now, const NodeId& peer, PeerState& state);
    void distrust_pulls(TimePoint now, const NodeId& except, Store& store);
    bool is_in_flight(StreamId stream, const NodeId& except) const;
    void ask_census(TimePoint now, const NodeId& peer, bool is_behind);

    std::map<NodeId, PeerState> peers_;
    std::optional<CensusState> census_;
    std::uint32_t last_census_ = 0;
    std::vector<Request> requests_;
    TimePoint next_ask_;  ///< over all peers
};

}  // namespace meshd
