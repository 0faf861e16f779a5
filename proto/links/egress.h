// SPDX-License-Identifier: Apache-2.0
/// \file
/// What leaves over one link: priority queues, packing, acknowledgement and retransmission
/// (PROTOCOL.md, "Acknowledgement").
///
/// Datagrams are acknowledged, not messages (as QUIC does, RFC 9002): an ack lists datagram
/// counters, and the sender remembers which reliable messages each datagram carried. A message not
/// acknowledged in time goes out again in a new datagram; the receiver drops what it has twice by
/// the message's own identity (stream and counter, source and seq, fragment number). The ack of any
/// datagram that carried a message counts for it, also while it waits to be repeated: else a link
/// slower than the retry interval would repeat for ever.
///
/// Invariants: bytes in flight ≤ kInFlightBytesMax, control traffic excepted, and four times that
/// for critical; bytes queued and in flight together ≤ kQueueBytesMax; a reliable message is
/// dropped only by overflow or with the link.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/counters.h"
#include "proto/links/rtt.h"
#include "proto/wire/codec.h"
#include "proto/wire/frame.h"

namespace meshd {

/// Order in which queues are served.
enum class TrafficClass : std::uint8_t { Control, Critical, High, Normal, Low, Bulk };

using SharedMessage = std::shared_ptr<const EncodedMessage>;

inline SharedMessage share_message(const Message& message) {
    return std::make_shared<const EncodedMessage>(encode_message(message));
}

class Egress {
  public:
    /// Bytes sent and not acknowledged: 32 full datagrams, a sixth of a default receive buffer.
    static constexpr std::size_t kInFlightBytesMax = 32 * limits::kDatagramBytesDefault;
    /// The same for critical traffic, which overtakes the rest and must not wait for it.
    static constexpr std::size_t kCriticalInFlightBytesMax = 4 * kInFlightBytesMax;
    /// Bytes waiting or in flight per link; what comes on top is dropped, and repaired by digest
    /// where it is a record.
    static constexpr std::size_t kQueueBytesMax = 4 * 1024 * 1024;
    /// Acks of this long a time travel in one datagram.
    static constexpr Duration kAckDelay = std::chrono::milliseconds(2);
    /// Repetitions are no further apart than this, or than a round trip takes.
    static constexpr Duration kRetryMax = std::chrono::milliseconds(250);

    Egress(SessionId peer_session, std::size_t datagram_bytes, Counters& counters);

    /// Queues a message. Larger than a datagram: as fragments (then it must be reliable). False
    /// where the queue is full; nothing is queued then.
    bool send(SharedMessage message, TrafficClass traffic_class, bool reliable);

    /// A datagram with this counter came in; `wants_ack` where it carried reliable messages.
    void on_received(TimePoint now, std::uint64_t counter, bool wants_ack);
    void on_ack(const Ack& ack);
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    /// Next datagram to send now, if any.
    std::optional<Buffer> poll(TimePoint now, const RttEstimator& rtt);

    /// True where a message was first sent kStallTime ago and is still not acknowledged, though it
    /// was repeated all the while: the other end does not do its part, and the link is of no use.
    bool is_stalled(TimePoint now) const;
    static constexpr Duration kStallTime = std::chrono::seconds(10);

    /// Messages waiting or not acknowledged.
    std::size_t pending() const { return queued_ + in_flight_.size(); }

  private:
    struct Pending {
        SharedMessage message;
        TrafficClass traffic_class;
        bool reliable;
        TimePoint first_sent{};
        Duration retry_delay{};    ///< 0 until first sent
        std::uint64_t number = 0;  ///< given when first sent, the same in each repetition
    };
    struct InFlight {
        Pending pending;
        TimePoint retry_at;
    };

    void enqueue(Pending pending, bool at_front);
    Pending dequeue(std::deque<Pending>& queue, const std::deque<Pending>::iterator& at);
    void on_message_acked(std::uint64_t number);
    bool may_send(TrafficClass traffic_class) const;
    void track(TimePoint now, std::uint64_t counter, Pending pending, const RttEstimator& rtt);

    DatagramHeader header_;
    std::size_t datagram_bytes_;
    Counters* counters_;

    std::array<std::deque<Pending>, 6> queues_;
    std::size_t queued_ = 0;
    std::size_t queued_bytes_ = 0;

    std::map<std::uint64_t, InFlight> in_flight_;               ///< by message number
    std::set<std::pair<TimePoint, std::uint64_t>> retries_;     ///< (retry_at, message number)
    std::map<std::uint64_t, TrafficClass> repeating_;           ///< queued again, by message number
    std::map<std::uint64_t, std::vector<std::uint64_t>> sent_;  ///< datagram to message numbers
    std::size_t in_flight_bytes_ = 0;
    std::uint64_t next_number_ = 1;
    std::uint64_t next_counter_ = 1;
    std::uint32_t next_fragmented_ = 0;

    std::vector<std::pair<std::uint64_t, std::uint64_t>> received_;  ///< ranges to acknowledge
    std::optional<TimePoint> ack_at_;
};

}  // namespace meshd
