// SPDX-License-Identifier: Apache-2.0
#include "proto/store/store.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>
#include <utility>

#include "proto/base/assert.h"
#include "proto/store/store_impl.h"

namespace meshd {
namespace {

std::uint64_t elapsed_ms(TimePoint from, TimePoint to) {
    return to > from ? static_cast<std::uint64_t>(to_ms(to - from)) : 0;
}

}  // namespace

std::uint64_t HeldRecord::age_ms(TimePoint now) const {
    const std::uint64_t elapsed = elapsed_ms(arrived, now);
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - elapsed;
    return std::min(provenance.age_ms, room) + elapsed;
}

std::uint32_t HeldRecord::report_ms(TimePoint now) const {
    const std::uint64_t elapsed = elapsed_ms(arrived, now);
    return elapsed >= provenance.report_ms
               ? 0
               : provenance.report_ms - static_cast<std::uint32_t>(elapsed);
}

Store::Store(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

void Store::watch_embeddings(std::function<void(const HeldRecord&, bool is_added)> watcher) {
    impl_->index.watch_embeddings(std::move(watcher));
}

const Store::Impl::Author* Store::Impl::find(const NodeId& node) const {
    return authors.find(node);
}

const HeldRecord* Store::Impl::state_in(StreamId stream) const {
    const HeldStream* held = streams.find(stream);
    if (held != nullptr) {
        for (const auto& [counter, record] : held->live) {
            if (record.record.state) {
                return &record;
            }
        }
    }
    return nullptr;
}

RecordHeader Store::Impl::next_header(Now now, RecordKind kind, const HeldRecord* former) {
    const bool is_volatile = stream_use(kind) == StreamUse::Volatile;
    clock = next_hybrid_time(now.wall, clock);
    // Past what the key carries, but for this key only: a box whose clock is years ahead must not
    // carry the others' clocks away.
    const HybridTime time =
        former == nullptr
            ? clock
            : std::max(clock, next_hybrid_time(now.wall, former->record.header.clock));
    return {kind, options.self, is_volatile ? options.volatile_stream : options.durable_stream,
            is_volatile ? ++volatile_counter : ++durable_counter, time};
}

const HeldRecord& Store::Impl::write(Now now, RecordKind kind, const Buffer& bytes,
                                     std::uint32_t report_ms) {
    // Decoding proves that others will accept it.
    std::optional<Record> record = decode_record(bytes);
    MESHD_ASSERT(record && record->header.kind == kind);
    const RecordHeader header = record->header;
    const StreamUse use = stream_use(kind);
    Author& author = authors[options.self];
    if (streams.find(header.stream) == nullptr) {
        // Own streams always have room: the limit is against others.
        streams.open(header.stream, header.author, use);
        (use == StreamUse::Volatile ? author.volatile_streams : author.durable_streams)
            .insert(header.stream);
    }
    if (is_keyed(*record)) {
        streams.set_keyed(header.stream);
        if (const HeldRecord* former = index.find(*record)) {
            remove_keyed(*former);
        }
    }
    const HeldRecord* former = kind == RecordKind::Node    ? author.node
                               : kind == RecordKind::State ? state_in(header.stream)
                                                           : nullptr;
    if (former != nullptr) {
        streams.drop(header.stream, former->record.header.counter);
    }
    // All that was written since the last live record is superseded by this one.
    const auto& live = streams.find(header.stream)->live;
    const std::uint64_t covers_after = live.empty() ? 0 : live.rbegin()->first;
    streams.cover(header.stream, {header.counter, header.counter});
    HeldRecord incoming{std::move(*record), Provenance{0, {}, report_ms}, now.monotonic};
    incoming.set_covers_after(std::max(covers_after, streams.find(header.stream)->floor));
    if (kind == RecordKind::Alert) {
        incoming.arrival = next_arrival();
    }
    const HeldRecord& held = streams.hold(std::move(incoming));
    if (kind == RecordKind::Node) {
        author.node = &held;
    } else if (is_keyed(held.record)) {
        index.add(held);
    }
    return held;
}

const HeldRecord& Store::write_node(Now now, NodeData data) {
    data.volatile_stream = impl_->options.volatile_stream;
    data.durable_stream = impl_->options.durable_stream;
    std::tie(data.alert_floor, data.critical_floor) = own_alert_floors();
    std::erase_if(data.links,
                  [&](const LinkClaim& link) { return link.peer == impl_->options.self; });
    std::sort(data.links.begin(), data.links.end());
    if (data.addresses.size() > limits::kAddressesMax) {
        data.addresses.resize(limits::kAddressesMax);
    }
    return impl_->write(now, RecordKind::Node,
                        encode_node_record(impl_->next_header(now, RecordKind::Node), data), 0);
}

const HeldRecord& Store::write_state(Now now, const StateData& data) {
    return impl_->write(now, RecordKind::State,
                        encode_state_record(impl_->next_header(now, RecordKind::State), data), 0);
}

const HeldRecord& Store::write_alert(Now now, const AlertData& data, std::uint32_t report_ms) {
    const HeldRecord& held = impl_->write(
        now, RecordKind::Alert,
        encode_alert_record(impl_->next_header(now, RecordKind::Alert), data), report_ms);
    // Neither takes the alert just written: it is not on the shelf yet, then the newest there.
    impl_->drop_over_bytes(now.monotonic);
    impl_->shelf.add(held);
    impl_->drop_over_quota(now.monotonic, impl_->options.self, is_critical(data));
    if (!data.dedupe_key.empty()) {
        impl_->own_dedupe.insert_or_assign(data.dedupe_key, place_of(held));
    }
    return held;
}

const HeldRecord& Store::write_entry(Now now, const RegistryData& data, Bytes embedding) {
    const HeldRecord* former = impl_->index.find_entry(data.hash, data.owner);
    return impl_->write(now, RecordKind::Registry,
                        encode_registry_record(
                            impl_->next_header(now, RecordKind::Registry, former), data, embedding),
                        0);
}

const HeldRecord& Store::write_shared(Now now, const SharedData& data) {
    const HeldRecord* former = impl_->index.find_shared(data.key);
    return impl_->write(
        now, RecordKind::Shared,
        encode_shared_record(impl_->next_header(now, RecordKind::Shared, former), data), 0);
}

/// The oldest own live entry by clock. Each start's entries stand in a stream of their own, in
/// order; those at its beginning go first, so that the look begins where it last ended.
const HeldRecord* Store::Impl::oldest_own_entry() {
    const HeldRecord* oldest = nullptr;
    const Author* self = find(options.self);
    for (const StreamId stream : self == nullptr ? std::set<StreamId>() : self->durable_streams) {
        const auto& live = streams.find(stream)->live;
        auto at = live.lower_bound(own_entries_from[stream]);
        while (at != live.end() && (!at->second.record.registry || is_dead(at->second))) {
            ++at;
        }
        if (at == live.end()) {
            continue;
        }
        own_entries_from[stream] = at->first;
        if (oldest == nullptr || is_newer(oldest->record.header, at->second.record.header)) {
            oldest = &at->second;
        }
    }
    return oldest;
}

const HeldRecord* Store::delete_own_surplus(Now now, std::size_t entries_max) {
    const HeldRecord* oldest =
        impl_->index.own_entries() > entries_max ? impl_->oldest_own_entry() : nullptr;
    if (oldest == nullptr) {
        return nullptr;
    }
    RegistryData data;
    data.hash = oldest->record.registry->hash();
    data.owner = impl_->options.self;
    data.is_deleted = true;
    return &write_entry(now, data, {});
}

std::optional<RecordPlace> parse_alert_id(std::string_view id) {
    // Node ids may have dots: the last two parts are the place.
    const auto last = id.rfind('.');
    const auto before = last == std::string_view::npos || last == 0 ? std::string_view::npos
                                                                    : id.rfind('.', last - 1);
    if (before == std::string_view::npos) {
        return std::nullopt;
    }
    const auto stream = parse_hex(id.substr(before + 1, last - before - 1));
    RecordPlace place{StreamId{stream.value_or(0)}, 0};
    const std::string_view digits = id.substr(last + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), place.counter);
    return stream && error == std::errc() && end == digits.data() + digits.size()
               ? std::optional(place)
               : std::nullopt;
}

const HeldRecord* Store::record(StreamId stream, std::uint64_t counter) const {
    return impl_->streams.find(stream, counter);
}

std::uint64_t Store::covers_after(const RecordHeader& header) const {
    const HeldStream* stream = impl_->streams.find(header.stream);
    if (stream == nullptr || !stream->covered.contains(header.counter)) {
        return header.counter - 1;
    }
    const auto& intervals = stream->covered.intervals();
    const auto interval =
        std::find_if(intervals.begin(), intervals.end(),
                     [&](const Interval& candidate) { return header.counter <= candidate.last; });
    const auto at = stream->live.lower_bound(header.counter);
    const std::uint64_t live_before = at == stream->live.begin() ? 0 : std::prev(at)->first;
    // Never what is dead at or below the floor: whoever is behind it must compare first.
    return std::min(header.counter - 1,
                    std::max({interval->first - 1, live_before, stream->floor}));
}

std::pair<std::uint64_t, std::uint64_t> Store::own_alert_floors() const {
    const std::uint64_t next = impl_->durable_counter + 1;
    const StreamId stream = impl_->options.durable_stream;
    return {impl_->shelf.lowest(stream, false).value_or(next),
            impl_->shelf.lowest(stream, true).value_or(next)};
}

ApplyResult Store::apply(TimePoint now, Bytes record, std::uint64_t covers_after,
                         const Provenance& provenance) {
    std::optional<Record> decoded = decode_record(record);
    if (!decoded || covers_after >= decoded->header.counter) {
        return impl_->refuse(&StoreCounts::malformed);
    }
    const RecordPlace place = place_of(decoded->header);
    ApplyResult result = impl_->apply({now, std::move(*decoded), covers_after, provenance});
    result.place = place;
    return result;
}

const HeldRecord* Store::node_record(const NodeId& node) const {
    const Impl::Author* author = impl_->find(node);
    return author == nullptr ? nullptr : author->node;
}

const HeldRecord* Store::state_record(const NodeId& node) const {
    const HeldRecord* newest = nullptr;
    if (const Impl::Author* author = impl_->find(node)) {
        for (const StreamId stream : author->volatile_streams) {
            const HeldRecord* state = impl_->state_in(stream);
            if (state != nullptr &&
                (newest == nullptr || is_newer(state->record.header, newest->record.header))) {
                newest = state;
            }
        }
    }
    return newest;
}

const HeldRecord* Store::entry(std::string_view hash, const NodeId& owner) const {
    const HeldRecord* held = impl_->index.find_entry(hash, owner);
    return held == nullptr || is_dead(*held) ? nullptr : held;
}

const HeldRecord* Store::entry_from(std::string_view hash, const NodeId& owner) const {
    const HeldRecord* held = impl_->index.entry_from(hash, owner);
    return held == nullptr || !is_dead(*held)
               ? held
               : entry_after(held->record.registry->hash(), entry_owner(held->record));
}

const HeldRecord* Store::entry_after(std::string_view hash, const NodeId& owner) const {
    const HeldRecord* held = impl_->index.entry_after(hash, owner);
    while (held != nullptr && is_dead(*held)) {
        held = impl_->index.entry_after(held->record.registry->hash(), entry_owner(held->record));
    }
    return held;
}

std::optional<std::uint32_t> Store::dimension(const std::string& type,
                                              const std::string& space) const {
    return impl_->index.dimension(type, space);
}

const HeldRecord* Store::shared(std::string_view key) const {
    const HeldRecord* held = impl_->index.find_shared(key);
    return held == nullptr || is_dead(*held) ? nullptr : held;
}

std::vector<const HeldRecord*> Store::shared() const {
    std::vector<const HeldRecord*> members = impl_->index.all_shared();
    std::erase_if(members, [](const HeldRecord* held) { return is_dead(*held); });
    return members;
}

const HeldRecord* Store::own_alert_of(std::string_view dedupe_key) const {
    const auto found = impl_->own_dedupe.find(dedupe_key);
    return found == impl_->own_dedupe.end() ? nullptr
                                            : record(found->second.stream, found->second.counter);
}

std::vector<NodeId> Store::nodes() const {
    std::vector<NodeId> nodes;
    for (const auto& [node, author] : impl_->authors) {
        if (author.node != nullptr) {
            nodes.push_back(node);
        }
    }
    return nodes;
}

std::vector<const HeldRecord*> Store::node_records() const {
    std::vector<const HeldRecord*> records;
    records.reserve(impl_->authors.size());
    for (const auto& [node, author] : impl_->authors) {
        if (author.node != nullptr) {
            records.push_back(author.node);
        }
    }
    return records;
}

std::vector<const HeldRecord*> Store::alerts_after(std::uint64_t arrival, std::size_t limit) const {
    std::vector<const HeldRecord*> alerts;
    for (const RecordPlace& place : impl_->shelf.after(arrival, limit)) {
        alerts.push_back(impl_->streams.find(place.stream, place.counter));
    }
    return alerts;
}

void Store::newest_alerts(const HeldRecord* before,
                          const std::function<bool(const HeldRecord&)>& visit) const {
    impl_->shelf.newest(before, [&](const RecordPlace& place) {
        return visit(*impl_->streams.find(place.stream, place.counter));
    });
}

void Store::reopen_streams(Now now, StreamId volatile_stream, StreamId durable_stream) {
    const StreamId former_volatile = impl_->options.volatile_stream;
    const StreamId former_durable = impl_->options.durable_stream;
    const HeldRecord* node = node_record(impl_->options.self);
    const HeldRecord* state = impl_->state_in(former_volatile);
    const auto node_data =
        node == nullptr ? std::optional<NodeData>() : std::optional(*node->record.node);
    const auto state_data =
        state == nullptr ? std::optional<StateData>() : std::optional(*state->record.state);
    impl_->options.volatile_stream = volatile_stream;
    impl_->options.durable_stream = durable_stream;
    impl_->volatile_counter = 0;
    impl_->durable_counter = 0;
    impl_->is_overtaken = false;
    if (Impl::Author* self = impl_->authors.find(impl_->options.self)) {
        self->node = nullptr;
        if (impl_->streams.find(former_volatile) != nullptr) {
            impl_->retire_volatile(now.monotonic, impl_->options.self, former_volatile);
        }
        impl_->bury_if_done(now.monotonic, impl_->options.self, former_durable);
    }
    if (node_data) {
        write_node(now, *node_data);
    }
    if (state_data) {
        write_state(now, *state_data);
    }
}

void Store::rewrite_own_records(Now now) {
    impl_->is_outdated = false;
    impl_->claimed.reset();
    // Copies: writing drops what is written anew.
    if (const HeldRecord* node = node_record(impl_->options.self)) {
        write_node(now, NodeData(*node->record.node));
    }
    if (const HeldRecord* state = impl_->state_in(impl_->options.volatile_stream)) {
        write_state(now, StateData(*state->record.state));
    }
}

const DigestHashes& Store::hashes() const {
    return impl_->streams.hashes();
}
const BucketHashes& Store::bucket_hashes() const {
    return impl_->streams.buckets();
}
std::size_t Store::records() const {
    return impl_->streams.records();
}
std::size_t Store::bytes() const {
    return impl_->streams.bytes();
}
std::size_t Store::memory() const {
    return impl_->memory();
}
std::size_t Store::entry_count() const {
    return impl_->index.entries();
}
std::size_t Store::shared_count() const {
    return impl_->index.shared();
}
std::size_t Store::tombstone_count() const {
    return impl_->index.tombstones();
}
std::size_t Store::alert_count() const {
    return impl_->shelf.size();
}
const StoreCounts& Store::counts() const {
    impl_->counts.intervals_full = impl_->streams.intervals_full();
    return impl_->counts;
}
std::uint64_t Store::streams_refused() const {
    return impl_->counts.nodes_full + impl_->counts.streams_full;
}
bool Store::own_stream_overtaken() const {
    return impl_->is_overtaken;
}
const NodeData* Store::own_name_claimed() const {
    return impl_->claimed ? &impl_->claimed->second : nullptr;
}
bool Store::own_records_outdated() const {
    return impl_->is_outdated;
}

}  // namespace meshd
