// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether the other end of a link is there (PROTOCOL.md, "Liveness"). An exchange of heartbeats at
/// a spread interval; one without answer makes the link *suspect*, which is probed quickly, and is
/// down when it was silent for as long as its patience. Either end's exchange counts for both;
/// other traffic is evidence of life but never moves the timers, since timers that traffic moves
/// would synchronise.
///
/// Invariants: a link goes down only after kProbesMin requests and its patience without a single
/// datagram of the peer, on timers that ran in time; a suspicion that others have caused notifies
/// no one, so that notices cannot cascade.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/links/rtt.h"

namespace meshd {

class Liveness {
  public:
    struct Options {
        Duration patience_min;
        Duration patience_max;
    };
    /// What is to be done now, all at once.
    struct Due {
        bool request = false;  ///< send the request seq()
        /// Tell the peer's other peers: at probes 4, 6 and 8 of an own suspicion.
        bool notice = false;
        /// At probe 4 of any suspicion: time to look for another way to the peer.
        bool detour = false;
        bool down = false;
    };

    /// A timer this late means that this process was starved or paused: it heard nothing because it
    /// did not listen, so it accuses no one and starts its suspicions anew.
    static constexpr Duration kStarved = std::chrono::milliseconds(200);
    /// Requests remembered for their replies: as many as a suspicion's probes take on a slow link.
    static constexpr std::size_t kOutstandingMax = 32;
    /// Least number of unanswered probes before a link is down: at 20 % loss, which fails 36 % of
    /// exchanges, a chance of two in a million per suspicion.
    static constexpr unsigned kProbesMin = 12;
    /// The first notice goes out at this probe, two more after two probes each: one that is lost
    /// would double the time until all know.
    static constexpr unsigned kNoticeProbe = 4;
    static constexpr unsigned kNotices = 3;
    /// Evidence this young needs no check on somebody's notice.
    static constexpr Duration kFreshEvidence = std::chrono::milliseconds(100);
    /// The longest gap that the link recovered from counts half after so long.
    static constexpr Duration kGapHalfLife = std::chrono::minutes(10);

    Liveness(TimePoint now, Options options, Prng& prng);

    /// A valid datagram of the peer came in: ends a suspicion.
    void on_heard(TimePoint now);
    /// A request of the peer came in: its exchange counts for this end too, unless this end's is
    /// due so much later that it cannot be the same one: probes would draw all phases together.
    void on_request(TimePoint now);
    /// The reply to request `seq`; anything but the last kOutstandingMax unanswered is ignored. One
    /// that comes after its request counted as lost still measures the round trip: else a link that
    /// became slow would never be known as slow.
    void on_reply(TimePoint now, std::uint32_t seq);
    /// Somebody has reason to doubt the peer: probe it now, without telling anybody, unless it has
    /// just been heard. True where this makes it suspect.
    bool check(TimePoint now);

    Due on_timeout(TimePoint now);
    TimePoint next_deadline() const;

    /// The next exchange has no time yet: schedule() it.
    bool needs_schedule() const { return !due_ && !reply_by_ && !suspicion_; }
    /// `interval`: the longest time until the exchange. It is drawn from its last 40 %, after a
    /// suspicion from nearly all of it, at the greatest distance from `others`, the times of the
    /// node's other exchanges: a node is then checked evenly by its peers.
    void schedule(TimePoint now, Duration interval, const std::vector<TimePoint>& others,
                  Prng& prng);
    std::optional<TimePoint> due() const { return due_; }

    bool is_suspect() const { return suspicion_.has_value(); }
    /// How long a suspicion lasts at least before the link is down.
    Duration patience(TimePoint now) const;

    /// Other bounds of it: they count for a suspicion under way, too.
    void set_patience(Options options) { options_ = options; }

    /// Of the request to send.
    std::uint32_t seq() const { return seq_; }
    TimePoint last_heard() const { return last_heard_; }
    const RttEstimator& rtt() const { return rtt_; }
    /// Share of exchanges without a reply, 0 to 1 (EWMA, weight 1/32; of a suspicion's probes the
    /// first kLossesCounted count: a pause of the peer is not a lossy link).
    double loss() const { return loss_; }
    static constexpr unsigned kLossesCounted = 3;

  private:
    struct Request {
        std::uint32_t seq = 0;
        TimePoint sent;
        bool is_counted = false;  ///< as lost
    };
    struct Suspicion {
        TimePoint since;
        bool is_own = false;
        unsigned probes = 0;
        TimePoint next_probe;
        Duration wait{};
    };

    void send(TimePoint now);
    void suspect(TimePoint now, bool is_own);
    void count_losses(TimePoint now);
    void measure(Duration sample);
    Duration reply_time() const;
    Duration gap(TimePoint now) const;

    Options options_;
    TimePoint last_heard_;
    std::optional<TimePoint> due_;
    std::optional<TimePoint> reply_by_;  ///< of an exchange that makes the link suspect
    Duration interval_{};                ///< of the last schedule()
    TimePoint asked_at_;
    std::optional<Suspicion> suspicion_;
    /// The next exchange is drawn from all of the interval: links come up, and suspicions end,
    /// many at once.
    bool is_synchronised_ = true;
    Duration gap_{};  ///< longest recovered from, as of gap_at_
    TimePoint gap_at_;
    std::uint32_t seq_ = 0;
    std::deque<Request> outstanding_;  ///< oldest first
    unsigned losses_in_row_ = 0;
    double loss_ = 0;
    RttEstimator rtt_;
    /// Round trips measured last: the shortest of them is the link's own, what is above it is load
    /// here or there, as when a whole mesh starts.
    std::array<Duration, 4> last_rtts_{};
    std::size_t rtts_measured_ = 0;
};

/// EWMA step with weight 1/32.
constexpr double smooth_loss(double loss, bool lost) {
    return loss + ((lost ? 1.0 : 0.0) - loss) / 32;
}

/// Longest time between exchanges on one of a node's `links`: so long that a node of few links is
/// still checked about once a second, and that many links cost no more traffic than six.
Duration exchange_interval(std::size_t links, Duration heartbeat_interval);

/// Cost class of a link by its share of lost exchanges: 0 good, 1 lossy (above 15 %), 2 bad (above
/// 45 %), with 8 points of hysteresis around what it was.
std::uint8_t cost_class(double loss, std::uint8_t before);

}  // namespace meshd
