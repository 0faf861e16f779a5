// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <tuple>
#include <utility>

#include "proto/base/mutant.h"
#include "proto/store/store_impl.h"

namespace meshd {

bool is_newer(const RecordHeader& a, const RecordHeader& b) {
    return std::tie(a.clock, a.stream, a.counter) > std::tie(b.clock, b.stream, b.counter);
}

bool is_newer_start(const RecordHeader& header, const RecordHeader& node) {
    return std::tie(header.clock, header.stream) > std::tie(node.clock, node.stream);
}

bool Store::Impl::is_living(const Arrival& arrival) {
    if (const RegistryKey* entry = arrival.record.registry.get()) {
        return !entry->is_deleted &&
               (entry->ttl_ms == 0 || arrival.provenance.age_ms < entry->ttl_ms);
    }
    return arrival.record.shared && !arrival.record.shared->is_deleted;
}

bool Store::Impl::ends_what_lives(const HeldStream& held, const Record& record) const {
    const HeldRecord* former = is_keyed(record) ? index.find(record) : nullptr;
    return former != nullptr && !is_dead(*former) && record.header.counter > held.floor &&
           is_newer(record.header, former->record.header);
}

ApplyResult Store::Impl::refuse(std::uint64_t StoreCounts::*reason) {
    ++(counts.*reason);
    return {Applied::Refused, nullptr};
}

ApplyResult Store::Impl::apply(Arrival arrival) {
    const RecordHeader& header = arrival.record.header;
    const bool is_own = header.author == options.self;
    if (is_own) {
        // As late as others take it: refused here, it would stand there for ever.
        clock = std::max(clock, header.clock);
    }
    if (is_own_current(header.stream)) {
        if (!is_own) {
            return refuse(&StoreCounts::foreign_stream);
        }
        if (header.counter > written_in(header.stream)) {
            is_overtaken = true;
            return refuse(&StoreCounts::own_stream);
        }
        return {Applied::Duplicate, nullptr};
    }
    if (const HeldStream* held = streams.find(header.stream)) {
        if (held->author != header.author || held->use != stream_use(header.kind)) {
            return refuse(&StoreCounts::foreign_stream);
        }
        // Held without being covered: its interval was forgotten for want of room.
        if (held->covered.contains(header.counter) || held->live.contains(header.counter)) {
            streams.cover(header.stream, arrival.covers());
            return {Applied::Duplicate, nullptr};
        }
        // What was purged here is at or below the floor. An entry past its ttl may be among it,
        // which a disk set back has young again.
        const bool may_be_purged = header.counter <= held->floor && arrival.record.registry &&
                                   arrival.record.registry->ttl_ms != 0;
        if (held->doubted.contains(header.counter) &&
            (is_living(arrival) ? may_be_purged : !ends_what_lives(*held, arrival.record))) {
            return stale(arrival);
        }
    } else if (const Grave* grave = streams.grave(header.stream);
               grave != nullptr && grave->counters.contains(header.counter)) {
        return {Applied::Stale, nullptr};
    }
    switch (header.kind) {
        case RecordKind::Node:
            return apply_node(std::move(arrival));
        case RecordKind::State:
            return apply_state(std::move(arrival));
        case RecordKind::Alert:
            return apply_alert(std::move(arrival));
        case RecordKind::Registry:
        case RecordKind::Shared:
            return apply_keyed(std::move(arrival));
    }
    return apply_opaque(std::move(arrival));
}

ApplyResult Store::Impl::stale(const Arrival& arrival) {
    const RecordHeader& header = arrival.record.header;
    if (unheld.contains(header.stream)) {
        return {Applied::Stale, nullptr};
    }
    if (is_keyed(arrival.record) && streams.find(header.stream) == nullptr) {
        open_keyed(header.stream, header.author);
    }
    if (streams.find(header.stream) != nullptr) {
        if (is_keyed(arrival.record)) {
            streams.set_keyed(header.stream);
        }
        streams.cover(header.stream, arrival.covers());
    } else {
        streams.bury_counters(arrival.now, header.stream, stream_use(header.kind),
                              arrival.covers());
    }
    return {Applied::Stale, nullptr};
}

const HeldRecord* Store::Impl::admit(Arrival arrival) {
    const RecordHeader header = arrival.record.header;
    const StreamUse use = stream_use(header.kind);
    Author* author = authors.find(header.author);
    if (author == nullptr && authors.size() >= limits::kNodesMax) {
        ++counts.nodes_full;
        return nullptr;
    }
    if (streams.find(header.stream) == nullptr) {
        // A node record makes room among its author's streams, so that it always enters.
        const bool is_unsettled_surplus = header.kind == RecordKind::State && author != nullptr &&
                                          author->volatile_streams.size() >= kVolatileStreamsMax;
        if (streams.is_full() || is_unsettled_surplus) {
            ++counts.streams_full;
            return nullptr;
        }
        streams.open(header.stream, header.author, use);
        if (author == nullptr) {
            author = authors.try_emplace(header.author).first;
        }
        (use == StreamUse::Volatile ? author->volatile_streams : author->durable_streams)
            .insert(header.stream);
    }
    streams.cover(header.stream, arrival.covers());
    HeldRecord incoming{std::move(arrival.record), std::move(arrival.provenance), arrival.now};
    incoming.set_covers_after(arrival.covers_after);
    incoming.is_restored = arrival.is_restored;
    incoming.is_on_disk = arrival.is_restored;
    if (header.kind == RecordKind::Alert) {
        incoming.arrival = arrival.arrival != 0 ? arrival.arrival : next_arrival();
    }
    return &streams.hold(std::move(incoming));
}

ApplyResult Store::Impl::apply_node(Arrival arrival) {
    const RecordHeader header = arrival.record.header;
    const TimePoint now = arrival.now;
    const Author* author = find(header.author);
    const HeldRecord* former = author == nullptr ? nullptr : author->node;
    if (header.author == options.self) {
        // Of a former start of ours: never held, but one that beats ours must be written past.
        if (former != nullptr && is_newer_start(header, former->record.header)) {
            is_outdated = true;
            if (!claimed || is_newer(header, claimed->first)) {
                claimed.emplace(header, *arrival.record.node);
            }
        }
        return stale(arrival);
    }
    if (former != nullptr && !is_newer(header, former->record.header)) {
        return stale(arrival);
    }
    const HeldRecord* held = admit(std::move(arrival));
    if (held == nullptr) {
        return {Applied::Refused, nullptr};
    }
    authors.find(header.author)->node = held;
    std::optional<StreamId> former_durable;
    if (former != nullptr) {
        former_durable = former->record.node->durable_stream;
        streams.drop(former->record.header.stream, former->record.header.counter);
    }
    retire_older_streams(now, *held);
    drop_below_floors(now, *held);
    if (former_durable) {
        bury_if_done(now, header.author, *former_durable);
    }
    return {Applied::New, held};
}

ApplyResult Store::Impl::apply_state(Arrival arrival) {
    const RecordHeader header = arrival.record.header;
    const Author* author = find(header.author);
    const HeldRecord* node = author == nullptr ? nullptr : author->node;
    if (header.author == options.self) {
        is_outdated |= node != nullptr && is_newer_start(header, node->record.header);
        return stale(arrival);
    }
    if (node != nullptr && node->record.header.stream != header.stream &&
        !is_newer_start(header, node->record.header)) {
        return stale(arrival);
    }
    const HeldRecord* former = state_in(header.stream);
    if (former != nullptr && !is_newer(header, former->record.header)) {
        return stale(arrival);
    }
    const std::size_t former_bytes = former == nullptr ? 0 : former->record.bytes.size();
    if (streams.state_bytes() - former_bytes + arrival.record.bytes.size() > kStateBytesMax) {
        return refuse(&StoreCounts::states_full);
    }
    const HeldRecord* held = admit(std::move(arrival));
    if (held == nullptr) {
        return {Applied::Refused, nullptr};
    }
    if (former != nullptr) {
        streams.drop(header.stream, former->record.header.counter);
    }
    return {Applied::New, held};
}

ApplyResult Store::Impl::apply_alert(Arrival arrival) {
    const RecordHeader header = arrival.record.header;
    const TimePoint now = arrival.now;
    const bool critical = is_critical(*arrival.record.alert);
    const Author* author = find(header.author);
    const bool is_gone = author != nullptr && author->node != nullptr &&
                         is_below_floor(*author->node->record.node, arrival.record);
    if (is_gone || arrival.provenance.age_ms >= alert_age_ms_max(*arrival.record.alert)) {
        return stale(arrival);
    }
    // Alerts are bounded by themselves: a memory that is full of entries, which one member can
    // bring about, must stop none.
    make_room(now, arrival.record.bytes.size() + kRecordOverhead, header.stream);
    if (unheld.contains(header.stream)) {
        return refuse(&StoreCounts::no_room);
    }
    const HeldRecord* held = admit(std::move(arrival));
    if (held == nullptr) {
        return {Applied::Refused, nullptr};
    }
    shelf.add(*held);
    if (header.author == options.self && !held->record.alert->dedupe_key.empty()) {
        own_dedupe.insert_or_assign(held->record.alert->dedupe_key, place_of(header));
    }
    drop_over_quota(now, header.author, critical);
    drop_over_bytes(now);
    // It may itself have been the oldest.
    held = streams.find(header.stream, header.counter);
    return {held == nullptr ? Applied::Stale : Applied::New, held};
}

ApplyResult Store::Impl::apply_opaque(Arrival arrival) {
    const std::size_t size = arrival.record.bytes.size();
    if (unheld.contains(arrival.record.header.stream)) {
        return refuse(&StoreCounts::no_room);
    }
    if (opaque_records >= kOpaqueRecordsMax || opaque_bytes + size > kOpaqueBytesMax) {
        return refuse(&StoreCounts::opaque_full);
    }
    const HeldRecord* held = admit(std::move(arrival));
    if (held == nullptr) {
        return {Applied::Refused, nullptr};
    }
    ++opaque_records;
    opaque_bytes += size;
    return {Applied::New, held};
}

ApplyResult Store::Impl::apply_keyed(Arrival arrival) {
    const RecordHeader header = arrival.record.header;
    if (const RegistryKey* entry = arrival.record.registry.get()) {
        // An expired entry counts by its key and version only.
        const bool is_past = entry->ttl_ms != 0 && arrival.provenance.age_ms >= entry->ttl_ms;
        const bool has_body = !record_body(arrival.record.bytes).empty();
        if (entry->dimension != 0 && !has_body && !is_past) {
            return refuse(&StoreCounts::malformed);
        }
        if (has_body && is_past) {
            arrival.record.bytes = SharedBytes(without_body(arrival.record.bytes));
        }
    }
    const HeldRecord* former = index.find(arrival.record);
    if (former != nullptr &&
        is_newer(header, former->record.header) == is_mutant(CoreMutant::AcceptOlder)) {
        return stale(arrival);
    }
    // What makes room by its coming needs none: else a full store could not be emptied.
    const std::size_t size = arrival.record.bytes.size() + kRecordOverhead;
    const std::size_t replaced =
        former == nullptr ? 0 : former->record.bytes.size() + kRecordOverhead;
    const std::size_t records_before = streams.records();
    if (!make_room(arrival.now, size - std::min(size, replaced), header.stream)) {
        if (!unheld.contains(header.stream) && refused_records < kRefusedMax) {
            // With what is dead below it: each would be a gap that is asked for.
            refused[header.stream].insert(arrival.covers(), limits::kCounterMax);
            ++refused_records;
        }
        return refuse(&StoreCounts::no_room);
    }
    if (streams.records() != records_before) {
        former = index.find(arrival.record);  // making room may have dropped it
    }
    const bool is_stub = arrival.record.registry && arrival.record.registry->ttl_ms != 0 &&
                         arrival.provenance.age_ms >= arrival.record.registry->ttl_ms;
    const HeldRecord* held = admit(std::move(arrival));
    if (held == nullptr) {
        return {Applied::Refused, nullptr};
    }
    streams.set_keyed(header.stream);
    if (former != nullptr) {
        remove_keyed(*former);
    }
    if (is_stub) {
        streams.set_stub(header.stream, header.counter);
    }
    index.add(*held);
    if (header.author == options.self) {
        own_entries_from.erase(header.stream);  // one of a former start came back
    }
    return {Applied::New, held};
}

}  // namespace meshd
