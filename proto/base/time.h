// SPDX-License-Identifier: Apache-2.0
/// \file
/// Time as the core knows it: told from outside, never asked for.
#pragma once

#include <chrono>
#include <cstdint>

namespace meshd {

/// Monotonic time of the core. It has no now(): the core is told the time and cannot ask for it.
struct CoreClock {
    using duration = std::chrono::microseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<CoreClock>;
    static constexpr bool is_steady = true;
};
using Duration = CoreClock::duration;
using TimePoint = CoreClock::time_point;

/// Wall clock: milliseconds since 1970-01-01 UTC as this box believes. It is data to be shown and
/// carried; it may jump, and no timer depends on it.
struct WallTime {
    std::int64_t ms = 0;
    friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
};

/// The instant of one call into the core. `monotonic` never goes back between calls.
struct Now {
    TimePoint monotonic;
    WallTime wall;
};

constexpr std::int64_t to_ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace meshd
