// SPDX-License-Identifier: Apache-2.0
#include "proto/store/stream_table.h"

#include "proto/base/assert.h"
#include "proto/base/hash.h"

namespace meshd {
namespace {

/// A record's part in the live hash. Alerts stay out, since holders drop them at different moments,
/// and so do records that this build only passes on, since it cannot tell which of them are live.
std::uint64_t live_hash(const Record& record) {
    return stream_use(record.header.kind) == StreamUse::Volatile ? record.hash : 0;
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
    const auto found = streams_.find(stream);
    return found == streams_.end() ? nullptr : &found->second;
}

const HeldRecord* StreamTable::find(StreamId stream, std::uint64_t counter) const {
    const HeldStream* held = find(stream);
    if (held == nullptr) {
        return nullptr;
    }
    const auto found = held->live.find(counter);
    return found == held->live.end() ? nullptr : &found->second;
}

void StreamTable::toggle(StreamId stream, const HeldStream& held) {
    if (!held.live.empty()) {
        hashes_.coverage ^= coverage_hash(stream, held.author, held.covered);
    }
}

void StreamTable::open(StreamId stream, const NodeId& author, StreamUse use) {
    const auto [added, is_new] = streams_.try_emplace(stream);
    MESHD_ASSERT(is_new);
    added->second.author = author;
    added->second.use = use;
    const auto grave = graves_.find(stream);
    if (grave != graves_.end()) {
        if (use == StreamUse::Durable) {
            added->second.covered = grave->second.counters;
        }
        close(grave);
    }
}

const HeldRecord& StreamTable::hold(HeldRecord&& record) {
    const RecordHeader& header = record.record.header;
    const StreamId stream = header.stream;
    const std::uint64_t counter = header.counter;
    HeldStream& held = streams_.at(stream);
    toggle(stream, held);
    ++records_;
    bytes_ += record.record.bytes.size();
    state_bytes_ += state_size(record.record);
    hashes_.live ^= live_hash(record.record);
    const auto [added, is_new] = held.live.try_emplace(counter, std::move(record));
    MESHD_ASSERT(is_new);
    toggle(stream, held);
    return added->second;
}

void StreamTable::drop(StreamId stream, std::uint64_t counter) {
    HeldStream& held = streams_.at(stream);
    const auto found = held.live.find(counter);
    MESHD_ASSERT(found != held.live.end());
    toggle(stream, held);
    --records_;
    bytes_ -= found->second.record.bytes.size();
    state_bytes_ -= state_size(found->second.record);
    hashes_.live ^= live_hash(found->second.record);
    held.live.erase(found);
    toggle(stream, held);
}

void StreamTable::cover(StreamId stream, Interval interval) {
    HeldStream& held = streams_.at(stream);
    if (held.covered.contains(interval)) {
        return;
    }
    toggle(stream, held);
    held.covered.insert(interval);
    toggle(stream, held);
}

void StreamTable::bury(TimePoint now, StreamId stream) {
    const auto found = streams_.find(stream);
    MESHD_ASSERT(found != streams_.end());
    while (!found->second.live.empty()) {
        drop(stream, found->second.live.begin()->first);
    }
    dig(now, stream, found->second.use).counters = std::move(found->second.covered);
    streams_.erase(found);
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

void StreamTable::expire_graves(TimePoint now) {
    while (!grave_ends_.empty() && grave_ends_.begin()->first <= now) {
        close(graves_.find(grave_ends_.begin()->second));
    }
}

std::optional<TimePoint> StreamTable::next_grave_expiry() const {
    return grave_ends_.empty() ? std::nullopt : std::optional(grave_ends_.begin()->first);
}

}  // namespace meshd
