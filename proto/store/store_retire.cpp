// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/mutant.h"
#include "proto/store/store_impl.h"

namespace meshd {

bool is_below_floor(const NodeData& data, const Record& alert) {
    const std::uint64_t floor = is_critical(*alert.alert) ? data.critical_floor : data.alert_floor;
    return alert.header.stream == data.durable_stream && alert.header.counter < floor;
}

void Store::Impl::retire_volatile(TimePoint now, const NodeId& node, StreamId stream) {
    streams.bury(now, stream);
    authors.find(node)->volatile_streams.erase(stream);
}

void Store::Impl::retire_older_streams(TimePoint now, const HeldRecord& node) {
    const RecordHeader& header = node.record.header;
    const std::set<StreamId> candidates = authors.find(header.author)->volatile_streams;
    for (const StreamId stream : candidates) {
        if (stream == header.stream) {
            continue;
        }
        const HeldRecord* state = state_in(stream);
        if (state == nullptr || !is_newer_start(state->record.header, header)) {
            retire_volatile(now, header.author, stream);
        }
    }
}

void Store::Impl::remove_alert(TimePoint now, RecordPlace place) {
    const HeldRecord* alert = streams.find(place.stream, place.counter);
    const NodeId author = alert->record.header.author;
    const std::string& dedupe_key = alert->record.alert->dedupe_key;
    if (const auto found = own_dedupe.find(dedupe_key);
        found != own_dedupe.end() && found->second == place) {
        own_dedupe.erase(found);
    }
    shelf.remove(*alert);
    streams.drop(place.stream, place.counter);
    bury_if_done(now, author, place.stream);
}

void Store::Impl::drop_over_quota(TimePoint now, const NodeId& author, bool is_critical) {
    while (const auto place = shelf.over_quota(author, is_critical)) {
        remove_alert(now, *place);
        ++counts.alerts_dropped;
    }
}

void Store::Impl::drop_over_bytes(TimePoint now) {
    while (const auto place = shelf.over_bytes()) {
        remove_alert(now, *place);
        ++counts.alerts_dropped;
    }
}

void Store::Impl::drop_below_floors(TimePoint now, const HeldRecord& node) {
    const NodeData& data = *node.record.node;
    const HeldStream* held = streams.find(data.durable_stream);
    if (held == nullptr || held->use != StreamUse::Durable ||
        held->author != node.record.header.author) {
        return;
    }
    // The node record names the stream, so that it stays, whether empty or not.
    for (const bool critical : {false, true}) {
        const std::uint64_t floor = critical ? data.critical_floor : data.alert_floor;
        for (auto lowest = shelf.lowest(data.durable_stream, critical); lowest && *lowest < floor;
             lowest = shelf.lowest(data.durable_stream, critical)) {
            remove_alert(now, {data.durable_stream, *lowest});
        }
    }
}

void Store::Impl::bury_if_done(TimePoint now, const NodeId& author, StreamId stream) {
    const HeldStream* held = streams.find(stream);
    if (held == nullptr || held->author != author || held->use != StreamUse::Durable ||
        !held->live.empty() || held->is_keyed || is_own_current(stream)) {
        return;
    }
    Author& owner = *authors.find(author);
    if (owner.node != nullptr && owner.node->record.node->durable_stream == stream) {
        return;
    }
    streams.bury(now, stream);
    owner.durable_streams.erase(stream);
    drop_if_empty(author);
}

void Store::Impl::drop_if_empty(const NodeId& author) {
    const Author* found = find(author);
    if (found != nullptr && found->is_empty()) {
        authors.erase(author);
    }
}

void Store::Impl::remove_keyed(const HeldRecord& held) {
    const RecordPlace place = place_of(held);
    index.remove(held);
    streams.drop(place.stream, place.counter);
    forget_surplus_closed();
}

/// An entry past its ttl becomes a stub; a tombstone or stub past its time goes.
void Store::Impl::on_due(RecordPlace place) {
    const HeldRecord* held = streams.find(place.stream, place.counter);
    if (!is_dead(*held)) {
        index.remove(*held);
        streams.set_stub(place.stream, place.counter);
        index.add(*held);
        return;
    }
    ++counts.purged;
    index.remove(*held);
    streams.drop(place.stream, place.counter);
    if (!is_mutant(CoreMutant::ResurrectDead)) {
        streams.raise_floor(place.stream, place.counter);
    }
    forget_surplus_closed();
}

bool Store::Impl::open_durable(StreamId stream, const NodeId& author) {
    if (streams.find(stream) == nullptr) {
        if (streams.is_full() || (find(author) == nullptr && authors.size() >= limits::kNodesMax)) {
            ++counts.streams_full;
            return false;
        }
        streams.open(stream, author, StreamUse::Durable);
        authors[author].durable_streams.insert(stream);
    }
    const HeldStream& held = *streams.find(stream);
    return held.author == author && held.use == StreamUse::Durable;
}

bool Store::Impl::open_keyed(StreamId stream, const NodeId& author) {
    if (!open_durable(stream, author)) {
        return false;
    }
    streams.set_keyed(stream);
    forget_surplus_closed();
    return streams.find(stream) != nullptr;
}

void Store::Impl::forget_surplus_closed() {
    while (const auto stream = streams.surplus_closed(options.durable_stream)) {
        const NodeId author = streams.find(*stream)->author;
        ++counts.streams_forgotten;
        streams.forget(*stream);
        if (Author* owner = authors.find(author)) {
            owner->durable_streams.erase(*stream);
        }
        drop_if_empty(author);
    }
}

void Store::forget(TimePoint now, const NodeId& node) {
    Impl::Author* found = impl_->authors.find(node);
    if (found == nullptr || node == impl_->options.self) {
        return;
    }
    found->node = nullptr;
    const std::set<StreamId> volatile_streams = found->volatile_streams;
    const std::set<StreamId> durable_streams = found->durable_streams;
    for (const StreamId stream : volatile_streams) {
        impl_->retire_volatile(now, node, stream);
    }
    for (const StreamId stream : durable_streams) {
        impl_->bury_if_done(now, node, stream);
    }
    impl_->drop_if_empty(node);
}

void Store::unbury(StreamId stream) {
    if (impl_->streams.find(stream) == nullptr) {
        impl_->streams.unbury(stream);
    }
}

bool Store::is_buried(StreamId stream) const {
    const Grave* grave = impl_->streams.grave(stream);
    return grave != nullptr && grave->use == StreamUse::Volatile;
}

void Store::on_timeout(TimePoint now) {
    if (impl_->power_off) {
        impl_->add_power_off(now);
    }
    while (const auto place = impl_->shelf.expired(now)) {
        impl_->remove_alert(now, *place);
    }
    // In turns: of a box that was without power for a day all may be due at once, and whoever holds
    // up the heartbeats is taken for dead.
    for (std::size_t i = 0; i < kDuePerTurn; ++i) {
        const auto place = impl_->index.due(now);
        if (!place) {
            break;
        }
        impl_->on_due(*place);
    }
    impl_->look_for_room(now);
    impl_->streams.expire_graves(now);
}

std::optional<TimePoint> Store::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& at :
         {impl_->shelf.next_expiry(), impl_->index.next_due(), impl_->streams.next_grave_expiry(),
          impl_->room_at,
          impl_->power_off ? std::optional(impl_->power_off->since) : std::nullopt}) {
        if (at && (!next || *at < *next)) {
            next = at;
        }
    }
    return next;
}

}  // namespace meshd
