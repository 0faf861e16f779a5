// SPDX-License-Identifier: Apache-2.0
/// \file
/// The replicated store, in memory (PROTOCOL.md, "Records", "Store rules", "Digest and repair").
///
/// What a store holds is a function of the *set* of records it was ever given, not of their order;
/// this is why any exchange in any order ends in equal stores. Invariants:
/// (1) A counter that a stream covers is held here, or its record is superseded by one that is
///     held, or expired, deleted, below its author's floor or beyond its author's quota. It is
///     never applied again. (Known gap: a push or an answer may cover a superseded record before
///     the one that supersedes it has come. That one is uncovered then, and a pull brings it,
///     unless everybody who had it is gone; or a census, where what it ends lives here.)
/// (2) Per node one node record is held, the newest by (clock, stream, counter). Its stream is the
///     node's volatile stream. Of state records, the newest of the volatile stream is held, and the
///     newest of each other stream where it is newer than the node record: its own node record is
///     then still on its way. A node's state is the newest of these.
/// (3) All other volatile streams of a node leave data and digest at once. A durable stream stays
///     while it has live records, or is keyed (6), and its coverage while its node's record names
///     it.
/// (4) Only streams with live records, and keyed ones, are in the digest and its hashes, so that
///     nodes that expire a record at different moments agree again by themselves.
/// (5) A stream that left is remembered for an hour with the counters it covered (its *grave*).
///     They are not fetched again from peers that are behind. Counters beyond these are, so that a
///     clock that was set back, or a node that returns, is no special case.
/// (6) Per key of a registry or shared record, one record is held, the newest by (clock, stream,
///     counter): a value, a tombstone, or a stub (what remains of an entry past its ttl).
///     Tombstones and stubs stay Options::tombstone_time. A *keyed* stream, one that ever carried
///     such records, keeps its coverage when it is empty: whoever was away longer than tombstones
///     live learns from it which of his records are dead.
/// (7) A keyed stream's *floor* is f only where no record held here is dead by a tombstone or stub
///     of the stream at or below f: it rises when one is purged here, or, by a census, after all
///     keyed records were compared with those of a node whose floor it is. Whoever lacks coverage
///     at or below another's floor is *behind* it, and neither gives nor takes keyed records by
///     repair until it has compared: held here, absent there, covered there = dead. A floor comes
///     with the coverage of all that is dead by it, so that whoever compares with us learns it.
/// (8) Own current streams are written by the write_ functions only; a census may delete in them.
/// (9) What is not on disk yet is known by place (changes()). A batch that deletes rows or claims
///     coverage holds, or follows, all records that were there before it.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/interval_set.h"
#include "proto/store/record.h"
#include "proto/store/store_counts.h"
#include "proto/store/stored.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// Where a record is.
struct RecordPlace {
    StreamId stream;
    std::uint64_t counter = 0;
    friend auto operator<=>(const RecordPlace&, const RecordPlace&) = default;
};
inline RecordPlace place_of(const RecordHeader& header) {
    return {header.stream, header.counter};
}
/// The place that an alert's id names; nothing where it is none.
std::optional<RecordPlace> parse_alert_id(std::string_view id);
/// Order of records of one key: the newer one wins.
bool is_newer(const RecordHeader& a, const RecordHeader& b);

/// A record in the store, with when and how it came.
struct HeldRecord {
    Record record;
    Provenance provenance;  ///< at arrival: age, path (author first, the node before us last)
    TimePoint arrived;
    /// Counters just below its own that the record covers too: what was there is superseded by it.
    /// For its push. Fewer is always right, so that 32 bits do.
    std::uint32_t covers_below = 0;
    bool is_stub = false;      ///< an entry past its ttl: the body is gone
    bool is_restored = false;  ///< came from the disk: the time without power is yet to be added
    bool is_on_disk = false;  ///< there may be a row of it: it was taken to be written, or restored
    std::uint64_t arrival = 0;  ///< of an alert: place in the order of arrival; else 0
    /// Sets covers_below so that it covers what is after that counter.
    void set_covers_after(std::uint64_t counter) {
        covers_below = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(record.header.counter - 1 - counter, UINT32_MAX));
    }
    std::uint64_t covers_after() const { return record.header.counter - 1 - covers_below; }
    /// Age by elapsed local time, never by comparing wall clocks.
    std::uint64_t age_ms(TimePoint now) const;
    /// Time left for which the author wants delivery reports; 0 = none.
    std::uint32_t report_ms(TimePoint now) const;
};

