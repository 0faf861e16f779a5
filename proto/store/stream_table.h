// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/store/store.h"

namespace meshd {

/// What a stream carries: node and state records, or all others. The first record decides.
enum class StreamUse { Volatile, Durable };
StreamUse stream_use(RecordKind kind);

/// A stream in the store: what it covers, and its live records by counter.
struct HeldStream {
    NodeId author;
    StreamUse use = StreamUse::Volatile;
    IntervalSet covered;
    std::map<std::uint64_t, HeldRecord> live;
};

/// What remains of a stream that left: what it covered, and what came of it since.
struct Grave {
    StreamUse use = StreamUse::Volatile;
    IntervalSet counters;
    TimePoint until;
};

/// All streams with their records, the digest hashes over them, and the graves of streams that
/// left. Knows nothing of what supersedes what.
///
/// Invariant: the hashes are those of the streams with live records, after each call. Cost of a
/// change: one hash over the intervals of one stream. Records keep their address while they live.
class StreamTable {
  public:
    /// Null where the stream is not held.
    const HeldStream* find(StreamId stream) const;
    const HeldRecord* find(StreamId stream, std::uint64_t counter) const;
    const std::map<StreamId, HeldStream>& all() const { return streams_; }
    bool is_full() const { return streams_.size() >= limits::kStreamsMax; }

    /// Takes a stream in that is not held yet; the table must not be full. A durable one comes back
    /// from its grave with what it covered. A volatile one starts empty: what its grave knew as
    /// dead was dead only as long as another stream was the newer.
    void open(StreamId stream, const NodeId& author, StreamUse use);
    /// The stream must be held, and the counter free.
    const HeldRecord& hold(HeldRecord&& record);
    void drop(StreamId stream, std::uint64_t counter);
    /// The stream must be held.
    void cover(StreamId stream, Interval interval);
    /// Removes the stream with its records; its grave keeps what it covered until
    /// now + Store::kGraveTime. The stream must be held.
    void bury(TimePoint now, StreamId stream);

    /// Null where the stream is held, or has no grave.
    const Grave* grave(StreamId stream) const;
    /// Notes counters of a stream that is not held, so that they are not fetched again.
    void bury_counters(TimePoint now, StreamId stream, StreamUse use, Interval interval);
    void expire_graves(TimePoint now);
    std::optional<TimePoint> next_grave_expiry() const;

    const DigestHashes& hashes() const { return hashes_; }
    std::size_t records() const { return records_; }
    std::size_t bytes() const { return bytes_; }
    /// Of state records alone.
    std::size_t state_bytes() const { return state_bytes_; }

  private:
    Grave& dig(TimePoint now, StreamId stream, StreamUse use);
    void close(std::map<StreamId, Grave>::iterator grave);
    /// Adds the stream's part to the coverage hash, or takes it out again: call before and after.
    void toggle(StreamId stream, const HeldStream& held);

    std::map<StreamId, HeldStream> streams_;
    std::map<StreamId, Grave> graves_;
    std::set<std::pair<TimePoint, StreamId>> grave_ends_;
    DigestHashes hashes_;
    std::size_t records_ = 0;
    std::size_t bytes_ = 0;
    std::size_t state_bytes_ = 0;
};

/// One stream's part in the coverage hash: first 8 bytes of BLAKE2b-256 over u64 stream, u8 length
/// and text of the author, and u64 first, u64 last of each interval, big-endian.
std::uint64_t coverage_hash(StreamId stream, const NodeId& author, const IntervalSet& covered);

}  // namespace meshd
