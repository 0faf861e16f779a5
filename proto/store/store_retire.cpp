// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/store/store_impl.h"

namespace meshd {

bool is_below_floor(const NodeData& data, const Record& alert) {
    const std::uint64_t floor = is_critical(*alert.alert) ? data.critical_floor : data.alert_floor;
    return alert.header.stream == data.durable_stream && alert.header.counter < floor;
}

void Store::Impl::retire_volatile(TimePoint now, const NodeId& node, StreamId stream) {
    streams.bury(now, stream);
    authors.at(node).volatile_streams.erase(stream);
}

void Store::Impl::retire_older_streams(TimePoint now, const HeldRecord& node) {
    const RecordHeader& header = node.record.header;
    const std::set<StreamId> candidates = authors.at(header.author).volatile_streams;
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
    const std::uint64_t floor = std::max(data.alert_floor, data.critical_floor);
    auto next = held->live.begin();
    while (next != held->live.end() && next->first < floor) {
        const HeldRecord& record = (next++)->second;
        if (record.record.alert && is_below_floor(data, record.record)) {
            // The node record names the stream, so that it stays, whether empty or not.
            remove_alert(now, {data.durable_stream, record.record.header.counter});
        }
    }
}

void Store::Impl::bury_if_done(TimePoint now, const NodeId& author, StreamId stream) {
    const HeldStream* held = streams.find(stream);
    if (held == nullptr || held->author != author || held->use != StreamUse::Durable ||
        !held->live.empty() || is_own_current(stream)) {
        return;
    }
    Author& owner = authors.at(author);
    if (owner.node != nullptr && owner.node->record.node->durable_stream == stream) {
        return;
    }
    streams.bury(now, stream);
    owner.durable_streams.erase(stream);
    drop_if_empty(author);
}

void Store::Impl::drop_if_empty(const NodeId& author) {
    const auto found = authors.find(author);
    if (found != authors.end() && found->second.is_empty()) {
        authors.erase(found);
    }
}

void Store::forget(TimePoint now, const NodeId& node) {
    const auto found = impl_->authors.find(node);
    if (found == impl_->authors.end() || node == impl_->options.self) {
        return;
    }
    found->second.node = nullptr;
    const std::set<StreamId> volatile_streams = found->second.volatile_streams;
    const std::set<StreamId> durable_streams = found->second.durable_streams;
    for (const StreamId stream : volatile_streams) {
        impl_->retire_volatile(now, node, stream);
    }
    for (const StreamId stream : durable_streams) {
        impl_->bury_if_done(now, node, stream);
    }
    impl_->drop_if_empty(node);
}

void Store::on_timeout(TimePoint now) {
    while (const auto place = impl_->shelf.expired(now)) {
        impl_->remove_alert(now, *place);
    }
    impl_->streams.expire_graves(now);
}

std::optional<TimePoint> Store::next_deadline() const {
    const auto alert = impl_->shelf.next_expiry();
    const auto grave = impl_->streams.next_grave_expiry();
    return alert && grave ? std::min(alert, grave) : alert ? alert : grave;
}

}  // namespace meshd