enum class Applied {
    New,        ///< held now: tell subscribers, pass it on
    Duplicate,  ///< covered before
    Stale,    ///< a newer record of its key, or a newer start of its author, is known: covered now
              ///< where its stream still counts, not held
    Refused,  ///< malformed, a limit, or a stream claimed by others than its author: counted
};

struct ApplyResult {
    Applied outcome = Applied::Refused;
    /// Set for New; valid until the next call that changes the store.
    const HeldRecord* held = nullptr;
    /// Of the record; nowhere where it is malformed.
    RecordPlace place{};
};

class Store {
  public:
    /// Bytes of alert records in all; above it those that would expire first go.
    static constexpr std::size_t kAlertBytesMax = std::size_t{64} << 20;
    /// Bytes of node and state records of others together: 32 KiB for each node, were there so
    /// many.
    static constexpr std::size_t kVolatileBytesMax = std::size_t{64} << 20;
    /// Bytes of state records; what is over is refused. The rest is for node records, of which one
    /// of each node is held: these always enter.
    static constexpr std::size_t kStateBytesMax =
        kVolatileBytesMax - limits::kNodesMax * kNodeRecordBytesMax;
    /// Records of kinds that this build only passes on. They cannot be dropped without losing other
    /// nodes' data, so that what is over is refused.
    static constexpr std::size_t kOpaqueRecordsMax = 4096;
    static constexpr std::size_t kOpaqueBytesMax = std::size_t{8} << 20;
    /// Volatile streams of one node at once: its current one, and starts whose node record is still
    /// on its way.
    static constexpr std::size_t kVolatileStreamsMax = 4;
    /// How long a stream that left is remembered: longer than any peer stays behind.
    static constexpr Duration kGraveTime = std::chrono::hours(1);

    struct Options {
        NodeId self;
        StreamId volatile_stream;
        StreamId durable_stream;
        Duration tombstone_time = std::chrono::hours(24);
        std::size_t memory_max = std::size_t{1} << 30;  ///< for memory()
        std::uint32_t run = 1;                          ///< see Restored
        /// Not known outside, so that nobody can choose streams whose hashes collide.
        std::uint64_t table_key = 0;
    };
    explicit Store(Options options);
    /// Told of each live entry with an embedding as it comes, and before it goes or its age is set
    /// anew. Its bytes stay the same meanwhile. Before anything else.
    void watch_embeddings(std::function<void(const HeldRecord&, bool is_added)> watcher);
    /// What the disk remembered, before anything else. Records that cannot be read, or that a later
    /// write has superseded, are left out, and deleted there.
    void restore(TimePoint now, Restored restored);
    Store(Store&&) noexcept;
    Store& operator=(Store&&) noexcept;
    ~Store();

    // Local writes. Each returns the record as held, with the counter before it in covers_after.
    // Node and state replace the former one. The
    // content must keep the limits of a record (is_payload for documents): asserted.
    /// Sets streams and floors of `data` itself, sorts the links, and leaves out a link to itself
    /// and addresses beyond limits::kAddressesMax.
    const HeldRecord& write_node(Now now, NodeData data);
    const HeldRecord& write_state(Now now, const StateData& data);
    const HeldRecord& write_alert(Now now, const AlertData& data, std::uint32_t report_ms);
    /// Puts an own entry or writes an own tombstone. `embedding`: data.dimension fp16 values.
    const HeldRecord& write_entry(Now now, const RegistryData& data, Bytes embedding);
    const HeldRecord& write_shared(Now now, const SharedData& data);
    /// Deletes the own entry that is oldest, where there are more than `entries_max`: its
    /// tombstone, else null.
    const HeldRecord* delete_own_surplus(Now now, std::size_t entries_max);
    /// Counters from after the result up to the record's own are all covered here, with no other
    /// live record among them: what a push of that record may say it covers.
    std::uint64_t covers_after(const RecordHeader& header) const;
    /// Lowest live counters of the own durable stream: of alerts that are not critical, and of
    /// critical ones. write_node publishes them.
    std::pair<std::uint64_t, std::uint64_t> own_alert_floors() const;

