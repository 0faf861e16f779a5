// SPDX-License-Identifier: Apache-2.0
#include "proto/links/egress.h"

#include <algorithm>

#include "proto/base/assert.h"
#include "proto/wire/fragment.h"

namespace meshd {
namespace {

/// Ranges repeated in each ack, so that one lost ack costs no retransmission while traffic flows.
constexpr std::size_t kAckRangesSent = 8;
/// Datagrams remembered for their acks; an ack for an older one is of no use any more.
constexpr std::size_t kSentMax = 4096;

std::size_t queue_index(TrafficClass traffic_class) {
    return static_cast<std::size_t>(traffic_class);
}

}  // namespace

Egress::Egress(SessionId peer_session, std::size_t datagram_bytes, Counters& counters)
    : datagram_bytes_(datagram_bytes), counters_(&counters) {
    header_.kind = DatagramKind::Session;
    header_.session = peer_session;
}

bool Egress::send(SharedMessage message, TrafficClass traffic_class, bool reliable) {
    if (queued_bytes_ + in_flight_bytes_ + message->bytes.size() > kQueueBytesMax) {
        counters_->add(Counter::drop_queue_full);
        return false;
    }
    const std::size_t room = DatagramBuilder(header_, datagram_bytes_, nullptr).room();
    if (message->bytes.size() <= room) {
        enqueue({std::move(message), traffic_class, reliable}, false);
        return true;
    }
    MESHD_ASSERT(reliable);
    for (EncodedMessage& part : split_message(*message, next_fragmented_++, room)) {
        enqueue({std::make_shared<const EncodedMessage>(std::move(part)), traffic_class, true},
                false);
        counters_->add(Counter::fragments_sent);
    }
    return true;
}

void Egress::enqueue(Pending pending, bool at_front) {
    queued_ += 1;
    queued_bytes_ += pending.message->bytes.size();
    auto& queue = queues_[queue_index(pending.traffic_class)];
    if (at_front) {
        queue.push_front(std::move(pending));
    } else {
        queue.push_back(std::move(pending));
    }
}

Egress::Pending Egress::dequeue(std::deque<Pending>& queue,
                                const std::deque<Pending>::iterator& at) {
    Pending pending = std::move(*at);
    queue.erase(at);
    queued_ -= 1;
    queued_bytes_ -= pending.message->bytes.size();
    repeating_.erase(pending.number);
    return pending;
}

void Egress::on_received(TimePoint now, std::uint64_t counter, bool wants_ack) {
    if (!wants_ack) {
        return;
    }
    // Counters mostly rise, so the last ranges are where this one goes.
    auto it = received_.end();
    while (it != received_.begin() && std::prev(it)->first > counter) {
        --it;
    }
    if (it != received_.begin() && std::prev(it)->second + 1 >= counter) {
        std::prev(it)->second = std::max(std::prev(it)->second, counter);
        if (it != received_.end() && it->first == std::prev(it)->second + 1) {
            std::prev(it)->second = it->second;
            received_.erase(it);
        }
    } else if (it != received_.end() && it->first == counter + 1) {
        it->first = counter;
    } else {
        received_.insert(it, {counter, counter});
        if (received_.size() > kAckRangesSent) {
            received_.erase(received_.begin());
        }
    }
    if (!ack_at_) {
        ack_at_ = now + kAckDelay;
    }
}

void Egress::on_ack(const Ack& ack) {
    for (const auto& [first, last] : ack.ranges) {
        auto it = sent_.lower_bound(first);
        while (it != sent_.end() && it->first <= last) {
            for (const std::uint64_t number : it->second) {
                on_message_acked(number);
            }
            it = sent_.erase(it);
        }
    }
}

void Egress::on_message_acked(std::uint64_t number) {
    if (const auto found = in_flight_.find(number); found != in_flight_.end()) {
        in_flight_bytes_ -= found->second.pending.message->bytes.size();
        retries_.erase({found->second.retry_at, number});
        in_flight_.erase(found);
    } else if (const auto repeating = repeating_.find(number); repeating != repeating_.end()) {
        auto& queue = queues_[queue_index(repeating->second)];
        const auto at = std::find_if(queue.begin(), queue.end(), [number](const Pending& pending) {
            return pending.number == number;
        });
        MESHD_ASSERT(at != queue.end());
        dequeue(queue, at);
    }
}

void Egress::on_timeout(TimePoint now) {
    while (!retries_.empty() && retries_.begin()->first <= now) {
        const std::uint64_t number = retries_.begin()->second;
        retries_.erase(retries_.begin());
        const auto it = in_flight_.find(number);
        in_flight_bytes_ -= it->second.pending.message->bytes.size();
        counters_->add(Counter::messages_retransmitted);
        repeating_.emplace(number, it->second.pending.traffic_class);
        enqueue(std::move(it->second.pending), true);
        in_flight_.erase(it);
    }
}

std::optional<TimePoint> Egress::next_deadline() const {
    std::optional<TimePoint> next = ack_at_;
    if (!retries_.empty() && (!next || retries_.begin()->first < *next)) {
        next = retries_.begin()->first;
    }
    return next;
}

bool Egress::may_send(TrafficClass traffic_class) const {
    switch (traffic_class) {
        case TrafficClass::Control:
            return true;
        case TrafficClass::Critical:
            return in_flight_bytes_ < kCriticalInFlightBytesMax;
        case TrafficClass::High:
        case TrafficClass::Normal:
        case TrafficClass::Low:
        case TrafficClass::Bulk:
            return in_flight_bytes_ < kInFlightBytesMax;
    }
    return false;
}

bool Egress::is_stalled(TimePoint now) const {
    return !in_flight_.empty() && now - in_flight_.begin()->second.pending.first_sent >= kStallTime;
}

void Egress::track(TimePoint now, std::uint64_t counter, Pending pending, const RttEstimator& rtt) {
    pending.retry_delay =
        pending.retry_delay == Duration{}
            ? rtt.first_retry()
            : std::min(2 * pending.retry_delay, std::max(kRetryMax, rtt.first_retry()));
    if (pending.number == 0) {
        pending.number = next_number_++;
        pending.first_sent = now;
    }
    const std::uint64_t number = pending.number;
    const TimePoint retry_at = now + pending.retry_delay;
    in_flight_bytes_ += pending.message->bytes.size();
    retries_.insert({retry_at, number});
    sent_[counter].push_back(number);
    in_flight_.emplace(number, InFlight{std::move(pending), retry_at});
    if (sent_.size() > kSentMax) {
        sent_.erase(sent_.begin());
    }
}

std::optional<Buffer> Egress::poll(TimePoint now, const RttEstimator& rtt) {
    const bool ack_due = ack_at_ && *ack_at_ <= now;
    bool something = ack_due;
    for (std::size_t i = 0; i < queues_.size() && !something; ++i) {
        something = !queues_[i].empty() && may_send(queues_[i].front().traffic_class);
    }
    if (!something) {
        return std::nullopt;
    }
    header_.counter = next_counter_++;
    DatagramBuilder builder(header_, datagram_bytes_, nullptr);
    if (ack_at_ && builder.add(encode_message(Ack{received_}))) {
        counters_->add(Counter::acks_sent);
        ack_at_.reset();
    }
    for (auto& queue : queues_) {
        while (!queue.empty() && may_send(queue.front().traffic_class) &&
               builder.add(*queue.front().message)) {
            Pending pending = dequeue(queue, queue.begin());
            counters_->add(Counter::messages_sent);
            if (pending.reliable) {
                track(now, header_.counter, std::move(pending), rtt);
            }
        }
    }
    // An ack in front can leave too little room for a full-sized message: it goes in the next one.
    return std::move(builder).finish();
}

}  // namespace meshd
