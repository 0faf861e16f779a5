// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

#include "proto/base/time.h"

namespace meshd {

/// Hybrid logical time: 48-bit milliseconds and a 16-bit counter in one number, ordered as a whole
/// (Kulkarni et al., "Logical Physical Clocks", 2014).
struct HybridTime {
    std::uint64_t value = 0;
    friend constexpr auto operator<=>(const HybridTime&, const HybridTime&) = default;
    constexpr std::int64_t ms() const { return static_cast<std::int64_t>(value >> 16); }
};

/// Latest time a record may carry: the year 6429. The half above stays empty, so that a clock gone
/// wild can still be written past.
inline constexpr HybridTime kHybridTimeMax{(std::uint64_t{1} << 63) - 1};

/// Time for a local write: the wall clock, but above what the written key already carries, so that
/// an honest write never loses silently to what its writer has seen.
constexpr HybridTime next_hybrid_time(WallTime wall, HybridTime stored) {
    const std::int64_t ms = std::clamp<std::int64_t>(wall.ms, 0, kHybridTimeMax.ms());
    const HybridTime now{static_cast<std::uint64_t>(ms) << 16};
    return now > stored ? now : HybridTime{stored.value + 1};
}

}  // namespace meshd