    /// A record from a peer, by push. `covers_after` is below its counter.
    ApplyResult apply(TimePoint now, Bytes record, std::uint64_t covers_after,
                      const Provenance& provenance);
    /// The intervals of a delta, after all its records were applied and none refused. Intervals of
    /// streams that a newer start has retired, of own streams and of forgotten nodes are ignored.
    void cover(const StreamIntervals& stream);
    /// Called after each record of a delta, with its kind; kOtherKind where it is malformed.
    using Told = std::function<void(const DeltaRecord&, const ApplyResult&, RecordKind)>;
    /// A delta from a peer: its records, then its intervals without the counters of those refused.
    /// Without `takes_keyed`, what it has of registry and shared state is left out.
    void apply_delta(TimePoint now, const Delta& delta, const Told& told, bool takes_keyed = true);

    const DigestHashes& hashes() const;
    const BucketHashes& bucket_hashes() const;
    /// Streams of the buckets whose hashes differ; of all where there are no hashes. With the
    /// buckets, as in Digest.
    std::pair<std::uint32_t, std::vector<StreamIntervals>> digest(
        const std::optional<BucketHashes>& theirs) const;
    std::vector<StreamIntervals> digest() const { return digest(std::nullopt).second; }
    /// What `theirs` covers and we lack: own current streams never, nor what graves hold, nor
    /// streams for which there is no room.
    std::vector<StreamIntervals> missing(const std::vector<StreamIntervals>& theirs) const;
    /// True where we lack coverage at or below a floor of theirs. Also where we hold nothing that
    /// may be dead by it: with a floor, and without knowing what is dead, we would tell who comes
    /// after us that nothing of his is.
    bool is_behind(const std::vector<StreamIntervals>& theirs) const;
    /// True where they lack coverage at or below a floor of ours. `buckets`: as in Digest. A stream
    /// may be named several times, as in the parts of a census.
    bool is_ahead_of(const std::vector<StreamIntervals>& theirs, std::uint32_t buckets) const;

    /// All keyed streams with what is live of them.
    std::vector<CensusStream> census() const;
    /// A whole census: drops what is dead by it where `is_behind`, else uncovers what it has live
    /// and we lost: the result, to be fetched from there, since others may lack it as well. What is
    /// dropped is added to `dead`.
    std::vector<StreamIntervals> apply_census(const std::vector<CensusStream>& theirs,
                                              bool is_behind, std::vector<Record>& dead);
    /// After a census: its floors.
    void adopt_floors(const std::vector<StreamIntervals>& theirs);
    /// True where floors of others have become ours since the last call.
    bool take_adopted();
    /// Looks in a digest for more of our own current streams than we wrote.
    void check_own_streams(const std::vector<StreamIntervals>& theirs);
    /// Answers to a pull, each within limits::kDeltaBytesMax (a longer record goes alone) and
    /// kDeltaRecordsMax; at most `deltas_max` of them. Spans point into the store: encode before
    /// the next change.
    std::vector<Delta> deltas(TimePoint now, const Pull& pull, std::size_t deltas_max) const;

    /// Whether the version is held, or known to be superseded or dead.
    bool covers(StreamId stream, std::uint64_t counter) const;
    /// A live record by its place; null where there is none.
    const HeldRecord* record(StreamId stream, std::uint64_t counter) const;
    const HeldRecord* node_record(const NodeId& node) const;
    const HeldRecord* state_record(const NodeId& node) const;
    /// The live entry of a key: no tombstone, no stub. Null where there is none.
    const HeldRecord* entry(std::string_view hash, const NodeId& owner) const;
    /// The first live entry at or after (hash, owner), and the first behind it. Null at the end.
    const HeldRecord* entry_from(std::string_view hash, const NodeId& owner) const;
    const HeldRecord* entry_after(std::string_view hash, const NodeId& owner) const;
    std::optional<std::uint32_t> dimension(const std::string& type, const std::string& space) const;
    const HeldRecord* shared(std::string_view key) const;
    /// Live members by key.
    std::vector<const HeldRecord*> shared() const;
    /// The own alert of this key that is held; null where there is none.
    const HeldRecord* own_alert_of(std::string_view dedupe_key) const;
    /// Nodes of which a node record is held, rising.
    std::vector<NodeId> nodes() const;
    /// Their node records, in the same order. Valid until the next call that changes the store.
    std::vector<const HeldRecord*> node_records() const;
    /// The first `limit` alerts that arrived after that place, in order of arrival.
    std::vector<const HeldRecord*> alerts_after(std::uint64_t arrival, std::size_t limit) const;
    /// Visits the alerts newest first by clock, of those older than `before` where it is given,
    /// until `visit` says false.
    void newest_alerts(const HeldRecord* before,
                       const std::function<bool(const HeldRecord&)>& visit) const;

