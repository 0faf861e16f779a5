// SPDX-License-Identifier: Apache-2.0
/// \file
/// How many datagrams with bulk may be on their way over one link, and how fast they leave
/// (PROTOCOL.md, "Acknowledgement").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "proto/base/time.h"

namespace meshd {

/// A window of datagrams, judged once per round: the time until a datagram sent after the round
/// began is acknowledged. It doubles in clean rounds until it first has to shrink, then grows by a
/// quarter; it shrinks to 0.7 where more than a quarter was lost, and where the round trip shows
/// that a queue has formed. Loss below that leaves it growing: radio links lose 10 % at any rate,
/// and halving on any loss (RFC 5681) would collapse there.
///
/// Invariants: kMin ≤ size() ≤ the maximum given; after a pause no more than kBurst datagrams leave
/// within a millisecond in which none is acknowledged.
class BulkWindow {
  public:
    /// What a datagram of 1 400 bytes takes in a socket buffer, headers and rounding included
    /// (skb->truesize), and the buffer that Linux gives by default (net.core.rmem_default).
    static constexpr std::size_t kTruesizeBytes = 2304;
    static constexpr std::size_t kReceiveBufferBytesDefault = 212'992;
    /// Half of what the peer's receive buffer holds: the rest is for alerts, heartbeats and other
    /// links.
    static constexpr std::size_t kMaxDefault = kReceiveBufferBytesDefault / kTruesizeBytes / 2;
    /// One ack's worth: below, each round would wait for the receiver's ack delay.
    static constexpr std::size_t kMin = 8;
    static constexpr std::size_t kInitial = 16;
    /// Fewer outcomes say too little about the share of losses; a round with some then goes on.
    static constexpr std::size_t kSampleMin = 32;
    /// Datagrams per millisecond without an ack: the daemon's timer ticks once a millisecond. Each
    /// one acknowledged lets two go, up to the window.
    static constexpr std::size_t kBurst = 16;
    static constexpr Duration kBurstInterval = std::chrono::milliseconds(1);
    /// What acks let go is forgotten after this long without bulk.
    static constexpr Duration kPause = std::chrono::milliseconds(10);
    /// A round trip this much above the lowest known is a queue, in which alerts would wait as
    /// well: half of the 50 ms that they may take.
    static constexpr Duration kQueueDelayMax = std::chrono::milliseconds(25);

    explicit BulkWindow(std::size_t size_max = kMaxDefault);

    /// The peer says how many it has room for: kMin and kMaxLimit bound it.
    void set_max(std::size_t size_max);
    /// A peer's word is taken up to here: 4 MiB of datagrams.
    static constexpr std::size_t kMaxLimit = 3072;

    std::size_t size() const { return size_; }
    std::size_t in_flight() const { return in_flight_; }
    /// Whether one more may be sent. Asked only where bulk waits: being refused for the window's
    /// size is what lets it grow.
    bool may_send(TimePoint now);
    /// When the next burst may leave; nothing where only an ack can help.
    std::optional<TimePoint> next_burst() const;

    void on_sent(std::uint64_t counter);
    void on_acked(Duration round_trip);
    /// Not acknowledged, and taken for lost.
    void on_lost();
    /// Was taken for lost, and is acknowledged after all.
    void on_late_ack();
    /// All acks of one message are in: `largest` is the highest counter acknowledged so far, `next`
    /// that of the next datagram.
    void on_ack_end(std::uint64_t largest, std::uint64_t next);
    /// All losses found by one timer are in.
    void on_timeout_end(std::uint64_t next);

  private:
    void shrink();
    void begin_round(std::uint64_t next);

    std::size_t size_max_;
    std::size_t size_;
    std::size_t in_flight_ = 0;
    bool has_shrunk_ = false;
    bool was_full_ = false;  ///< in this round

    std::uint64_t round_begin_ = 1;  ///< counter; the round ends with an ack of it or above
    std::size_t acked_ = 0;          ///< in this round
    std::size_t lost_ = 0;
    Duration round_trip_ = Duration::max();  ///< lowest of this round
    Duration round_trip_min_ = Duration::max();

    std::size_t burst_left_ = kBurst;
    TimePoint burst_at_;
};

}  // namespace meshd
