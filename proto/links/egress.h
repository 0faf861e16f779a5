// SPDX-License-Identifier: Apache-2.0
/// \file
/// What leaves over one link: priority queues, packing, acknowledgement and retransmission
/// (PROTOCOL.md, "Acknowledgement").
///
/// Datagrams are acknowledged, not messages (as QUIC does, RFC 9002): an ack lists datagram
/// counters, and the sender remembers which reliable messages each datagram carried. A message goes
/// out again, in a new datagram, when a datagram sent a few places after its own is
/// acknowledged, or when its timer runs out; the receiver drops what it has twice by the message's
/// own identity (stream and counter, source and seq, fragment number). The ack of any datagram that
/// carried a message counts for it, also while it waits to be repeated: else a link slower than the
/// retry interval would repeat for ever.
///
/// Normal and low pushes and announcements are *unhurried*: on a link with a long round trip they
/// leave one batch_interval apart, unless something else leaves before, a datagram is full, or bulk
/// waits behind them. An announcement also waits for company after a pause, for one batch_interval.
///
/// Invariants: bytes in flight ≤ kInFlightBytesMax, control traffic and bulk excepted, and four
/// times that for critical; datagrams with bulk in flight ≤ the bulk window, and none leaves while
/// another class waits; bytes queued and in flight together ≤ kQueueBytesMax, less
/// kUrgentReserve for what is neither control nor critical; a reliable message is dropped only by
/// overflow or with the link.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/counters.h"
#include "proto/links/bulk_window.h"
#include "proto/links/rtt.h"
#include "proto/wire/codec.h"
#include "proto/wire/frame.h"

namespace meshd {

/// Order in which queues are served.
enum class TrafficClass : std::uint8_t { Control, Critical, High, Normal, Low, Bulk };

using SharedMessage = std::shared_ptr<const EncodedMessage>;

inline SharedMessage share_message(const Delta& delta) {
    return std::make_shared<const EncodedMessage>(encode_delta(delta));
}
inline SharedMessage share_message(const Message& message) {
    return std::make_shared<const EncodedMessage>(encode_message(message));
}

class Egress {
  public:
    /// Bytes sent and not acknowledged: 32 full datagrams, a third of a default receive buffer.
    static constexpr std::size_t kInFlightBytesMax = 32 * limits::kDatagramBytesDefault;
    /// The same for critical traffic, which overtakes the rest and must not wait for it.
    static constexpr std::size_t kCriticalInFlightBytesMax = 4 * kInFlightBytesMax;
    /// Bytes waiting or in flight per link; what comes on top is dropped, and repaired by digest
    /// where it is a record.
    static constexpr std::size_t kQueueBytesMax = 4 * 1024 * 1024;
    /// Of these, kept free of all but control and critical traffic, so that no backlog of bulk
    /// refuses an alert: eight of the longest.
    static constexpr std::size_t kUrgentReserve = 512 * 1024;
    /// Acks of this many datagrams travel in one datagram, or those of RttEstimator::ack_delay().
    static constexpr std::size_t kAckEvery = 8;
    /// A datagram is lost when one sent this much later is acknowledged (kPacketThreshold of RFC
    /// 9002, section 6.1.1); more, up to the limit, where the network has been seen to change the
    /// order by more.
    static constexpr std::uint64_t kReorderMax = 3;
    static constexpr std::uint64_t kReorderLimit = 32;
    /// Repetitions of one message found by gaps in acks; any further one waits for the timer, so
    /// that a receiver without room for it is not offered it again at each ack.
    static constexpr unsigned kEarlyRepeatsMax = 3;
    /// Repetitions are no further apart than this, or than a round trip takes.
    static constexpr Duration kRetryMax = std::chrono::milliseconds(250);

    /// `bulk_window_max`: in datagrams; half of what the peer's receive buffer holds. `key` seals
    /// what is sent and outlives this; without one it goes in the open.
    Egress(SessionId peer_session, std::size_t datagram_bytes, Counters& counters,
           std::size_t bulk_window_max = BulkWindow::kMaxDefault, const SealKey* key = nullptr);

    /// Takes over what another session with the same peer has not had acknowledged, to be sent
    /// again; duplicates do no harm. Parts of long messages that the peer has acknowledged are
    /// lost with the session, and their messages with them.
    void take_over(Egress& other);

    /// See BulkWindow::set_max.
    void set_bulk_window_max(std::size_t datagrams) { bulk_.set_max(datagrams); }

    /// Queues a message. Larger than a datagram: as fragments (then it must be reliable). False
    /// where the queue is full; nothing is queued then.
    bool send(SharedMessage message, TrafficClass traffic_class, bool reliable);

    /// The instant from which the next calls of on_ack are.
    void on_time(TimePoint now) { now_ = now; }
    /// A datagram with this counter came in; `wants_ack` where it carried reliable messages. The
    /// ack of bulk does not wait for company: its sender's window does for the ack.
    void on_received(TimePoint now, std::uint64_t counter, bool wants_ack, bool has_bulk = false);
    void on_ack(const Ack& ack);
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    /// Next datagram to send now, if any. The owner asks after each call, until there is none:
    /// next_deadline() counts on it.
    std::optional<Buffer> poll(TimePoint now, const RttEstimator& rtt);

