// SPDX-License-Identifier: Apache-2.0
#include "proto/links/rate_limit.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("rate limit: a burst at once, then the average") {
    TokenBucket bucket(10, 5);
    int taken = 0;
    while (bucket.take(at(0))) {
        ++taken;
    }
    CHECK(taken == 5);
    CHECK_FALSE(bucket.take(at(99)));
    CHECK(bucket.take(at(100)));
    CHECK_FALSE(bucket.take(at(100)));
    taken = 0;
    for (int ms = 101; ms <= 10'100; ++ms) {
        taken += bucket.take(at(ms)) ? 1 : 0;
    }
    CHECK(taken >= 99);
    CHECK(taken <= 101);
}

TEST_CASE("rate limit: silence saves up no more than the burst") {
    TokenBucket bucket(10, 5);
    while (bucket.take(at(0))) {
    }
    int taken = 0;
    while (bucket.take(at(3'600'000))) {
        ++taken;
    }
    CHECK(taken == 5);
}

TEST_CASE("rate limit: one noisy source takes nothing from others") {
    SourceLimiter limiter(5, 10);
    int noisy = 0;
    for (int i = 0; i < 1000; ++i) {
        noisy += limiter.take(at(0), box(1)) ? 1 : 0;
    }
    CHECK(noisy == 10);
    CHECK(limiter.take(at(0), box(2)));
    CHECK(limiter.take(at(0), box(1, 10'000)));
    CHECK_FALSE(limiter.take(at(0), box(1, 9999, 7)));
}

TEST_CASE("rate limit: with a full table the source silent longest makes room") {
    SourceLimiter limiter(5, 1);
    CHECK(limiter.take(at(0), box(1)));
    CHECK(limiter.take(at(1), box(2)));
    for (std::size_t i = 2; i < SourceLimiter::kSourcesMax; ++i) {
        CHECK(limiter.take(at(2), box(3, static_cast<std::uint16_t>(i))));
    }
    CHECK_FALSE(limiter.take(at(3), box(1)));  // also makes it the more recent of the two
    CHECK(limiter.take(at(4), box(4)));
    CHECK_FALSE(limiter.take(at(4), box(1)));
    CHECK(limiter.take(at(4), box(2)));  // was forgotten, so its bucket is full again
}
