// SPDX-License-Identifier: Apache-2.0
#include "proto/links/liveness.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr Liveness::Options kOptions{milliseconds(600), seconds(3)};
constexpr Duration kInterval = seconds(5);

/// Follows the timer; the peer answers requests as it is told to.
struct Follower {
    Prng random = prng();
    Liveness liveness{at(0), kOptions, random};
    TimePoint now = at(0);
    Duration round_trip = milliseconds(2);
    unsigned requests = 0;

    /// To the next thing to do, without an answer to it.
    Liveness::Due next() {
        for (;;) {
            if (liveness.needs_schedule()) {
                liveness.schedule(now, kInterval, {}, random);
            }
            now = std::max(now, liveness.next_deadline());
            const Liveness::Due due = liveness.on_timeout(now);
            requests += due.request ? 1 : 0;
            if (due.request || due.down) {
                return due;
            }
        }
    }
    void answer() {
        now += round_trip;
        liveness.on_heard(now);
        liveness.on_reply(now, liveness.seq());
    }
    /// As many answered exchanges.
    void settle(int exchanges = 8) {
        for (int i = 0; i < exchanges; ++i) {
            next();
            answer();
        }
    }
    /// Probes without answer until the link is down.
    void die() {
        while (!next().down) {
        }
    }
};

}  // namespace

TEST_CASE("liveness: the first exchange at once, then in the last two fifths of the interval") {
    Follower follower;
    CHECK(follower.next().request);
    CHECK(follower.now == at(0));
    follower.answer();
    follower.settle();
    Duration shortest = kInterval;
    Duration longest{};
    for (int i = 0; i < 200; ++i) {
        const TimePoint before = follower.now;
        const std::uint32_t seq = follower.liveness.seq();
        CHECK(follower.next().request);
        CHECK(follower.liveness.seq() == seq + 1);
        shortest = std::min(shortest, follower.now - before);
        longest = std::max(longest, follower.now - before);
        follower.answer();
    }
    CHECK(shortest >= kInterval * 6 / 10);
    CHECK(shortest < kInterval * 65 / 100);
    CHECK(longest <= kInterval);
    CHECK(longest > kInterval * 95 / 100);
}

TEST_CASE("liveness: an exchange is put where the others are not") {
    Follower follower;
    follower.settle();
    // Everything but one gap of the window is taken.
    std::vector<TimePoint> others;
    for (int ms = 3000; ms <= 5000; ms += 50) {
        if (ms < 4000 || ms > 4500) {
            others.push_back(follower.now + milliseconds(ms));
        }
    }
    int lonely = 0;
    for (int i = 0; i < 100; ++i) {
        follower.liveness.schedule(follower.now, kInterval, others, follower.random);
        const Duration in = *follower.liveness.due() - follower.now;
        lonely += in > milliseconds(3975) && in < milliseconds(4525) ? 1 : 0;
    }
    CHECK(lonely > 50);  // a quarter of the window; chance alone would give 27
}

TEST_CASE("liveness: a young link is measured soon, and what a rush delays is forgotten") {
    Follower follower;
    follower.round_trip = milliseconds(350);
    follower.next();
    follower.answer();
    const Duration rushed = follower.liveness.patience(follower.now);
    CHECK(rushed > milliseconds(1300));
    follower.round_trip = milliseconds(2);
    const TimePoint before = follower.now;
    follower.settle(1);
    CHECK(follower.now - before <= milliseconds(1002));
    CHECK(follower.liveness.patience(follower.now) == kOptions.patience_min);
}

TEST_CASE("liveness: the peer's exchange counts for both ends") {
    Follower follower;
    follower.settle();
    follower.liveness.schedule(follower.now, kInterval, {}, follower.random);
    CHECK_FALSE(follower.liveness.needs_schedule());
    follower.liveness.on_heard(follower.now);
    CHECK_FALSE(follower.liveness.needs_schedule());  // traffic moves no timer
    const TimePoint due = *follower.liveness.due();
    follower.liveness.on_request(due - kInterval * 5 / 10);  // a probe
    CHECK(follower.liveness.due() == due);
    follower.liveness.on_request(due - kInterval * 3 / 10);
    CHECK(follower.liveness.needs_schedule());
}

