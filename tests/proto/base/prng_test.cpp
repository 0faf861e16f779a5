// SPDX-License-Identifier: Apache-2.0
#include "proto/base/prng.h"

#include <doctest/doctest.h>

using namespace meshd;

TEST_CASE("prng: the same entropy gives the same numbers, other entropy others") {
    Prng a(Entropy{1});
    Prng b(Entropy{1});
    Prng c(Entropy{2});
    int same_as_c = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto value = a.next();
        CHECK(value == b.next());
        same_as_c += value == c.next() ? 1 : 0;
    }
    CHECK(same_as_c == 0);
}

TEST_CASE("prng: draws stay in their range and reach its ends") {
    Prng prng(Entropy{3});
    bool low = false;
    bool high = false;
    for (int i = 0; i < 1000; ++i) {
        const auto value = prng.below(5);
        REQUIRE(value < 5);
        low = low || value == 0;
        high = high || value == 4;
        const double unit = prng.unit();
        REQUIRE(unit >= 0.0);
        REQUIRE(unit < 1.0);
        const Duration between = prng.between(Duration(10), Duration(12));
        REQUIRE(between >= Duration(10));
        REQUIRE(between <= Duration(12));
    }
    CHECK(low);
    CHECK(high);
    CHECK(prng.below(1) == 0);
}
