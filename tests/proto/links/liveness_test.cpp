// SPDX-License-Identifier: Apache-2.0
#include "proto/links/liveness.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Verdict = Liveness::Verdict;

constexpr Liveness::Options kOptions{milliseconds(500), seconds(2)};

/// Follows the timer to the next request or the end.
struct Follower {
    Prng random = prng();
    Liveness liveness{at(0), kOptions, random};
    TimePoint now = at(0);

    Verdict next() {
        for (;;) {
            now = std::max(now, liveness.next_deadline());
            const Verdict verdict = liveness.on_timeout(now, random);
            if (verdict != Verdict::Wait) {
                return verdict;
            }
        }
    }
};

}  // namespace

TEST_CASE("liveness: the first exchange at once, then at a spread interval") {
    Follower follower;
    CHECK(follower.next() == Verdict::SendRequest);
    CHECK(follower.now == at(0));
    Duration shortest = seconds(10);
    Duration longest{};
    std::uint32_t seq = follower.liveness.seq();
    for (int i = 0; i < 200; ++i) {
        const TimePoint before = follower.now;
        follower.liveness.on_heard(before);
        CHECK(follower.next() == Verdict::SendRequest);
        CHECK(follower.liveness.seq() == ++seq);
        shortest = std::min(shortest, follower.now - before);
        longest = std::max(longest, follower.now - before);
    }
    CHECK(shortest >= milliseconds(300));
    CHECK(shortest < milliseconds(320));
    CHECK(longest <= milliseconds(500));
    CHECK(longest > milliseconds(480));
}

TEST_CASE("liveness: silence for the timeout takes the link down, not less") {
    Follower follower;
    follower.liveness.on_heard(at(1));
    while (follower.next() == Verdict::SendRequest) {
        CHECK(follower.now < at(2001));
    }
    CHECK(follower.now == at(2001));
}

TEST_CASE("liveness: any traffic is evidence of life but moves no timer") {
    Follower follower;
    follower.next();
    const TimePoint due = follower.liveness.next_deadline();
    for (int ms = 1; ms < 300; ++ms) {
        follower.liveness.on_heard(at(ms));
        CHECK(follower.liveness.on_timeout(at(ms), follower.random) == Verdict::Wait);
        CHECK(follower.liveness.next_deadline() == due);
    }
    CHECK(follower.liveness.last_heard() == at(299));
}

