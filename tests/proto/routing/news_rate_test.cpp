// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/news_rate.h"

#include <doctest/doctest.h>

namespace meshd {
namespace {

using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST_CASE("news rate: what came in the last 250 ms counts") {
    NewsRate rate;
    CHECK(rate.recent(kStart) == 0);
    for (int i = 0; i < 100; ++i) {
        rate.add(kStart + milliseconds(i));
    }
    CHECK(rate.recent(kStart + milliseconds(100)) == 100);
    CHECK(rate.recent(kStart + milliseconds(349)) == 100);
}

TEST_CASE("news rate: what is older than 500 ms does not count") {
    NewsRate rate;
    for (int i = 0; i < 100; ++i) {
        rate.add(kStart + milliseconds(i));
    }
    CHECK(rate.recent(kStart + milliseconds(600)) == 0);
    rate.add(kStart + std::chrono::hours(5));
    CHECK(rate.recent(kStart + std::chrono::hours(5)) == 1);
}

TEST_CASE("news rate: a steady flow counts as one to two windows of it") {
    NewsRate rate;
    TimePoint now = kStart;
    for (int i = 0; i < 2000; ++i) {
        now += milliseconds(1);
        rate.add(now);
        if (i > 500) {
            CHECK(rate.recent(now) >= 250);
            CHECK(rate.recent(now) <= 500);
        }
    }
}

}  // namespace
}  // namespace meshd