TEST_CASE("liveness: silence is down after patience and enough probes, not before") {
    Follower follower;
    follower.settle();
    follower.next();
    const TimePoint asked = follower.now;
    follower.requests = 0;
    follower.die();
    const Duration took = follower.now - asked;
    CHECK(took >= kOptions.patience_min);
    CHECK(took < kOptions.patience_min + milliseconds(100));
    CHECK(follower.requests >= Liveness::kProbesMin);
    CHECK(follower.requests <= 35);
}

TEST_CASE("liveness: an own suspicion gives three notices and looks once for a detour") {
    Follower follower;
    follower.settle();
    follower.next();
    std::vector<unsigned> notices;
    std::vector<unsigned> detours;
    follower.requests = 0;
    for (Liveness::Due due; !due.down;) {
        due = follower.next();
        if (due.notice) {
            notices.push_back(follower.requests);
        }
        if (due.detour) {
            detours.push_back(follower.requests);
        }
    }
    CHECK(notices == std::vector<unsigned>{4, 6, 8});
    CHECK(detours == std::vector<unsigned>{4});
}

TEST_CASE("liveness: a check that others have asked for notifies no one") {
    Follower follower;
    follower.settle();
    follower.now += milliseconds(150);
    follower.liveness.check(follower.now);
    CHECK(follower.liveness.is_suspect());
    for (Liveness::Due due; !due.down;) {
        due = follower.next();
        CHECK_FALSE(due.notice);
    }
}

TEST_CASE("liveness: fresh evidence needs no check") {
    Follower follower;
    follower.settle();
    follower.liveness.check(follower.now + Liveness::kFreshEvidence);
    CHECK_FALSE(follower.liveness.is_suspect());
    follower.liveness.check(follower.now + Liveness::kFreshEvidence + milliseconds(1));
    CHECK(follower.liveness.is_suspect());
}

TEST_CASE("liveness: any datagram of the peer ends a suspicion") {
    Follower follower;
    follower.settle();
    follower.next();
    for (int i = 0; i < 10; ++i) {
        follower.next();
    }
    CHECK(follower.liveness.is_suspect());
    follower.liveness.on_heard(follower.now);
    CHECK_FALSE(follower.liveness.is_suspect());
    CHECK(follower.liveness.needs_schedule());
}

TEST_CASE("liveness: a lost reply alone makes no suspect of a peer that speaks") {
    Follower follower;
    follower.settle();
    follower.next();
    follower.liveness.on_heard(follower.now + milliseconds(5));
    CHECK_FALSE(follower.liveness.on_timeout(follower.liveness.next_deadline()).request);
    CHECK_FALSE(follower.liveness.is_suspect());
}

TEST_CASE("liveness: a link that recovered from long gaps earns patience, for a while") {
    Follower follower;
    follower.settle();
    CHECK(follower.liveness.patience(follower.now) == kOptions.patience_min);
    follower.liveness.check(follower.now + seconds(1));
    const TimePoint recovered = follower.now + seconds(2);
    follower.liveness.on_heard(recovered);
    CHECK(follower.liveness.patience(recovered) == milliseconds(1500));
    // A shorter gap later does not shorten it.
    follower.liveness.check(recovered + seconds(1));
    follower.liveness.on_heard(recovered + milliseconds(1100));
    CHECK(follower.liveness.patience(recovered + milliseconds(1100)) > milliseconds(1400));
    CHECK(follower.liveness.patience(recovered + minutes(10)) == milliseconds(750));
    CHECK(follower.liveness.patience(recovered + minutes(60)) == kOptions.patience_min);

    follower.liveness.check(recovered + seconds(10));
    follower.liveness.on_heard(recovered + seconds(30));
    CHECK(follower.liveness.patience(recovered + seconds(30)) == kOptions.patience_max);
}

TEST_CASE("liveness: on a slow link patience covers round trips") {
    Follower follower;
    follower.round_trip = milliseconds(1500);
    // Before the first answer it waits longest.
    CHECK(follower.liveness.patience(follower.now) == kOptions.patience_max);
    for (int i = 0; i < 20; ++i) {
        follower.next();
        follower.answer();
    }
    CHECK(follower.liveness.patience(follower.now) >= 4 * follower.round_trip);
}

