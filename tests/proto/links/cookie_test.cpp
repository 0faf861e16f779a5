// SPDX-License-Identifier: Apache-2.0
#include "proto/links/cookie.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("cookie: valid in its epoch and the next, not later") {
    Prng random = prng();
    const CookieJar jar(random);
    const StartId start{7};
    for (const std::int64_t into_epoch_ms : {0, 4'000, 9'999}) {
        const TimePoint baked_at = at(into_epoch_ms);
        const Cookie cookie = jar.bake(baked_at, box(1), start);
        const TimePoint epoch = at(0);
        CHECK(jar.check(baked_at, box(1), start, cookie));
        CHECK(jar.check(epoch + 2 * CookieJar::kEpoch - microseconds(1), box(1), start, cookie));
        CHECK_FALSE(jar.check(epoch + 2 * CookieJar::kEpoch, box(1), start, cookie));
        CHECK_FALSE(jar.check(epoch - microseconds(1), box(1), start, cookie));
    }
}

TEST_CASE("cookie: worthless for another address, port or start, and in another jar") {
    Prng random = prng();
    const CookieJar jar(random);
    const CookieJar other_jar(random);
    const StartId start{7};
    const Cookie cookie = jar.bake(at(0), box(1), start);
    CHECK(jar.check(at(0), box(1), start, cookie));
    CHECK_FALSE(jar.check(at(0), box(2), start, cookie));
    CHECK_FALSE(jar.check(at(0), box(1, 10'000), start, cookie));
    CHECK_FALSE(jar.check(at(0), box(1), StartId{8}, cookie));
    CHECK_FALSE(other_jar.check(at(0), box(1), start, cookie));
    for (std::size_t i = 0; i < cookie.size(); ++i) {
        Cookie damaged = cookie;
        damaged[i] ^= 1;
        CHECK_FALSE(jar.check(at(0), box(1), start, damaged));
    }
}

TEST_CASE("cookie: the interface by which a datagram came does not matter") {
    Prng random = prng();
    const CookieJar jar(random);
    const Cookie cookie = jar.bake(at(0), box(1, 9999, 2), StartId{7});
    CHECK(jar.check(at(0), box(1, 9999, 3), StartId{7}, cookie));
}

TEST_CASE("cookie: the first epoch has none before it") {
    Prng random = prng();
    const CookieJar jar(random);
    const Cookie cookie = jar.bake(TimePoint{}, box(1), StartId{7});
    CHECK(jar.check(TimePoint{}, box(1), StartId{7}, cookie));
    CHECK_FALSE(jar.check(TimePoint{} + 2 * CookieJar::kEpoch, box(1), StartId{7}, cookie));
}