TEST_CASE("liveness: a timer that ran late accuses no one") {
    Follower follower;
    follower.next();
    const TimePoint deadline = follower.liveness.next_deadline();
    const TimePoint late = deadline + Liveness::kStarved + microseconds(1);

    SUBCASE("paused far beyond the timeout") {
        CHECK(follower.liveness.on_timeout(at(60'000), follower.random) == Verdict::SendRequest);
        CHECK(follower.liveness.last_heard() == at(60'000));
        CHECK(follower.liveness.on_timeout(at(61'900), follower.random) == Verdict::SendRequest);
    }
    SUBCASE("patience starts anew") {
        follower.liveness.on_timeout(late, follower.random);
        follower.now = late;
        while (follower.next() == Verdict::SendRequest) {
        }
        CHECK(follower.now == late + kOptions.timeout);
    }
    SUBCASE("a little late is not starved") {
        follower.liveness.on_timeout(deadline + Liveness::kStarved, follower.random);
        CHECK(follower.liveness.last_heard() == at(0));
    }
}

TEST_CASE("liveness: early and repeated calls do nothing") {
    Follower follower;
    CHECK(follower.next() == Verdict::SendRequest);
    const std::uint32_t seq = follower.liveness.seq();
    CHECK(follower.liveness.on_timeout(at(0), follower.random) == Verdict::Wait);
    CHECK(follower.liveness.on_timeout(at(100), follower.random) == Verdict::Wait);
    CHECK(follower.liveness.seq() == seq);
}

TEST_CASE("liveness: a reply counts once, an unknown one not at all") {
    Follower follower;
    follower.next();
    Liveness& liveness = follower.liveness;
    liveness.on_reply(at(10), liveness.seq() + 1);
    liveness.on_reply(at(10), liveness.seq() - 1);
    CHECK_FALSE(liveness.rtt().smoothed());
    liveness.on_reply(at(20), liveness.seq());
    CHECK(liveness.rtt().smoothed() == milliseconds(20));
    liveness.on_reply(at(400), liveness.seq());
    CHECK(liveness.rtt().smoothed() == milliseconds(20));
}

TEST_CASE("liveness: loss is a moving share of exchanges without a reply") {
    Follower follower;
    for (int i = 0; i < 400; ++i) {
        follower.next();
        follower.liveness.on_heard(follower.now);
        if (i % 4 != 0) {
            follower.liveness.on_reply(follower.now + milliseconds(1), follower.liveness.seq());
        }
    }
    CHECK(follower.liveness.loss() > 0.15);
    CHECK(follower.liveness.loss() < 0.35);

    Follower deaf;
    deaf.next();
    double last = 0;
    for (int i = 0; i < 100; ++i) {
        deaf.liveness.on_heard(deaf.now);
        deaf.next();
        CHECK(deaf.liveness.loss() >= last);
        last = deaf.liveness.loss();
    }
    CHECK(last > 0.9);
    CHECK(last < 1);
}

TEST_CASE("liveness: smoothing has the weight of one in 32") {
    CHECK(smooth_loss(0, false) == 0);
    CHECK(smooth_loss(0, true) == doctest::Approx(1.0 / 32));
    CHECK(smooth_loss(1, true) == 1);
    CHECK(smooth_loss(0.5, false) == doctest::Approx(0.5 - 0.5 / 32));
}

TEST_CASE("liveness: a round trip longer than the interval is measured, not lost") {
    Follower follower;
    std::vector<std::pair<TimePoint, std::uint32_t>> replies;
    for (int i = 0; i < 60; ++i) {
        CHECK(follower.next() == Verdict::SendRequest);
        replies.emplace_back(follower.now + milliseconds(1500), follower.liveness.seq());
        while (replies.front().first <= follower.now + milliseconds(300)) {
            follower.liveness.on_heard(replies.front().first);
            follower.liveness.on_reply(replies.front().first, replies.front().second);
            replies.erase(replies.begin());
        }
    }
    REQUIRE(follower.liveness.rtt().smoothed());
    CHECK(*follower.liveness.rtt().smoothed() == milliseconds(1500));
    // Before the first reply the patience is an interval; from then on it follows the round trip.
    CHECK(follower.liveness.loss() < 0.05);
}

TEST_CASE("liveness: requests without a reply are remembered up to a bound") {
    Follower follower;
    follower.next();
    const std::uint32_t first = follower.liveness.seq();
    // A measured round trip so long that patience alone would keep them all.
    follower.liveness.on_reply(at(0) + seconds(60), first);
    const Duration measured = *follower.liveness.rtt().smoothed();
    for (std::size_t i = 0; i < Liveness::kOutstandingMax + 4; ++i) {
        follower.liveness.on_heard(follower.now);
        follower.next();
    }
    constexpr auto kKept = std::uint32_t{Liveness::kOutstandingMax};
    const std::uint32_t last = follower.liveness.seq();
    follower.liveness.on_reply(follower.now, last - kKept);
    CHECK(*follower.liveness.rtt().smoothed() == measured);
    follower.liveness.on_reply(follower.now, last - kKept + 1);
    CHECK(*follower.liveness.rtt().smoothed() != measured);
}

TEST_CASE("liveness: two links count their requests from different numbers") {
    Prng random = prng();
    const Liveness a(at(0), kOptions, random);
    const Liveness b(at(0), kOptions, random);
    CHECK(a.seq() != b.seq());
}

TEST_CASE("rtt: smoothed as in RFC 6298, first retry from it within bounds") {
    RttEstimator rtt;
    CHECK_FALSE(rtt.smoothed());
    CHECK(rtt.first_retry() == milliseconds(50));
    rtt.add(milliseconds(8));
    CHECK(rtt.smoothed() == milliseconds(8));
    // max(2 * 8, 8 + 4 * 4) + 5
    CHECK(rtt.first_retry() == milliseconds(29));
    rtt.add(milliseconds(16));
    CHECK(rtt.smoothed() == milliseconds(9));
    // deviation 4 + (8 - 4) / 4 = 5: max(18, 9 + 20) + 5
    CHECK(rtt.first_retry() == milliseconds(34));
    for (int i = 0; i < 100; ++i) {
        rtt.add(milliseconds(16));
    }
    CHECK(rtt.first_retry() >= milliseconds(36));
    CHECK(rtt.first_retry() <= milliseconds(38));
    for (int i = 0; i < 100; ++i) {
        rtt.add(seconds(30));
    }
    CHECK(rtt.first_retry() == seconds(3));
    for (int i = 0; i < 1000; ++i) {
        rtt.add(Duration{});
    }
    CHECK(rtt.first_retry() >= milliseconds(5));
}