    /// Drops node and state of `node` (its durable records stay) and buries its streams for an
    /// hour, so that a peer that forgets later does not bring it back. A record that its author
    /// writes later does. Itself is not forgotten.
    void forget(TimePoint now, const NodeId& node);
    /// Takes back what forget() buried of a volatile stream: its records are fetched again.
    void unbury(StreamId stream);
    /// True of a volatile stream that left, as long as that is remembered.
    bool is_buried(StreamId stream) const;
    /// Looked at this often where streams are left out: once half of the room is free, they are
    /// fetched again.
    static constexpr Duration kRoomInterval = std::chrono::minutes(1);
    /// Nodes whose durable streams may be dropped for want of room, first to go first. Streams
    /// dropped of nodes that are not among them any more are fetched again.
    void set_expendable(std::vector<NodeId> nodes);
    /// Whether that much memory fits, if need be after dropping what is expendable.
    bool has_room(TimePoint now, std::size_t memory);
    /// What a record takes of memory besides its bytes: its parsed fields and its places in the
    /// tables. 447 for an entry of 1457 bytes (tests/bench/store_memory_bench).
    static constexpr std::size_t kRecordOverhead = 448;
    /// Streams dropped or refused for want of room: in neither data nor digest.
    std::size_t streams_unheld() const;

    /// What is to be written to disk: at most `records_max` records. What was deleted, and what is
    /// covered, comes in the batch that has the last of the records.
    struct Changes {
        std::vector<StoredRecord> records;
        std::vector<StoredStream> streams;
    };
    /// Those at `first` go first, whatever their number: somebody waits for them.
    Changes take_changes(TimePoint now, std::int64_t life_ms, std::size_t records_max,
                         const std::vector<RecordPlace>& first = {});
    /// Records and streams changed since they were last taken.
    std::size_t changes() const;
    /// They were not written after all.
    void put_back(const Changes& changes);
    /// The disk lost all.
    void all_changed();
    /// Nothing is ever written: there is no disk.
    void forget_changes();
    /// True where the record lives, and its latest form was taken to be written.
    bool is_written(RecordPlace place) const;
    /// Adds the time without power to the age of all that came from the disk: of the first
    /// kDuePerTurn at once, of the others in on_timeout; what is due by that ends. Rows stay as
    /// they are where the owner adds it to its life as well.
    void add_power_off(TimePoint now, std::uint64_t ms);

    /// The record's path is of no use any more once it was passed on.
    void forget_path(RecordPlace place);
    /// Keyed records that one on_timeout ends, and records whose age it sets; the rest is due at
    /// once.
    static constexpr std::size_t kDuePerTurn = 1000;
    /// Removes expired alerts, purges tombstones, cuts expired entries, ends old graves.
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    std::size_t records() const;
    std::size_t bytes() const;
    /// The bytes, and kRecordOverhead of each record.
    std::size_t memory() const;
    std::size_t entry_count() const;
    std::size_t shared_count() const;
    std::size_t tombstone_count() const;
    std::size_t alert_count() const;
    const StoreCounts& counts() const;
    /// Records refused for want of room for their node or stream.
    std::uint64_t streams_refused() const;
    /// Others claim more of an own stream than was written (a copy of this very process, or an
    /// impostor). The owner must then call reopen_streams, which clears it.
    bool own_stream_overtaken() const;
    /// Goes on in new streams, and writes the held own node and state records again in them: push
    /// node_record(self) and state_record(self). Alerts stay as a former start's.
    void reopen_streams(Now now, StreamId volatile_stream, StreamId durable_stream);
    /// Others hold a node or state record of a former start of this node with a later clock (this
    /// box's clock was set back), which wins over ours. The owner must then call
    /// rewrite_own_records, which clears it.
    bool own_records_outdated() const;
    /// The newest node record in the own name that was newer than the own one, since the own
    /// records were last written again; null where none was.
    const NodeData* own_name_claimed() const;
    /// Writes the held own node and state records again with a clock later than any seen of this
    /// node: push node_record(self) and state_record(self).
    void rewrite_own_records(Now now);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshd
