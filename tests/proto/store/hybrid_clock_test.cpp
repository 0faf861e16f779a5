// SPDX-License-Identifier: Apache-2.0
#include "proto/store/hybrid_clock.h"

#include <doctest/doctest.h>

#include <limits>

using namespace meshd;

TEST_CASE("hybrid clock: a write takes the wall clock, and is above what is stored") {
    CHECK(next_hybrid_time(WallTime{1000}, HybridTime{}).value == std::uint64_t{1000} << 16);
    const HybridTime ahead{std::uint64_t{2000} << 16 | 5};
    CHECK(next_hybrid_time(WallTime{1000}, ahead).value == ahead.value + 1);
    CHECK(next_hybrid_time(WallTime{2000}, ahead).value == ahead.value + 1);
    CHECK(next_hybrid_time(WallTime{2001}, ahead).ms() == 2001);
}

TEST_CASE("hybrid clock: a wall clock out of range stays within what a record may carry") {
    CHECK(next_hybrid_time(WallTime{-5}, HybridTime{}).value == 1);
    const HybridTime late =
        next_hybrid_time(WallTime{std::numeric_limits<std::int64_t>::max()}, HybridTime{});
    CHECK(late <= kHybridTimeMax);
    CHECK(late.ms() == kHybridTimeMax.ms());
}

TEST_CASE("hybrid clock: at its end it stands") {
    CHECK(next_hybrid_time(WallTime{1000}, HybridTime{kHybridTimeMax.value - 1}) == kHybridTimeMax);
    CHECK(next_hybrid_time(WallTime{1000}, kHybridTimeMax) == kHybridTimeMax);
}
