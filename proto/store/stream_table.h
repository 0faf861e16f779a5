// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/base/table.h"
#include "proto/store/place_set.h"
#include "proto/store/store.h"

namespace meshd {

/// What a stream carries: node and state records, or all others. The first record decides.
enum class StreamUse { Volatile, Durable };
StreamUse stream_use(RecordKind kind);

/// A stream in the store: what it covers, and its live records by counter.
struct HeldStream {
    NodeId author;
    StreamUse use = StreamUse::Volatile;
    /// It carries or carried registry or shared records: its coverage is kept when it is empty, so
    /// that nobody who was away brings back what is dead.
    bool is_keyed = false;
    /// Highest counter whose tombstone or stub was purged; 0 = none. See store.h (7).
    std::uint64_t floor = 0;
    IntervalSet covered;
    /// Uncovered again because somebody holds them: a live entry or member comes back, and a
    /// tombstone where it ends what lives here; else what is dead by now, or an alert dropped here,
    /// stays so.
    IntervalSet doubted;
    std::map<std::uint64_t, HeldRecord> live;
    mutable std::uint64_t part = 0;  ///< in the hashes, as computed last

    bool is_in_digest() const { return !live.empty() || is_keyed; }
    /// At most `intervals_max`, the highest.
    StreamIntervals intervals(StreamId stream, std::size_t intervals_max = SIZE_MAX) const;
};

/// What remains of a stream that left: what it covered, and what came of it since.
struct Grave {
    StreamUse use = StreamUse::Volatile;
    IntervalSet counters;
    TimePoint until;
};

/// What changed since it was last written to disk, in order.
struct Unwritten {
    PlaceSet records;
    std::set<StreamId> streams;
};

/// All streams with their records, the digest hashes over them, the graves of streams that left,
/// and what of the durable ones is not on disk yet. Knows nothing of what supersedes what.
///
/// Invariant: the hashes are those of the streams that are in the digest (live records, or keyed),
/// whenever they are asked for. That costs one hash over the intervals of each stream changed
/// since. Records keep their address while they live.
class StreamTable {
  public:
    /// Intervals of all streams up to which those at or below floors are kept, 16 MiB. There is one
    /// for each live record that is still to come, so that only a hostile member makes more.
    static constexpr std::size_t kFloorIntervalsMax = std::size_t{1} << 20;

    /// `table_key`: Table's.
    explicit StreamTable(std::uint64_t table_key = 0) : streams_(table_key) {}

    /// Null where the stream is not held.
    const HeldStream* find(StreamId stream) const;
    const HeldRecord* find(StreamId stream, std::uint64_t counter) const;
    const Table<StreamId, HeldStream>& all() const { return streams_; }
    bool is_full() const { return streams_.size() >= limits::kStreamsMax; }

    /// Takes a stream in that is not held yet; the table must not be full. A durable one comes back
    /// from its grave with what it covered. A volatile one starts empty: what its grave knew as
    /// dead was dead only as long as another stream was the newer.
    void open(StreamId stream, const NodeId& author, StreamUse use);
    /// The stream must be held, and the counter free.
    const HeldRecord& hold(HeldRecord&& record);
    void drop(StreamId stream, std::uint64_t counter);
    /// Makes a live entry a stub: its bytes go on without their body.
    void set_stub(StreamId stream, std::uint64_t counter);
    /// Sets age and arrival of a live record.
    void set_age(StreamId stream, std::uint64_t counter, std::uint64_t age_ms, TimePoint arrived);
    /// Path and so on are only for passing the record on.
    void forget_path(StreamId stream, std::uint64_t counter);
    /// From now on there may be a row of the live record.
    void set_on_disk(StreamId stream, std::uint64_t counter);
    /// The stream must be held. What begins at or below its floor, or below `floor` that is to
    /// come, is not forgotten: with it would go what is dead by it.
    void cover(StreamId stream, Interval interval, std::uint64_t floor = 0);
    /// Takes coverage back, so that the counter is fetched again. The stream must be held.
    void uncover(StreamId stream, Interval interval);
    /// Marks the stream as keyed. It must be held.
    void set_keyed(StreamId stream);
    /// Raises the floor of a keyed stream; it never falls. The stream must be held.
    void raise_floor(StreamId stream, std::uint64_t floor);
    /// Removes the stream with its records; its grave keeps what it covered until
    /// now + Store::kGraveTime. The stream must be held.
    void bury(TimePoint now, StreamId stream);
    /// Removes the stream with its records and its coverage, without a grave. It must be held.
    void forget(StreamId stream);
    /// The empty keyed stream of the lowest id but `spared`, where there are more than
    /// limits::kClosedStreamsMax: all nodes forget in the same order, else they would fetch them
    /// from each other for ever.
    std::optional<StreamId> surplus_closed(StreamId spared) const;

    /// Null where the stream is held, or has no grave.
    const Grave* grave(StreamId stream) const;
    /// Notes counters of a stream that is not held, so that they are not fetched again.
    void bury_counters(TimePoint now, StreamId stream, StreamUse use, Interval interval);
    /// Forgets the stream's grave, where it has one.
    void unbury(StreamId stream);
    void expire_graves(TimePoint now);
    std::optional<TimePoint> next_grave_expiry() const;

    const DigestHashes& hashes() const;
    /// Coverage hash of each bucket; hashes().coverage is all of them together.
    const BucketHashes& buckets() const;
    Unwritten& unwritten() { return unwritten_; }
    const Unwritten& unwritten() const { return unwritten_; }
    std::size_t records() const { return records_; }
    std::size_t bytes() const { return bytes_; }
    /// Of state records alone.
    std::size_t state_bytes() const { return state_bytes_; }
    /// How often an interval came beyond kFloorIntervalsMax.
    std::uint64_t intervals_full() const { return intervals_full_; }

  private:
    Grave& dig(TimePoint now, StreamId stream, StreamUse use);
    void close(std::map<StreamId, Grave>::iterator grave);
    /// The stream's part in the hashes is computed anew when they are asked for: a late joiner
    /// changes one stream a hundred thousand times between two heartbeats.
    void touch(StreamId stream);
    void set_part(StreamId stream, const HeldStream& held, std::uint64_t part) const;
    void settle_hashes() const;
    void mark(StreamId stream, const HeldStream& held);
    void update_closed(StreamId stream, HeldStream& held);

    Table<StreamId, HeldStream> streams_;
    std::set<StreamId> closed_;  ///< keyed and empty
    mutable BucketHashes buckets_{};
    Unwritten unwritten_;
    std::map<StreamId, Grave> graves_;
    std::set<std::pair<TimePoint, StreamId>> grave_ends_;
    mutable std::set<StreamId> touched_;  ///< since the hashes were asked for
    mutable StreamId touched_last_{};
    mutable DigestHashes hashes_;
    std::size_t records_ = 0;
    std::size_t bytes_ = 0;
    std::size_t state_bytes_ = 0;
    std::size_t intervals_ = 0;  ///< of coverage, in all streams
    std::uint64_t intervals_full_ = 0;
};

/// One stream's part in the coverage hash: first 8 bytes of BLAKE2b-256 over u64 stream, u8 length
/// and text of the author, and u64 first, u64 last of each interval, big-endian.
std::uint64_t coverage_hash(StreamId stream, const NodeId& author, const IntervalSet& covered);

}  // namespace meshd
