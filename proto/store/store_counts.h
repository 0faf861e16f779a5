// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace meshd {

/// Records refused, and alerts dropped early, by reason.
struct StoreCounts {
    std::uint64_t malformed = 0;
    std::uint64_t nodes_full = 0;  ///< as many authors as limits::kNodesMax are held
    /// limits::kStreamsMax are held, or kVolatileStreamsMax of the author.
    std::uint64_t streams_full = 0;
    std::uint64_t states_full = 0;     ///< Store::kStateBytesMax of state records are held
    std::uint64_t opaque_full = 0;     ///< no room for kinds that this build only passes on
    std::uint64_t foreign_stream = 0;  ///< the stream is another author's, or of the other use
    std::uint64_t own_stream = 0;      ///< others claim more of an own stream than was written
    std::uint64_t alerts_dropped = 0;  ///< over an author's quota, or over the bytes for all alerts
    std::uint64_t no_room = 0;         ///< Options::bytes_max is reached and nobody is offline
    std::uint64_t dropped_for_room = 0;   ///< records of offline nodes, dropped to make room
    std::uint64_t purged = 0;             ///< tombstones and stubs
    std::uint64_t found_dead = 0;         ///< by census: deleted while this node was away
    std::uint64_t found_lost = 0;         ///< by census: covered here, not held, but live elsewhere
    std::uint64_t streams_forgotten = 0;  ///< empty keyed ones, beyond limits::kClosedStreamsMax
    std::uint64_t intervals_full = 0;     ///< beyond StreamTable::kFloorIntervalsMax
    std::uint64_t unreadable = 0;         ///< records from the disk
    std::uint64_t refused() const {
        return malformed + nodes_full + streams_full + states_full + opaque_full + foreign_stream +
               own_stream + no_room;
    }
};

}  // namespace meshd
