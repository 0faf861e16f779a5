// SPDX-License-Identifier: Apache-2.0
#include "proto/links/rate_limit.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("rate limit: a burst at once, then the average") {
    TokenBucket bucket({10, 5});
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
    TokenBucket bucket({10, 5});
    while (bucket.take(at(0))) {
    }
    int taken = 0;
    while (bucket.take(at(3'600'000))) {
        ++taken;
    }
    CHECK(taken == 5);
}

TEST_CASE("rate limit: one noisy source takes nothing from others") {
    SourceLimiter limiter({5, 10}, SourceLimiter::By::AddressAndPort);
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
    SourceLimiter limiter({5, 1}, SourceLimiter::By::AddressAndPort);
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

TEST_CASE("rate limit: by address, ports share one bucket") {
    SourceLimiter limiter({5, 10}, SourceLimiter::By::Address);
    int taken = 0;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        taken += limiter.take(at(0), box(1, port)) ? 1 : 0;
    }
    CHECK(taken == 10);
    CHECK(limiter.take(at(0), box(2)));
}

TEST_CASE("rate limit: a full table costs little for each of many made-up sources") {
    SourceLimiter limiter({5, 10}, SourceLimiter::By::AddressAndPort);
    std::size_t taken = 0;
    constexpr std::size_t kSources = 300'000;
    for (std::size_t i = 0; i < kSources; ++i) {
        const Endpoint from =
            box(static_cast<std::uint8_t>(i >> 16), static_cast<std::uint16_t>(i));
        taken += limiter.take(at(0), from) ? 1 : 0;
        REQUIRE(limiter.size() <= SourceLimiter::kSourcesMax);
    }
    CHECK(taken == kSources);
}

TEST_CASE("arrival limit: a flood of one source leaves the shared allowance to the others") {
    ArrivalLimiter limiter({5, 10}, {40, 40}, {500, 500});
    SUBCASE("from one port") {
        for (int i = 0; i < 2000; ++i) {
            limiter.take(at(0), box(1));
        }
        CHECK(limiter.take(at(0), box(1, 10'000)));
    }
    SUBCASE("from many ports") {
        int taken = 0;
        for (std::uint16_t port = 1; port <= 2000; ++port) {
            taken += limiter.take(at(0), box(1, port)) ? 1 : 0;
        }
        CHECK(taken == 40);
    }
    int others = 0;
    for (std::uint8_t number = 2; number <= 40; ++number) {
        for (int i = 0; i < 10; ++i) {
            others += limiter.take(at(0), box(number)) ? 1 : 0;
        }
    }
    CHECK(others == 390);
}

TEST_CASE("rate limit: made-up sources that fill the table take nothing from an honest one") {
    SourceLimiter limiter({5, 10}, SourceLimiter::By::AddressAndPort);
    std::uint64_t number = 0;
    for (int second = 0; second < 20; ++second) {
        for (int i = 0; i < 5000; ++i) {
            Endpoint made_up = box(2);
            made_up.address[14] = static_cast<std::uint8_t>(++number >> 16);
            made_up.port = static_cast<std::uint16_t>(number);
            limiter.take(at(1000 * second + i / 5), made_up);
            if (i % 1000 == 0) {
                CHECK(limiter.take(at(1000 * second + i / 5), box(1)));
            }
        }
        CHECK(limiter.size() <= SourceLimiter::kSourcesMax);
    }
}

TEST_CASE("outside gate: who floods from one address takes the half that is anybody's") {
    OutsideGate gate;
    std::uint64_t of_flood = 0;
    std::uint64_t of_others = 0;
    std::uint64_t others = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        for (int i = 0; i < 100; ++i) {
            of_flood += gate.admit(at(ms), box(1)) ? 1 : 0;
        }
        if (ms % 50 == 0) {
            for (std::uint8_t number = 2; number < 52; ++number) {
                others += 1;
                of_others += gate.admit(at(ms), box(number)) ? 1 : 0;
            }
        }
    }
    CHECK(of_others == others);
    CHECK(of_flood <= 26'000);
}

TEST_CASE("outside gate: in whose name a slower flood comes does not matter to it") {
    OutsideGate gate;
    for (int ms = 0; ms < 10'000; ++ms) {
        gate.admit(at(ms), box(1));
        gate.admit(at(ms), box(1));
        CHECK((ms % 100 != 0 || gate.admit(at(ms), box(1))));
    }
}

TEST_CASE("outside gate: a flood of made-up sources is bounded in all") {
    OutsideGate gate;
    std::uint64_t admitted = 0;
    std::uint64_t number = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        for (int i = 0; i < 50; ++i) {
            Endpoint made_up = box(2);
            for (std::size_t byte = 13; byte < 16; ++byte) {
                made_up.address[byte] = static_cast<std::uint8_t>(number >> (8 * (byte - 13)));
            }
            ++number;
            admitted += gate.admit(at(ms), made_up) ? 1 : 0;
        }
    }
    CHECK(admitted <= 51'001);
    CHECK(admitted >= 50'000);
}
