// SPDX-License-Identifier: Apache-2.0
/// \file
/// What goes to the disk and comes back from it: durable records, and the coverage that claims
/// them. Both change in one transaction, so that a digest never claims what is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/shared_bytes.h"
#include "proto/wire/message.h"

namespace meshd {

/// The time by which records age over restarts: milliseconds of this node's life so far, and mesh
/// time (wall clock as the mesh agrees) where it is known.
struct StoreClock {
    std::int64_t life_ms = 0;
    std::optional<std::int64_t> mesh_ms{};
    friend bool operator==(const StoreClock&, const StoreClock&) = default;
};

/// A durable record on disk.
struct StoredRecord {
    StreamId stream;
    std::uint64_t counter = 0;
    SharedBytes bytes;          ///< as its author wrote it; empty in a Persist = delete the row
    std::int64_t born_ms = 0;   ///< on the scale of StoreClock::life_ms; may be negative
    std::uint64_t arrival = 0;  ///< of an alert: its place in the order of arrival; else 0
};

/// What of a durable stream is covered.
struct StoredStream {
    StreamIntervals covered;  ///< without intervals in a Persist = delete the row
};

using PersistToken = std::uint64_t;

/// Changes to write in one transaction: the records, and the coverage that claims them.
struct Persist {
    PersistToken token = 0;
    std::vector<StoredRecord> records;
    std::vector<StoredStream> streams;
    StoreClock clock;
};

enum class PersistResult {
    Stored,
    Failed,  ///< nothing was written: disk full, read-only, I/O error. It will be tried again
    Lost,    ///< the database had to be replaced by an empty one: all must be written anew
};

/// What the disk remembered.
struct Restored {
    /// False: nothing is kept over restarts. Persist is never asked for then.
    bool has_disk = false;
    /// Number of this process start in the life of the disk, from 1: order of arrival begins with
    /// it, so that places given before and never written are not given again.
    std::uint32_t run = 1;
    StoreClock clock;
    std::vector<StoredStream> streams;
    std::vector<StoredRecord> records;
};

}  // namespace meshd
