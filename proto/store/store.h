// SPDX-License-Identifier: Apache-2.0
/// \file
/// The replicated store, in memory (PROTOCOL.md, "Records"; DESIGN.md, "Store").
///
/// Invariants. (1) A counter that a stream covers is held here, or known to be superseded, expired
/// or below its author's floor; what is covered is never applied again. (2) Per node at most one
/// node record and one state record are held, the newest by (clock, stream). (3) Streams of earlier
/// starts of a node: the volatile one leaves data and digest as soon as a newer node record is
/// known; a durable one stays while it has live records. (4) Only streams with live records are in
/// the digest and its hashes, so that nodes that expire a record at different moments agree again
/// by themselves.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/interval_set.h"
#include "proto/store/record.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// A record in the store, with when and how it came.
struct HeldRecord {
    Record record;
    Provenance provenance;      ///< at arrival: age, path (author first, the node before us last)
    TimePoint arrived;
    /// Age by elapsed local time, never by comparing wall clocks.
    std::uint64_t age_ms(TimePoint now) const;
};

enum class Applied {
    New,        ///< held now: tell subscribers, pass it on
    Duplicate,  ///< covered before
    Stale,      ///< a newer record of its key, or a newer start of its author, is known: covered now
                ///< where its stream still counts, not held
    Refused,    ///< a limit, an own stream claimed by others, an unknown kind of trouble: counted
};

struct ApplyResult {
    Applied outcome = Applied::Refused;
    /// Set for New; valid until the next call that changes the store.
    const HeldRecord* held = nullptr;
};

class Store {
  public:
    struct Options {
        NodeId self;
        StreamId volatile_stream;
        StreamId durable_stream;
        Duration forget_after = std::chrono::hours(24);
    };
    explicit Store(Options options);

    // Local writes. Each returns the record as held and the counter before it in its stream
    // (covers_after). Node and state replace the former one.
    const HeldRecord& write_node(Now now, NodeData data);
    const HeldRecord& write_state(Now now, StateData data);
    const HeldRecord& write_alert(Now now, AlertData data, std::uint32_t report_ms);
    /// The counter before `header` in its stream, for a push of an own record.
    std::uint64_t covers_after(const RecordHeader& header) const;

    /// A record from a peer, by push.
    ApplyResult apply(TimePoint now, Bytes record, std::uint64_t covers_after,
                      const Provenance& provenance);
    /// The intervals of a delta, after all its records were applied. Intervals of streams that a
    /// newer start has retired, of own streams and of forgotten nodes are ignored.
    void cover(const StreamIntervals& stream);

    const DigestHashes& hashes() const { return hashes_; }
    std::vector<StreamIntervals> digest() const;
    /// What `theirs` covers and we lack: newest streams of a node only, own streams never.
    std::vector<StreamIntervals> missing(const std::vector<StreamIntervals>& theirs) const;
    /// Answers to a pull, each within limits::kDeltaBytesMax and kDeltaRecordsMax; at most
    /// `deltas_max` of them. Spans point into the store: encode before the next change.
    std::vector<Delta> deltas(TimePoint now, const Pull& pull, std::size_t deltas_max) const;

    const HeldRecord* node_record(const NodeId& node) const;
    const HeldRecord* state_record(const NodeId& node) const;
    const HeldRecord* alert(const NodeId& author, StreamId stream, std::uint64_t counter) const;
    /// Nodes of which a node record is held, rising.
    std::vector<NodeId> nodes() const;
    /// All alerts held, oldest first by clock.
    std::vector<const HeldRecord*> alerts() const;

    /// Drops node and state of `node` (its durable records stay) and refuses its streams for an
    /// hour, so that a peer that forgets later does not bring it back.
    void forget(TimePoint now, const NodeId& node);
    /// Removes expired alerts, and empty durable streams.
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    std::size_t records() const;
    std::size_t bytes() const;
    std::uint64_t streams_refused() const;
    /// Others claim more of an own stream than was written: true once per event; the owner must
    /// then open a new stream (rename_stream).
    // (a node that hears its own current stream beyond its own counter)
    bool own_stream_overtaken() const;
    void reopen_streams(Now now, StreamId volatile_stream, StreamId durable_stream);

  private:
    struct Impl;
    DigestHashes hashes_;
};

}  // namespace meshd
