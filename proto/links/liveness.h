// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether the other end of a link is there: an exchange of heartbeats at a spread interval, and
/// silence for too long takes the link down (PROTOCOL.md, "Heartbeat"). Either end's exchange
/// counts for both; other traffic is evidence of life but never moves the timers, since timers that
/// traffic moves would synchronise.
#pragma once

#include <cstdint>
#include <deque>

#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/links/rtt.h"

namespace meshd {

class Liveness {
  public:
    struct Options {
        Duration interval;  ///< between exchanges, times U(0.6, 1.0)
        Duration timeout;   ///< of silence
    };
    /// A timer this late means that this process was starved or paused: it heard nothing because it
    /// did not listen, so it accuses no one and starts its patience anew.
    static constexpr Duration kStarved = std::chrono::milliseconds(200);

    /// Requests remembered for their replies: the round trip may be longer than the interval.
    static constexpr std::size_t kOutstandingMax = 8;

    enum class Verdict { Wait, SendRequest, Down };

    Liveness(TimePoint now, Options options, Prng& prng);

    /// A valid datagram of the peer came in.
    void on_heard(TimePoint now) { last_heard_ = now; }
    /// The reply to request `seq`; anything but the last kOutstandingMax unanswered is ignored. One
    /// that comes after its request counted as lost still measures the round trip: else a link that
    /// became slow would never be known as slow.
    void on_reply(TimePoint now, std::uint32_t seq);
    Verdict on_timeout(TimePoint now, Prng& prng);
    TimePoint next_deadline() const;

    /// Of the request to send after SendRequest.
    std::uint32_t seq() const { return seq_; }
    TimePoint last_heard() const { return last_heard_; }
    const RttEstimator& rtt() const { return rtt_; }
    /// Share of exchanges without a reply, 0 to 1 (EWMA, weight 1/32).
    double loss() const { return loss_; }

  private:
    struct Request {
        std::uint32_t seq = 0;
        TimePoint sent;
        bool is_counted = false;  ///< as lost
    };

    Options options_;
    TimePoint last_heard_;
    TimePoint due_;
    std::uint32_t seq_ = 0;
    std::deque<Request> outstanding_;  ///< oldest first
    double loss_ = 0;
    RttEstimator rtt_;
};

/// EWMA step with weight 1/32.
constexpr double smooth_loss(double loss, bool lost) {
    return loss + ((lost ? 1.0 : 0.0) - loss) / 32;
}

}  // namespace meshd
