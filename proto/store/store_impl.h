// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

#include "proto/base/table.h"
#include "proto/store/alert_shelf.h"
#include "proto/store/keyed_index.h"
#include "proto/store/store.h"
#include "proto/store/stream_table.h"

namespace meshd {

/// The store's private part: own writes in store.cpp, records from others in store_apply.cpp, what
/// leaves in store_retire.cpp and for want of room in store_room.cpp, digests and deltas in
/// store_reconcile.cpp, floors and the census in store_census.cpp, the disk in store_disk.cpp.
struct Store::Impl {
    /// Records remembered as refused for want of room, 1 MiB; more are asked for again and again.
    static constexpr std::size_t kRefusedMax = std::size_t{1} << 16;
    struct Author {
        const HeldRecord* node = nullptr;
        std::set<StreamId> volatile_streams;
        std::set<StreamId> durable_streams;
        bool is_empty() const { return volatile_streams.empty() && durable_streams.empty(); }
    };
    /// One record on its way in.
    struct Arrival {
        TimePoint now;
        Record record;
        std::uint64_t covers_after = 0;
        Provenance provenance;
        std::uint64_t arrival = 0;  ///< of a restored alert
        bool is_restored = false;
        Interval covers() const { return {covers_after + 1, record.header.counter}; }
    };

    /// Time without power that is being added to the ages of restored records.
    struct PowerOff {
        TimePoint since;
        std::uint64_t ms = 0;
        std::optional<RecordPlace> done{};  ///< records up to it have it already
    };

    explicit Impl(Options options_given)
        : options(std::move(options_given)),
          streams(options.table_key),
          index(options.self, options.tombstone_time) {}

    bool is_own_current(StreamId stream) const {
        return stream == options.volatile_stream || stream == options.durable_stream;
    }
    /// Counter of the last record written in a current own stream.
    std::uint64_t written_in(StreamId stream) const {
        return stream == options.volatile_stream ? volatile_counter : durable_counter;
    }
    const Author* find(const NodeId& node) const;
    const HeldRecord* state_in(StreamId stream) const;

    // Own writes.
    const HeldRecord& write(Now now, RecordKind kind, const Buffer& bytes, std::uint32_t report_ms);
    /// `former`: the record of the same key; its clock is passed.
    RecordHeader next_header(Now now, RecordKind kind, const HeldRecord* former = nullptr);
    const HeldRecord* oldest_own_entry();
    std::uint64_t next_arrival() { return (std::uint64_t{options.run} << 40) + ++arrivals; }

    // Records from others.
    ApplyResult apply(Arrival arrival);
    ApplyResult apply_node(Arrival arrival);
    ApplyResult apply_state(Arrival arrival);
    ApplyResult apply_alert(Arrival arrival);
    ApplyResult apply_opaque(Arrival arrival);
    ApplyResult apply_keyed(Arrival arrival);
    /// Holds the record of a stream that may be new. Null where there is no room: counted.
    const HeldRecord* admit(Arrival arrival);
    /// A live entry or member of the shared state.
    static bool is_living(const Arrival& arrival);
    /// Of a dead record in doubt: it wins over what lives here, and was not purged here.
    bool ends_what_lives(const HeldStream& held, const Record& record) const;
    /// Notes that the record is known and not held.
    ApplyResult stale(const Arrival& arrival);
    ApplyResult refuse(std::uint64_t StoreCounts::*reason);

    // What leaves.
    void retire_volatile(TimePoint now, const NodeId& node, StreamId stream);
    void retire_older_streams(TimePoint now, const HeldRecord& node);
    void remove_alert(TimePoint now, RecordPlace place);
    void drop_over_quota(TimePoint now, const NodeId& author, bool is_critical);
    void drop_over_bytes(TimePoint now);
    void drop_below_floors(TimePoint now, const HeldRecord& node);
    /// Buries a durable stream that is empty and that no held node record names.
    void bury_if_done(TimePoint now, const NodeId& author, StreamId stream);
    void drop_if_empty(const NodeId& author);
    void remove_keyed(const HeldRecord& held);
    void on_due(RecordPlace place);
    void add_power_off(TimePoint now);
    /// The stream of others, opened where it is not held. False where there is no room for it, or
    /// it is another's.
    bool open_durable(StreamId stream, const NodeId& author);
    /// Opens an empty keyed stream for what is known of it. False where there is no room.
    bool open_keyed(StreamId stream, const NodeId& author);
    void forget_surplus_closed();
    /// False where so much more of others' durable records does not fit, whoever goes.
    bool make_room(TimePoint now, std::size_t wanted_memory, StreamId wanted);
    std::size_t memory() const { return streams.bytes() + streams.records() * kRecordOverhead; }
    void look_for_room(TimePoint now);
    void unhold(const NodeId& author, StreamId stream);
    StoredRecord stored(TimePoint now, std::int64_t life_ms, const HeldRecord& held);
    bool is_covered_to(StreamId stream, std::uint64_t floor) const;

    Options options;
    StreamTable streams;
    AlertShelf shelf;
    KeyedIndex index;
    Table<NodeId, Author> authors;
    std::uint64_t volatile_counter = 0;  ///< of the last own record
    std::uint64_t durable_counter = 0;
    HybridTime clock;  ///< latest seen of this node, in own writes and in what others hold
    std::uint64_t arrivals = 0;  ///< alerts that came, in this run
    /// Where the own entries of each stream begin, at the earliest.
    std::map<StreamId, std::uint64_t> own_entries_from;
    /// Own alerts by dedupe key.
    std::map<std::string, RecordPlace, std::less<>> own_dedupe;
    std::vector<NodeId> expendable;
    std::map<StreamId, NodeId> unheld;
    /// Others' records for which there was no room: not asked for again before an eighth is free.
    std::map<StreamId, IntervalSet> refused;
    std::size_t refused_records = 0;   ///< put in there
    std::optional<TimePoint> room_at;  ///< when to look for room again
    bool is_overtaken = false;
    bool is_outdated = false;
    std::optional<std::pair<RecordHeader, NodeData>> claimed;  ///< see own_name_claimed
    std::size_t opaque_records = 0;
    std::size_t opaque_bytes = 0;
    std::optional<PowerOff> power_off;
    StoreCounts counts;
    bool has_adopted = false;  ///< see take_adopted
};

/// The same against another start's node record: is `header` of a newer start?
bool is_newer_start(const RecordHeader& header, const RecordHeader& node);
/// True where the author declared the alert gone.
bool is_below_floor(const NodeData& data, const Record& alert);
/// The counters of those places that are in the stream, rising.
std::vector<Interval> counters_of(const std::set<RecordPlace>& places, StreamId stream);

}  // namespace meshd
