// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/base/time.h"

namespace meshd {

/// A write that lasts longer is one of a disk that stalls (a card that cleans up, a bus that is
/// reset): twice what a slow card takes for the largest transaction. Callers that wait for it would
/// fill their connection, and what they raise next would be refused before the mesh has it.
inline constexpr Duration kDiskStall = std::chrono::seconds(2);

/// Whether the write under way since then, if any, is such a one.
constexpr bool is_disk_stalled(bool is_writing, TimePoint since, TimePoint now) {
    return is_writing && now - since >= kDiskStall;
}

}  // namespace meshd