    /// True where a message was first sent kStallTime ago and is still not acknowledged, though it
    /// was repeated all the while: the other end does not do its part, and the link is of no use.
    bool is_stalled(TimePoint now) const;
    static constexpr Duration kStallTime = std::chrono::seconds(10);

    /// Messages waiting or not acknowledged.
    std::size_t pending() const { return queued_ + in_flight_; }
    /// Of bulk, waiting (at most) or in flight.
    std::size_t bulk_bytes() const {
        return bulk_bytes_ +
               waiting_[static_cast<std::size_t>(TrafficClass::Bulk)] * message_bytes_max_;
    }
    const BulkWindow& bulk_window() const { return bulk_; }

  private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr std::size_t kClasses = 6;

    /// Not sent yet.
    struct Fresh {
        SharedMessage message;
        bool reliable;
        bool is_unhurried;
    };
    /// A reliable message from its first sending to its ack, in a slot that is used again.
    struct Sent {
        SharedMessage message;  ///< none: the slot is free
        TrafficClass traffic_class{};
        bool is_waiting = false;  ///< to be repeated; else in flight
        unsigned early_repeats = 0;
        std::uint64_t number = 0;    ///< unique; tells a slot's message from those before
        std::uint64_t datagram = 0;  ///< counter of the last one that carried it
        TimePoint first_sent;
        TimePoint retry_at;
        Duration retry_delay{};
        std::uint32_t older = kNone;  ///< slots by first sending
        std::uint32_t newer = kNone;
    };
    struct Ref {
        std::uint32_t slot = kNone;
        std::uint64_t number = 0;
    };
    struct Retry {
        TimePoint at;
        Ref message;
    };
    enum class Fate : std::uint8_t { Open, Acked, Lost };
    struct SentDatagram {
        TimePoint sent;
        Fate fate = Fate::Acked;
        bool has_bulk = false;
        bool was_overtaken = false;  ///< taken for lost because later ones were acknowledged
        Ref first;                   ///< most carry one
        std::vector<Ref> more;
    };

    /// Queues it, however much waits.
    void take(SharedMessage message, TrafficClass traffic_class, bool reliable);
    bool may_send(TrafficClass traffic_class) const;
    bool may_send_bulk(TimePoint now);
    bool has_something(TimePoint now, const RttEstimator& rtt);
    bool add_next(std::size_t traffic_class, DatagramBuilder& builder, SentDatagram& datagram,
                  TimePoint now, const RttEstimator& rtt);
    Ref take_slot(SharedMessage message, TrafficClass traffic_class, TimePoint now);
    void put_in_flight(const Ref& ref, TimePoint now, const RttEstimator& rtt);
    std::size_t& bytes_in_flight(TrafficClass traffic_class);

    Sent* find(const Ref& ref);
    SentDatagram* find_datagram(std::uint64_t counter);
    void settle(const Ref& ref);
    void settle_all(const SentDatagram& datagram);
    void repeat(const Ref& ref);
    void lose(SentDatagram& datagram);
    void lose_before(std::uint64_t counter);
    void repeat_early(std::uint64_t counter, const Ref& ref);
    void forget_datagrams();
    void forget_retries();
    bool is_current(const Retry& retry) const;

    DatagramHeader header_;
    const SealKey* key_;
    std::size_t datagram_bytes_;
    std::size_t message_bytes_max_;  ///< that fit a datagram
    Counters* counters_;
    TimePoint now_;

    std::array<std::deque<Fresh>, kClasses> fresh_;
    std::array<std::deque<Ref>, kClasses> repeats_;  ///< with those that were acked meanwhile
    std::array<std::size_t, kClasses> waiting_{};    ///< in both
    std::array<std::size_t, kClasses> unhurried_{};  ///< of those, never repetitions
    std::size_t unhurried_bytes_ = 0;
    std::size_t announcements_ = 0;             ///< among the unhurried
    std::optional<TimePoint> unhurried_since_;  ///< seen at a poll
    std::optional<TimePoint> unhurried_sent_;   ///< the last datagram that carried any
    std::optional<TimePoint> release_at_;       ///< of those that wait for company
    std::size_t queued_ = 0;
    std::size_t queued_bytes_ = 0;

    std::vector<Sent> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::uint32_t oldest_ = kNone;
    std::uint32_t newest_ = kNone;
    std::size_t in_flight_ = 0;
    std::size_t in_flight_bytes_ = 0;  ///< without bulk
    std::size_t bulk_bytes_ = 0;       ///< in flight
    BulkWindow bulk_;
    RttEstimator ack_rtt_;        ///< of full datagrams, the receiver's ack delay included
    std::vector<Retry> retries_;  ///< a heap, earliest on top, with some that are void
    std::uint64_t next_number_ = 1;

    std::deque<SentDatagram> sent_;  ///< by counter, rising by one
    std::uint64_t next_counter_ = 1;
    std::uint64_t largest_acked_ = 0;
    std::uint64_t reorder_max_ = kReorderMax;
    std::uint64_t judged_ = 1;  ///< below it, each datagram was acknowledged or taken for lost
    std::uint32_t next_fragmented_ = 0;

    std::vector<std::pair<std::uint64_t, std::uint64_t>> received_;  ///< ranges to acknowledge
    std::size_t received_count_ = 0;                                 ///< since the last ack
    std::optional<TimePoint> ack_at_;
    Duration ack_delay_ = RttEstimator::kAckDelayMin;  ///< as of the last poll
};

}  // namespace meshd
