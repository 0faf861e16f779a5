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

/// Latest time a record may carry, the year 6429: the same for its author and for all others, so
/// that what others take in an author's name is known to the author and written past.
inline constexpr HybridTime kHybridTimeMax{(std::uint64_t{1} << 63) - 1};

/// Time for a local write: the wall clock, but above what the written key already carries, so that
/// an honest write never loses silently to what its writer has seen. At kHybridTimeMax it stands:
/// stream and counter alone decide then, since whatever the limit, nothing is above it.
constexpr HybridTime next_hybrid_time(WallTime wall, HybridTime stored) {
    const std::int64_t ms = std::clamp<std::int64_t>(wall.ms, 0, kHybridTimeMax.ms());
    const HybridTime now{static_cast<std::uint64_t>(ms) << 16};
    return now > stored ? now : std::min(HybridTime{stored.value + 1}, kHybridTimeMax);
}

}  // namespace meshd