TEST_CASE("liveness: a timer that ran late accuses no one") {
    Follower follower;
    follower.settle();
    follower.next();
    SUBCASE("in a suspicion: it begins anew") {
        for (int i = 0; i < 15; ++i) {
            follower.next();
        }
        follower.now += seconds(10);
        const TimePoint woken = follower.now;
        follower.die();
        CHECK(follower.now - woken >= kOptions.patience_min);
    }
    SUBCASE("while a reply is awaited: it was not heard for want of listening") {
        follower.now += seconds(10);
        follower.liveness.on_timeout(follower.now);
        CHECK_FALSE(follower.liveness.is_suspect());
    }
    SUBCASE("a little late is not starved") {
        follower.now = follower.liveness.next_deadline() + Liveness::kStarved;
        follower.liveness.on_timeout(follower.now);
        CHECK(follower.liveness.is_suspect());
    }
}

TEST_CASE("liveness: early and repeated calls do nothing") {
    Follower follower;
    CHECK(follower.next().request);
    const std::uint32_t seq = follower.liveness.seq();
    CHECK_FALSE(follower.liveness.on_timeout(at(0)).request);
    CHECK_FALSE(follower.liveness.on_timeout(at(100)).request);
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
    follower.settle();
    // Every fourth request is lost, probes among them.
    for (int i = 0; i < 600; ++i) {
        follower.next();
        if (i % 4 != 0) {
            follower.answer();
        }
    }
    CHECK(follower.liveness.loss() > 0.15);
    CHECK(follower.liveness.loss() < 0.35);
}

TEST_CASE("liveness: a pause of the peer is not a lossy link") {
    Follower follower;
    follower.settle();
    follower.next();
    for (int i = 0; i < 20; ++i) {
        follower.next();
    }
    follower.answer();
    CHECK(follower.liveness.loss() < 0.1);
}

TEST_CASE("liveness: smoothing has the weight of one in 32") {
    CHECK(smooth_loss(0, true) == doctest::Approx(1.0 / 32));
    CHECK(smooth_loss(1, false) == doctest::Approx(31.0 / 32));
}

TEST_CASE("liveness: a reply later than expected is measured all the same") {
    Follower follower;
    follower.settle();
    follower.next();
    const std::uint32_t seq = follower.liveness.seq();
    const TimePoint asked = follower.now;
    for (int i = 0; i < 10; ++i) {
        follower.next();
    }
    const auto before = follower.liveness.rtt().smoothed();
    follower.liveness.on_reply(asked + milliseconds(500), seq);
    CHECK(*follower.liveness.rtt().smoothed() > *before);
}

TEST_CASE("liveness: requests without a reply are remembered up to a bound") {
    Follower follower;
    follower.round_trip = seconds(1);  // patient enough for so many
    follower.settle();
    const auto measured = follower.liveness.rtt().smoothed();
    const std::uint32_t first = follower.liveness.seq() + 1;
    for (std::size_t i = 0; i <= Liveness::kOutstandingMax; ++i) {
        follower.next();
    }
    follower.liveness.on_reply(follower.now, first);
    CHECK(follower.liveness.rtt().smoothed() == measured);
    follower.liveness.on_reply(follower.now, first + 1);
    CHECK(follower.liveness.rtt().smoothed() != measured);
}

TEST_CASE("liveness: two links count their requests from different numbers") {
    Prng random = prng();
    const Liveness a{at(0), kOptions, random};
    const Liveness b{at(0), kOptions, random};
    CHECK(a.seq() != b.seq());
}

TEST_CASE("liveness: few links are checked more often, many no less than every interval") {
    CHECK(exchange_interval(0, seconds(5)) == seconds(1));
    CHECK(exchange_interval(1, seconds(5)) == seconds(1));
    CHECK(exchange_interval(2, seconds(5)) == milliseconds(1600));
    CHECK(exchange_interval(6, seconds(5)) == milliseconds(4800));
    CHECK(exchange_interval(32, seconds(5)) == seconds(5));
    CHECK(exchange_interval(3, milliseconds(500)) == milliseconds(500));
}

TEST_CASE("liveness: cost classes have hysteresis") {
    CHECK(cost_class(0, 0) == 0);
    CHECK(cost_class(0.22, 0) == 0);
    CHECK(cost_class(0.24, 0) == 1);
    CHECK(cost_class(0.10, 1) == 1);
    CHECK(cost_class(0.06, 1) == 0);
    CHECK(cost_class(0.52, 1) == 1);
    CHECK(cost_class(0.54, 1) == 2);
    CHECK(cost_class(0.40, 2) == 2);
    CHECK(cost_class(0.36, 2) == 1);
    CHECK(cost_class(0.06, 2) == 0);
    CHECK(cost_class(0.9, 0) == 2);
}
