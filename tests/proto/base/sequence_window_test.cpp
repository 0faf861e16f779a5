// SPDX-License-Identifier: Apache-2.0
#include "proto/base/sequence_window.h"

#include <doctest/doctest.h>

#include <set>

#include "proto/base/prng.h"

using namespace meshd;

TEST_CASE("sequence window: each number is new once, in any order inside the window") {
    SequenceWindow<64> window;
    for (const std::uint64_t n : {10u, 12u, 11u, 9u, 70u, 8u}) {
        CHECK(window.accept(n));
        CHECK_FALSE(window.accept(n));
    }
}

TEST_CASE("sequence window: numbers older than the window count as seen") {
    SequenceWindow<64> window;
    CHECK(window.accept(100));
    CHECK(window.accept(37));
    CHECK_FALSE(window.accept(36));
    CHECK_FALSE(window.accept(0));
}

TEST_CASE("sequence window: a leap beyond the window forgets nothing that counts") {
    SequenceWindow<64> window;
    CHECK(window.accept(5));
    CHECK(window.accept(1000));
    CHECK_FALSE(window.accept(5));
    CHECK(window.accept(999));
    CHECK_FALSE(window.accept(1000));
}

TEST_CASE("sequence window: the greatest number there is ends, as first one and after others") {
    constexpr std::uint64_t kGreatest = UINT64_MAX;
    SequenceWindow<64> first;
    CHECK(first.accept(kGreatest));
    CHECK_FALSE(first.accept(kGreatest));
    CHECK(first.accept(kGreatest - 63));
    CHECK_FALSE(first.accept(kGreatest - 64));
    SequenceWindow<64> later;
    for (const std::uint64_t n : {kGreatest - 200, kGreatest - 70, kGreatest - 10, kGreatest}) {
        CHECK(later.accept(n));
        CHECK_FALSE(later.accept(n));
    }
    CHECK(later.accept(kGreatest - 1));
    CHECK_FALSE(later.accept(kGreatest - 10));
}

TEST_CASE("sequence window: agrees with a plain set over random numbers") {
    SequenceWindow<128> window;
    std::set<std::uint64_t> seen;
    std::uint64_t highest = 0;
    Prng prng(Entropy{7});
    for (int i = 0; i < 20000; ++i) {
        const std::uint64_t base = static_cast<std::uint64_t>(i) / 2;
        const std::uint64_t number = base + prng.below(200);
        const bool too_old = !seen.empty() && number + 128 <= highest;
        const bool expected = !too_old && !seen.contains(number);
        CHECK(window.accept(number) == expected);
        seen.insert(number);
        highest = std::max(highest, number);
    }
}
