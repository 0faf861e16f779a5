// SPDX-License-Identifier: Apache-2.0
#include "proto/store/stream_table.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/base/hash.h"

namespace meshd {
namespace {

/// A record's part in the live hash. What holders drop at different moments stays out: alerts,
/// tombstones, entries with a ttl; and so do records that this build only passes on, since it
/// cannot tell which of them are live.
std::uint64_t live_hash(const Record& record) {
    const bool is_lasting =
        (record.registry && !record.registry->is_deleted && record.registry->ttl_ms == 0) ||
        (record.shared && !record.shared->is_deleted);
    return is_lasting || stream_use(record.header.kind) == StreamUse::Volatile ? record.hash : 0;
}

std::size_t state_size(const Record& record) {
    return record.state ? record.bytes.size() : 0;
}

}  // namespace

StreamUse stream_use(RecordKind kind) {
    return kind == RecordKind::Node || kind == RecordKind::State ? StreamUse::Volatile
                                                                 : StreamUse::Durable;
}

std::uint64_t coverage_hash(StreamId stream, const NodeId& author, const IntervalSet& covered) {
    Buffer bytes;
    bytes.reserve(9 + author.text().size() + 16 * covered.intervals().size());
    append_big_endian<8>(bytes, stream.value);
    append_big_endian<1>(bytes, author.text().size());
    append(bytes, author.text());
    for (const Interval& interval : covered.intervals()) {
        append_big_endian<8>(bytes, interval.first);
        append_big_endian<8>(bytes, interval.last);
    }
    return hash64(bytes);
}

const HeldStream* StreamTable::find(StreamId stream) const {
    return streams_.find(stream);
}

const HeldRecord* StreamTable::find(StreamId stream, std::uint64_t counter) const {
    const HeldStream* held = find(stream);
    if (held == nullptr) {
        return nullptr;
    }
    const auto found = held->live.find(counter);
    return found == held->live.end() ? nullptr : &found->second;
}

StreamIntervals HeldStream::intervals(StreamId stream, std::size_t intervals_max) const {
    const std::vector<Interval>& all = covered.intervals();
    const std::size_t told = std::min(all.size(), intervals_max);
    return {stream,
            author,
            {all.end() - static_cast<std::ptrdiff_t>(told), all.end()},
            is_keyed ? std::optional(floor) : std::optional<std::uint64_t>()};
}

void StreamTable::touch(StreamId stream) {
    if (stream != touched_last_) {
        touched_.insert(stream);
        touched_last_ = stream;
    }
}

void StreamTable::set_part(StreamId stream, const HeldStream& held, std::uint64_t part) const {
    hashes_.coverage ^= held.part ^ part;
    buckets_[digest_bucket(stream)] ^= held.part ^ part;
    held.part = part;
}

void StreamTable::settle_hashes() const {
    for (const StreamId stream : touched_) {
        if (const HeldStream* found = streams_.find(stream)) {
            const HeldStream& held = *found;
            set_part(stream, held,
                     held.is_in_digest() ? coverage_hash(stream, held.author, held.covered) : 0);
        }
    }
    touched_.clear();
    touched_last_ = {};
}

const DigestHashes& StreamTable::hashes() const {
    settle_hashes();
    return hashes_;
}

const BucketHashes& StreamTable::buckets() const {
    settle_hashes();
    return buckets_;
}

void StreamTable::mark(StreamId stream, const HeldStream& held) {
    if (held.use == StreamUse::Durable) {
        unwritten_.streams.insert(stream);
    }
}

void StreamTable::update_closed(StreamId stream, HeldStream& held) {
    if (held.is_keyed && held.live.empty()) {
        closed_.insert(stream);
    } else {
        closed_.erase(stream);
    }
}

std::optional<StreamId> StreamTable::surplus_closed(StreamId spared) const {
    if (closed_.size() <= limits::kClosedStreamsMax) {
        return std::nullopt;
    }
    return *closed_.begin() == spared ? *std::next(closed_.begin()) : *closed_.begin();
}

void StreamTable::open(StreamId stream, const NodeId& author, StreamUse use) {
    const auto [added, is_new] = streams_.try_emplace(stream);
    MESHD_ASSERT(is_new);
    added->author = author;
    added->use = use;
    const auto grave = graves_.find(stream);
    if (grave != graves_.end()) {
        if (use == StreamUse::Durable) {
            added->covered = grave->second.counters;
            intervals_ += added->covered.intervals().size();
        }
        close(grave);
    }
}

const HeldRecord& StreamTable::hold(HeldRecord&& record) {
    const RecordHeader& header = record.record.header;
    const StreamId stream = header.stream;
    const std::uint64_t counter = header.counter;
    HeldStream& held = *streams_.find(stream);
    ++records_;
    bytes_ += record.record.bytes.size();
    state_bytes_ += state_size(record.record);
    hashes_.live ^= live_hash(record.record);
    const std::size_t before = held.live.size();
    // Most are the last.
    const auto added = held.live.try_emplace(held.live.end(), counter, std::move(record));
    MESHD_ASSERT(held.live.size() == before + 1);
    touch(stream);
    update_closed(stream, held);
    mark(stream, held);
    if (held.use == StreamUse::Durable && !added->second.is_on_disk) {
        unwritten_.records.insert({stream, counter});
    }
    return added->second;
}

void StreamTable::set_stub(StreamId stream, std::uint64_t counter) {
    HeldRecord& held = streams_.find(stream)->live.at(counter);
    bytes_ -= held.record.bytes.size();
    held.record.bytes = SharedBytes(without_body(held.record.bytes));
    held.is_stub = true;
    bytes_ += held.record.bytes.size();
    unwritten_.records.insert({stream, counter});
}

void StreamTable::set_age(StreamId stream, std::uint64_t counter, std::uint64_t age_ms,
                          TimePoint arrived) {
    HeldRecord& held = streams_.find(stream)->live.at(counter);
    held.provenance.age_ms = age_ms;
    held.arrived = arrived;
}

void StreamTable::set_on_disk(StreamId stream, std::uint64_t counter) {
    streams_.find(stream)->live.at(counter).is_on_disk = true;
}

void StreamTable::forget_path(StreamId stream, std::uint64_t counter) {
    streams_.find(stream)->live.at(counter).provenance.path = {};
}

void StreamTable::drop(StreamId stream, std::uint64_t counter) {
    HeldStream& held = *streams_.find(stream);
    const auto found = held.live.find(counter);
    MESHD_ASSERT(found != held.live.end());
    --records_;
    bytes_ -= found->second.record.bytes.size();
    state_bytes_ -= state_size(found->second.record);
    hashes_.live ^= live_hash(found->second.record);
    const bool is_on_disk = found->second.is_on_disk;
    held.live.erase(found);
    touch(stream);
    update_closed(stream, held);
    // Its row is to go; what never had one leaves no trace.
    if (is_on_disk) {
        unwritten_.records.insert({stream, counter});
    } else {
        unwritten_.records.erase({stream, counter});
    }
}

void StreamTable::cover(StreamId stream, Interval interval, std::uint64_t floor) {
    HeldStream& held = *streams_.find(stream);
    if (held.covered.contains(interval)) {
        return;
    }
    const bool is_full = intervals_ >= kFloorIntervalsMax;
    intervals_full_ += is_full ? 1 : 0;
    intervals_ -= held.covered.intervals().size();
    held.covered.insert(interval, is_full ? 0 : std::max(held.floor, floor));
    intervals_ += held.covered.intervals().size();
    if (!held.doubted.intervals().empty()) {
        held.doubted.erase(interval);
    }
    touch(stream);
    mark(stream, held);
}

void StreamTable::uncover(StreamId stream, Interval interval) {
    HeldStream& held = *streams_.find(stream);
    intervals_ -= held.covered.intervals().size();
    held.covered.erase(interval, held.floor);
    intervals_ += held.covered.intervals().size();
    held.doubted.insert(interval);
    touch(stream);
    mark(stream, held);
}

void StreamTable::set_keyed(StreamId stream) {
    HeldStream& held = *streams_.find(stream);
    if (held.is_keyed) {
        return;
    }
    held.is_keyed = true;
    touch(stream);
    update_closed(stream, held);
    mark(stream, held);
}

void StreamTable::raise_floor(StreamId stream, std::uint64_t floor) {
    HeldStream& held = *streams_.find(stream);
    if (floor > held.floor) {
        held.floor = floor;
        mark(stream, held);
    }
}

void StreamTable::bury(TimePoint now, StreamId stream) {
    const HeldStream* found = streams_.find(stream);
    MESHD_ASSERT(found != nullptr);
    const StreamUse use = found->use;
    IntervalSet covered = found->covered;
    forget(stream);
    dig(now, stream, use).counters = std::move(covered);
}

void StreamTable::forget(StreamId stream) {
    HeldStream* found = streams_.find(stream);
    MESHD_ASSERT(found != nullptr);
    HeldStream& held = *found;
    while (!held.live.empty()) {
        drop(stream, held.live.begin()->first);
    }
    mark(stream, held);
    set_part(stream, held, 0);
    intervals_ -= held.covered.intervals().size();
    closed_.erase(stream);
    streams_.erase(stream);
}

const Grave* StreamTable::grave(StreamId stream) const {
    const auto found = graves_.find(stream);
    return found == graves_.end() ? nullptr : &found->second;
}

void StreamTable::bury_counters(TimePoint now, StreamId stream, StreamUse use, Interval interval) {
    MESHD_ASSERT(find(stream) == nullptr);
    const auto found = graves_.find(stream);
    (found == graves_.end() ? dig(now, stream, use) : found->second).counters.insert(interval);
}

Grave& StreamTable::dig(TimePoint now, StreamId stream, StreamUse use) {
    if (graves_.size() >= limits::kStreamsMax) {
        close(graves_.find(grave_ends_.begin()->second));
    }
    const TimePoint until = now + Store::kGraveTime;
    grave_ends_.emplace(until, stream);
    Grave& grave = graves_[stream];
    grave.use = use;
    grave.until = until;
    return grave;
}

void StreamTable::close(std::map<StreamId, Grave>::iterator grave) {
    grave_ends_.erase({grave->second.until, grave->first});
    graves_.erase(grave);
}

void StreamTable::unbury(StreamId stream) {
    if (const auto found = graves_.find(stream); found != graves_.end()) {
        close(found);
    }
}

void StreamTable::expire_graves(TimePoint now) {
    while (!grave_ends_.empty() && grave_ends_.begin()->first <= now) {
        close(graves_.find(grave_ends_.begin()->second));
    }
}

std::optional<TimePoint> StreamTable::next_grave_expiry() const {
    return grave_ends_.empty() ? std::nullopt : std::optional(grave_ends_.begin()->first);
}

}  // namespace meshd
