// SPDX-License-Identifier: Apache-2.0
#include "proto/links/egress.h"

#include <algorithm>

#include "proto/base/assert.h"
#include "proto/base/batching.h"
#include "proto/wire/fragment.h"

namespace meshd {
namespace {

/// Ranges repeated in each ack, so that one lost ack costs no retransmission while traffic flows.
constexpr std::size_t kAckRangesSent = 8;
/// Datagrams remembered for their acks; an ack for an older one is of no use any more.
constexpr std::size_t kSentMax = 4096;
/// Void entries of the heap of retries that are not worth clearing away.
constexpr std::size_t kVoidRetriesMin = 64;

std::size_t index_of(TrafficClass traffic_class) {
    return static_cast<std::size_t>(traffic_class);
}

/// What spreads by itself and has no one waiting. A pull, a digest or a part of something longer
/// holds up what follows from it.
bool is_patient(MessageKind kind, TrafficClass traffic_class) {
    return (traffic_class == TrafficClass::Normal || traffic_class == TrafficClass::Low) &&
           (kind == MessageKind::StateSync || kind == MessageKind::Alert ||
            kind == MessageKind::Registry || kind == MessageKind::Announce);
}

}  // namespace

Egress::Egress(SessionId peer_session, std::size_t datagram_bytes, Counters& counters,
               std::size_t bulk_window_max, const SealKey* key)
    : key_(key), datagram_bytes_(datagram_bytes), counters_(&counters), bulk_(bulk_window_max) {
    header_.kind = DatagramKind::Session;
    header_.session = peer_session;
    message_bytes_max_ = DatagramBuilder(header_, datagram_bytes_, nullptr).room();
}

bool Egress::send(SharedMessage message, TrafficClass traffic_class, bool reliable) {
    const std::size_t reserve = traffic_class <= TrafficClass::Critical ? 0 : kUrgentReserve;
    if (queued_bytes_ + in_flight_bytes_ + bulk_bytes_ + message->bytes.size() >
        kQueueBytesMax - reserve) {
        counters_->add(Counter::drop_queue_full);
        return false;
    }
    take(std::move(message), traffic_class, reliable);
    return true;
}

void Egress::take(SharedMessage message, TrafficClass traffic_class, bool reliable) {
    const auto enqueue = [&](SharedMessage part) {
        queued_ += 1;
        queued_bytes_ += part->bytes.size();
        waiting_[index_of(traffic_class)] += 1;
        const bool is_unhurried = is_patient(part->kind, traffic_class);
        if (is_unhurried) {
            unhurried_[index_of(traffic_class)] += 1;
            unhurried_bytes_ += part->bytes.size();
            announcements_ += part->kind == MessageKind::Announce ? 1 : 0;
        }
        fresh_[index_of(traffic_class)].push_back({std::move(part), reliable, is_unhurried});
    };
    if (message->bytes.size() <= message_bytes_max_) {
        enqueue(std::move(message));
        return;
    }
    MESHD_ASSERT(reliable);
    for (EncodedMessage& part : split_message(*message, next_fragmented_++, message_bytes_max_)) {
        enqueue(std::make_shared<const EncodedMessage>(std::move(part)));
        counters_->add(Counter::fragments_sent);
    }
}

void Egress::on_received(TimePoint now, std::uint64_t counter, bool wants_ack, bool has_bulk) {
    now_ = now;
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
    received_count_ += 1;
    if (received_count_ >= kAckEvery) {
        ack_at_ = now;
    } else {
        const TimePoint at = now + (has_bulk ? Duration(RttEstimator::kAckDelayMin) : ack_delay_);
        ack_at_ = ack_at_ ? std::min(*ack_at_, at) : at;
    }
}

void Egress::on_ack(const Ack& ack) {
    if (sent_.empty()) {
        return;
    }
    const std::uint64_t oldest = next_counter_ - sent_.size();
    std::optional<TimePoint> newest_sent;
    for (const auto& [first, last] : ack.ranges) {
        const std::uint64_t end = std::min(last, next_counter_ - 1);
        for (std::uint64_t counter = std::max(first, oldest); counter <= end; ++counter) {
            SentDatagram& datagram = *find_datagram(counter);
            if (datagram.fate == Fate::Acked) {
                continue;
            }
            if (datagram.has_bulk) {
                datagram.fate == Fate::Open ? bulk_.on_acked(now_ - datagram.sent)
                                            : bulk_.on_late_ack();
            }
            if (datagram.was_overtaken) {
                reorder_max_ =
                    std::clamp(largest_acked_ - counter + 1, reorder_max_, kReorderLimit);
            }
            datagram.fate = Fate::Acked;
            newest_sent = datagram.sent;
            largest_acked_ = std::max(largest_acked_, counter);
            settle_all(datagram);
        }
    }
    if (!newest_sent) {
        return;
    }
    ack_rtt_.add(now_ - *newest_sent);
    if (largest_acked_ >= reorder_max_) {
        lose_before(largest_acked_ - reorder_max_ + 1);
    }
    bulk_.on_ack_end(largest_acked_, next_counter_);
    forget_datagrams();
    forget_retries();
}

/// Those below `counter` that are still without an ack.
void Egress::lose_before(std::uint64_t counter) {
    for (judged_ = std::max(judged_, next_counter_ - sent_.size()); judged_ < counter; ++judged_) {
        SentDatagram& datagram = *find_datagram(judged_);
        if (datagram.fate == Fate::Acked) {
            continue;
        }
        datagram.was_overtaken = datagram.fate == Fate::Open;
        lose(datagram);
        repeat_early(judged_, datagram.first);
        for (const Ref& ref : datagram.more) {
            repeat_early(judged_, ref);
        }
    }
}

void Egress::repeat_early(std::uint64_t counter, const Ref& ref) {
    Sent* sent = find(ref);
    if (sent == nullptr || sent->is_waiting || sent->datagram != counter ||
        sent->early_repeats >= kEarlyRepeatsMax) {
        return;
    }
    // The link works: the next copy need not wait longer than the first did.
    sent->early_repeats += 1;
    sent->retry_delay = Duration{};
    repeat(ref);
}

void Egress::lose(SentDatagram& datagram) {
    if (datagram.fate != Fate::Open) {
        return;
    }
    datagram.fate = Fate::Lost;
    counters_->add(Counter::datagrams_lost);
    if (datagram.has_bulk) {
        bulk_.on_lost();
    }
}

Egress::Sent* Egress::find(const Ref& ref) {
    if (ref.slot == kNone || slots_[ref.slot].number != ref.number) {
        return nullptr;
    }
    return &slots_[ref.slot];
}

Egress::SentDatagram* Egress::find_datagram(std::uint64_t counter) {
    const std::uint64_t oldest = next_counter_ - sent_.size();
    return counter >= oldest && counter < next_counter_ ? &sent_[counter - oldest] : nullptr;
}

std::size_t& Egress::bytes_in_flight(TrafficClass traffic_class) {
    return traffic_class == TrafficClass::Bulk ? bulk_bytes_ : in_flight_bytes_;
}

void Egress::settle_all(const SentDatagram& datagram) {
    settle(datagram.first);
    for (const Ref& ref : datagram.more) {
        settle(ref);
    }
}

void Egress::settle(const Ref& ref) {
    Sent* sent = find(ref);
    if (sent == nullptr) {
        return;
    }
    const std::size_t bytes = sent->message->bytes.size();
    if (sent->is_waiting) {
        queued_ -= 1;
        queued_bytes_ -= bytes;
        waiting_[index_of(sent->traffic_class)] -= 1;
    } else {
        in_flight_ -= 1;
        bytes_in_flight(sent->traffic_class) -= bytes;
    }
    (sent->older == kNone ? oldest_ : slots_[sent->older].newer) = sent->newer;
    (sent->newer == kNone ? newest_ : slots_[sent->newer].older) = sent->older;
    *sent = Sent{};
    free_slots_.push_back(ref.slot);
}

void Egress::repeat(const Ref& ref) {
    Sent& sent = slots_[ref.slot];
    const std::size_t bytes = sent.message->bytes.size();
    sent.is_waiting = true;
    sent.retry_at = now_;
    in_flight_ -= 1;
    bytes_in_flight(sent.traffic_class) -= bytes;
    queued_ += 1;
    queued_bytes_ += bytes;
    waiting_[index_of(sent.traffic_class)] += 1;
    repeats_[index_of(sent.traffic_class)].push_back(ref);
    counters_->add(Counter::messages_retransmitted);
}

/// Settled ones at the front. One taken for lost stays while a message of it is not settled: its
/// ack may still come.
void Egress::forget_datagrams() {
    const auto is_needed = [this](const SentDatagram& datagram) {
        return datagram.fate != Fate::Acked &&
               (find(datagram.first) != nullptr ||
                std::any_of(datagram.more.begin(), datagram.more.end(),
                            [this](const Ref& ref) { return find(ref) != nullptr; }));
    };
    while (!sent_.empty() && (sent_.size() > kSentMax || !is_needed(sent_.front()))) {
        lose(sent_.front());
        sent_.pop_front();
    }
}

bool Egress::is_current(const Retry& retry) const {
    const Sent& sent = slots_[retry.message.slot];
    return sent.number == retry.message.number && !sent.is_waiting && sent.retry_at == retry.at;
}

/// Void entries on top, so that the top is the next deadline; all of them where they prevail.
void Egress::forget_retries() {
    const auto is_later = [](const Retry& a, const Retry& b) { return a.at > b.at; };
    if (retries_.size() > 2 * in_flight_ + kVoidRetriesMin) {
        retries_.erase(std::remove_if(retries_.begin(), retries_.end(),
                                      [this](const Retry& one) { return !is_current(one); }),
                       retries_.end());
        std::make_heap(retries_.begin(), retries_.end(), is_later);
    }
    while (!retries_.empty() && !is_current(retries_.front())) {
        std::pop_heap(retries_.begin(), retries_.end(), is_later);
        retries_.pop_back();
    }
}

void Egress::on_timeout(TimePoint now) {
    now_ = now;
    for (forget_retries(); !retries_.empty() && retries_.front().at <= now; forget_retries()) {
        const Ref ref = retries_.front().message;
        if (SentDatagram* datagram = find_datagram(slots_[ref.slot].datagram)) {
            lose(*datagram);
        }
        repeat(ref);
    }
    bulk_.on_timeout_end(next_counter_);
}

std::optional<TimePoint> Egress::next_deadline() const {
    std::optional<TimePoint> next = ack_at_;
    const auto consider = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
    if (!retries_.empty()) {
        consider(retries_.front().at);
    }
    if (release_at_) {
        consider(*release_at_);
    }
    if (const std::size_t bulk = waiting_[index_of(TrafficClass::Bulk)];
        bulk > 0 && bulk == queued_) {
        if (const auto burst = bulk_.next_burst()) {
            consider(*burst);
        }
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
            return in_flight_bytes_ < kInFlightBytesMax;
        case TrafficClass::Bulk:
            return true;  // its window is asked by datagram
    }
    return false;
}

/// Whether a datagram with bulk may leave: not while anything else waits, be it for its own bound.
bool Egress::may_send_bulk(TimePoint now) {
    const std::size_t bulk = waiting_[index_of(TrafficClass::Bulk)];
    return bulk > 0 && bulk == queued_ && bulk_.may_send(now);
}

bool Egress::is_stalled(TimePoint now) const {
    for (std::uint32_t slot = oldest_; slot != kNone; slot = slots_[slot].newer) {
        if (now - slots_[slot].first_sent < kStallTime) {
            return false;
        }
        if (!slots_[slot].is_waiting) {
            return true;
        }
    }
    return false;
}

Egress::Ref Egress::take_slot(SharedMessage message, TrafficClass traffic_class, TimePoint now) {
    if (free_slots_.empty()) {
        free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
        slots_.emplace_back();
    }
    const Ref ref{free_slots_.back(), next_number_++};
    free_slots_.pop_back();
    Sent& sent = slots_[ref.slot];
    sent.message = std::move(message);
    sent.traffic_class = traffic_class;
    sent.number = ref.number;
    sent.first_sent = now;
    sent.older = newest_;
    (newest_ == kNone ? oldest_ : slots_[newest_].newer) = ref.slot;
    newest_ = ref.slot;
    return ref;
}

void Egress::put_in_flight(const Ref& ref, TimePoint now, const RttEstimator& rtt) {
    Sent& sent = slots_[ref.slot];
    if (sent.is_waiting) {
        // While it waits, the peer could not have had it, and that is no stall. retry_at is since
        // when. The slots stay in the order of what counts: is_stalled() need not look at all.
        sent.first_sent += now - sent.retry_at;
        while (sent.newer != kNone && slots_[sent.newer].first_sent < sent.first_sent) {
            const std::uint32_t next = sent.newer;
            Sent& other = slots_[next];
            (sent.older == kNone ? oldest_ : slots_[sent.older].newer) = next;
            (other.newer == kNone ? newest_ : slots_[other.newer].older) = ref.slot;
            other.older = sent.older;
            sent.newer = other.newer;
            other.newer = ref.slot;
            sent.older = next;
        }
    }
    Duration first_retry = rtt.first_retry();
    if (sent.traffic_class == TrafficClass::Bulk && ack_rtt_.smoothed()) {
        // Under load the peer answers heartbeats and acks later; a repetition would add to it.
        first_retry = std::max(first_retry, ack_rtt_.first_retry());
    }
    sent.retry_delay = sent.retry_delay == Duration{}
                           ? first_retry
                           : std::min(2 * sent.retry_delay, std::max(kRetryMax, first_retry));
    sent.retry_at = now + sent.retry_delay;
    sent.datagram = header_.counter;
    sent.is_waiting = false;
    in_flight_ += 1;
    bytes_in_flight(sent.traffic_class) += sent.message->bytes.size();
    retries_.push_back({sent.retry_at, ref});
    std::push_heap(retries_.begin(), retries_.end(),
                   [](const Retry& a, const Retry& b) { return a.at > b.at; });
}

/// Moves the next message of a class into the datagram; false where there is none or no room.
bool Egress::add_next(std::size_t traffic_class, DatagramBuilder& builder, SentDatagram& datagram,
                      TimePoint now, const RttEstimator& rtt) {
    auto& repeats = repeats_[traffic_class];
    while (!repeats.empty() && find(repeats.front()) == nullptr) {
        repeats.pop_front();
    }
    auto& fresh = fresh_[traffic_class];
    if (repeats.empty() && fresh.empty()) {
        return false;
    }
    const SharedMessage& next =
        repeats.empty() ? fresh.front().message : slots_[repeats.front().slot].message;
    if (!builder.add(*next)) {
        return false;
    }
    counters_->add(Counter::messages_sent);
    queued_ -= 1;
    queued_bytes_ -= next->bytes.size();
    waiting_[traffic_class] -= 1;
    Ref ref;
    if (!repeats.empty()) {
        ref = repeats.front();
        repeats.pop_front();
    } else {
        if (fresh.front().is_unhurried) {
            unhurried_[traffic_class] -= 1;
            unhurried_bytes_ -= next->bytes.size();
            announcements_ -= next->kind == MessageKind::Announce ? 1 : 0;
            unhurried_sent_ = now;
            unhurried_since_.reset();
        }
        if (fresh.front().reliable) {
            ref = take_slot(std::move(fresh.front().message),
                            static_cast<TrafficClass>(traffic_class), now);
        }
        fresh.pop_front();
    }
    if (ref.slot != kNone) {
        put_in_flight(ref, now, rtt);
        datagram.fate = Fate::Open;
        if (datagram.first.slot == kNone) {
            datagram.first = ref;
        } else {
            datagram.more.push_back(ref);
        }
    }
    return true;
}

/// Whether a datagram is to leave now: not for the sake of unhurried messages alone that may wait.
bool Egress::has_something(TimePoint now, const RttEstimator& rtt) {
    release_at_.reset();
    const std::size_t unhurried =
        unhurried_[index_of(TrafficClass::Normal)] + unhurried_[index_of(TrafficClass::Low)];
    if (unhurried > 0 && unhurried_bytes_ < message_bytes_max_ &&
        waiting_[index_of(TrafficClass::Bulk)] == 0) {
        unhurried_since_ = unhurried_since_.value_or(now);
        const TimePoint from = unhurried == announcements_
                                   ? *unhurried_since_
                                   : unhurried_sent_.value_or(TimePoint::min());
        const Duration interval = batch_interval(rtt.smoothed().value_or(Duration{}));
        if (now - interval < from) {
            release_at_ = from + interval;
        }
    }
    if (ack_at_ && *ack_at_ <= now) {
        return true;
    }
    for (std::size_t i = 0; i < index_of(TrafficClass::Bulk); ++i) {
        if (waiting_[i] > (release_at_ ? unhurried_[i] : 0) &&
            may_send(static_cast<TrafficClass>(i))) {
            return true;
        }
    }
    return may_send_bulk(now);
}

std::optional<Buffer> Egress::poll(TimePoint now, const RttEstimator& rtt) {
    now_ = now;
    ack_delay_ = rtt.ack_delay();
    constexpr std::size_t kBulk = kClasses - 1;
    if (!has_something(now, rtt)) {
        return std::nullopt;
    }
    header_.counter = next_counter_;
    DatagramBuilder builder(header_, datagram_bytes_, nullptr);
    if (ack_at_ && builder.add(encode_message(Ack{received_}))) {
        counters_->add(Counter::acks_sent);
        ack_at_.reset();
        received_count_ = 0;
    }
    SentDatagram datagram;
    datagram.sent = now;
    for (std::size_t i = 0; i < kBulk; ++i) {
        while (waiting_[i] > 0 && may_send(static_cast<TrafficClass>(i)) &&
               add_next(i, builder, datagram, now, rtt)) {
        }
    }
    // An ack in front can leave too little room for a full-sized message: it goes in the next one.
    if (may_send_bulk(now)) {
        while (add_next(kBulk, builder, datagram, now, rtt)) {
            datagram.has_bulk = datagram.fate == Fate::Open;
        }
    }
    if (datagram.has_bulk) {
        bulk_.on_sent(next_counter_);
    }
    next_counter_ += 1;
    sent_.push_back(std::move(datagram));
    forget_datagrams();
    return std::move(builder).finish(key_);
}

void Egress::take_over(Egress& other) {
    for (std::uint32_t slot = other.oldest_; slot != kNone; slot = other.slots_[slot].newer) {
        if (Sent& sent = other.slots_[slot]; sent.message) {
            take(std::move(sent.message), sent.traffic_class, true);
        }
    }
    for (std::size_t i = 0; i < kClasses; ++i) {
        for (Fresh& fresh : other.fresh_[i]) {
            if (!fresh.reliable) {
                continue;  // of the old session: a heartbeat, an answer to one
            }
            take(std::move(fresh.message), static_cast<TrafficClass>(i), fresh.reliable);
        }
    }
    next_fragmented_ = other.next_fragmented_;
}

}  // namespace meshd
