// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a simulated box keeps over restarts: the tables of the daemon's database as plain maps, and
/// what may go wrong with them.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "proto/store/stored.h"

namespace meshd::sim {

/// The content of a disk; a copy of it is a backup, or the image that somebody clones.
struct DiskImage {
    std::map<std::pair<StreamId, std::uint64_t>, StoredRecord> records;
    std::map<StreamId, StoredStream> streams;
    StoreClock clock;
    std::uint32_t run = 0;  ///< of the last process start

    /// One transaction.
    void apply(const Persist& persist);
    /// What a process is given at its start; counts the run.
    Restored open();
};

enum class DiskFault {
    None,
    Failing,  ///< full or read-only: what is asked is not written
    Slow,     ///< a commit takes up to 2 s
    Lost,     ///< at the next commit the database turns out to be broken and is replaced
};

struct Disk {
    DiskImage image;
    DiskFault fault = DiskFault::None;
    std::uint64_t commits = 0;
    std::uint64_t rows = 0;  ///< written or deleted, in all commits
};

}  // namespace meshd::sim
