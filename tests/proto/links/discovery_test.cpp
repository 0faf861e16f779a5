// SPDX-License-Identifier: Apache-2.0
#include "proto/links/discovery.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

/// Follows the timer, as a node does, and notes what was due.
struct Fixture {
    Prng random = prng();
    Discovery::Facts facts;
    std::optional<Discovery> discovery;
    TimePoint now = at(0);

    std::vector<Duration> beacons;  ///< since at(0)
    std::vector<std::pair<Duration, Endpoint>> hellos;
    std::vector<std::pair<Duration, Endpoint>> offers;
    std::size_t dropped = 0;

    void start(std::vector<Endpoint> bootstrap = {}) {
        discovery.emplace(now, Discovery::Options{seconds(5), seconds(60), std::move(bootstrap)},
                          random);
    }
    void run_until(TimePoint end) {
        while (discovery->next_deadline() && *discovery->next_deadline() <= end) {
            now = std::max(now, *discovery->next_deadline());
            const auto due = discovery->on_timeout(now, facts);
            if (due.beacon) {
                beacons.push_back(now - at(0));
            }
            for (const Endpoint& to : due.hellos) {
                hellos.emplace_back(now - at(0), to);
            }
            dropped += due.offers_dropped;
            for (const Discovery::Asker& asker : due.offers) {
                offers.emplace_back(now - at(0), asker.from);
            }
        }
        now = end;
    }
    void clear() {
        beacons.clear();
        hellos.clear();
        offers.clear();
    }
};

const std::vector<Duration> kFastStart = {milliseconds(0), milliseconds(100), milliseconds(500),
                                          milliseconds(1000), milliseconds(2000)};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "discovery: beacons at 0, 0.1, 0.5, 1 and 2 s") {
    start();
    run_until(at(5900));
    CHECK(beacons == kFastStart);
}

TEST_CASE_FIXTURE(Fixture, "discovery: then every interval, backing off while nothing changes") {
    start();
    run_until(at(3'600'000));
    REQUIRE(beacons.size() > 20);
    std::vector<Duration> gaps;
    for (std::size_t i = 5; i < beacons.size(); ++i) {
        gaps.push_back(beacons[i] - beacons[i - 1]);
    }
    CHECK(gaps[0] >= seconds(4));
    CHECK(gaps[0] <= seconds(5));
    CHECK(gaps[1] >= milliseconds(6000));
    CHECK(gaps[1] <= milliseconds(7500));
    for (const Duration gap : gaps) {
        CHECK(gap <= seconds(60));
    }
    for (std::size_t i = 8; i < gaps.size(); ++i) {
        CHECK(gaps[i] >= seconds(48));
    }
}

TEST_CASE_FIXTURE(Fixture, "discovery: in a crowd most beacons of a fast start are left out") {
    std::size_t sent = 0;
    std::size_t first = 0;
    for (std::uint8_t seed = 1; seed <= 100; ++seed) {
        random = prng(seed);
        now = at(0);
        clear();
        start();
        run_until(at(50));
        first += beacons.size();
        for (std::uint64_t other = 0; other < 100; ++other) {
            discovery->admit(at(60), box(static_cast<std::uint8_t>(other + 1)), other + 1);
        }
        run_until(at(110));
        sent += beacons.size();
    }
    CHECK(first == 100);
    CHECK(sent - first > 10);  // 25 of 100 expected
    CHECK(sent - first < 40);
}

TEST_CASE_FIXTURE(Fixture, "discovery: the more nodes are heard, the rarer the beacons") {
    facts.heard = 1000;
    start();
    run_until(at(7'200'000));
    CHECK(beacons.back() - beacons[beacons.size() - 2] >= seconds(200));
}

TEST_CASE_FIXTURE(Fixture, "discovery: a node alone does not fall silent") {
    facts.is_alone = true;
    start();
    run_until(at(3'600'000));
    CHECK(beacons.back() - beacons[beacons.size() - 2] <= seconds(5));
}

TEST_CASE_FIXTURE(Fixture, "discovery: fast again on a change, but not anew with each of many") {
    start();
    run_until(at(600'000));
    clear();
    for (int i = 0; i < 50; ++i) {
        discovery->on_change(at(600'000 + i));
    }
    run_until(at(610'000));
    REQUIRE(beacons.size() >= 4);
    CHECK(beacons.size() <= 6);
    CHECK(beacons[0] >= milliseconds(600'100));
    CHECK(beacons[0] <= milliseconds(600'500));
    CHECK(beacons[1] == milliseconds(601'000));
    CHECK(beacons[2] == milliseconds(602'000));
    CHECK(beacons[3] >= milliseconds(606'000));
    CHECK(beacons[3] <= milliseconds(607'000));
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: eager while a node is missing, by the number of nodes heard") {
    start();
    run_until(at(600'000));
    clear();
    facts.missing_since = at(600'000);
    const auto gap_with = [&](std::size_t heard) {
        facts.heard = heard;
        discovery->on_change(now);
        run_until(now + seconds(60));
        clear();
        run_until(now + seconds(60));
        return seconds(60) / static_cast<double>(beacons.size());
    };
    CHECK(gap_with(0).count() == doctest::Approx(0.5).epsilon(0.05));
    CHECK(gap_with(2).count() == doctest::Approx(0.5).epsilon(0.05));
    CHECK(gap_with(20).count() == doctest::Approx(5).epsilon(0.15));
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: a node missing for 10 minutes is looked for no more eagerly") {
    start();
    facts.missing_since = at(0);
    facts.missing_address = box(9);
    run_until(at(600'000));
    CHECK(beacons.size() > 1000);
    clear();
    run_until(at(1'800'000));
    CHECK(beacons.size() < 40);
    CHECK(hellos.empty());
}

TEST_CASE_FIXTURE(Fixture, "discovery: a missing node's address is asked once a second") {
    start();
    facts.missing_since = at(0);
    facts.missing_address = box(9);
    SUBCASE("few nodes heard") {
        facts.heard = 2;
    }
    SUBCASE("beacons are rarer than that") {
        facts.heard = 40;
    }
    run_until(at(60'000));
    CHECK(hellos.size() >= 55);
    CHECK(hellos.size() <= 61);
    for (const auto& [when, to] : hellos) {
        CHECK(to == box(9));
    }
    clear();
    facts.missing_since.reset();
    run_until(at(120'000));
    CHECK(hellos.empty());
}

TEST_CASE_FIXTURE(Fixture, "discovery: bootstrap addresses are asked for ever, ever more rarely") {
    start({box(7), box(8)});
    run_until(at(3'600'000));
    std::vector<Duration> gaps;
    std::optional<Duration> last;
    for (const auto& [when, to] : hellos) {
        if (to == box(7)) {
            if (last) {
                gaps.push_back(when - *last);
            }
            last = when;
        }
    }
    REQUIRE(gaps.size() > 20);
    CHECK(hellos[0] == std::pair(Duration{}, box(7)));
    CHECK(hellos[1] == std::pair(Duration{}, box(8)));
    CHECK(gaps[0] >= milliseconds(800));
    CHECK(gaps[0] <= milliseconds(1000));
    CHECK(gaps[1] >= milliseconds(1600));
    CHECK(gaps[1] <= milliseconds(2000));
    for (std::size_t i = 6; i < gaps.size(); ++i) {
        CHECK(gaps[i] >= seconds(48));
        CHECK(gaps[i] <= seconds(60));
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: a bootstrap address with a link is not asked, and soon after it") {
    start({box(7)});
    run_until(at(600'000));
    clear();
    facts.linked = {box(7, 9999, 42)};
    run_until(at(1'200'000));
    CHECK(hellos.empty());
    facts.linked.clear();
    run_until(at(1'203'000));
    CHECK_FALSE(hellos.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: other bootstrap addresses leave the pace of those that stay") {
    start({box(7), box(8)});
    run_until(at(600'000));
    clear();
    discovery->set_bootstrap(now, {box(7), box(9), box(9)});
    run_until(at(600'500));
    CHECK(hellos.size() == 1);
    CHECK(hellos.back().second == box(9));
    run_until(at(700'000));
    std::size_t stayed = 0;
    for (const auto& [when, to] : hellos) {
        CHECK_FALSE(to == box(8));
        stayed += to == box(7) ? 1 : 0;
    }
    CHECK(stayed >= 1);
    CHECK(stayed <= 2);
}

TEST_CASE_FIXTURE(Fixture, "discovery: bootstrap addresses beyond the limit are left out") {
    std::vector<Endpoint> many;
    for (std::uint16_t i = 0; i < Discovery::kBootstrapsMax + 20; ++i) {
        many.push_back(box(7, static_cast<std::uint16_t>(10'000 + i)));
    }
    start(many);
    run_until(at(500));
    CHECK(hellos.size() == Discovery::kBootstrapsMax);
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: bootstrap addresses told while stopped are asked on return") {
    start();
    discovery->stop();
    discovery->set_bootstrap(now, {box(7)});
    CHECK_FALSE(discovery->next_deadline());
    discovery->start(now);
    run_until(at(500));
    REQUIRE(hellos.size() == 1);
    CHECK(hellos[0].second == box(7));
}

TEST_CASE_FIXTURE(Fixture, "discovery: in a small mesh every beacon is answered within 50 ms") {
    start();
    run_until(at(10'000));
    for (std::uint8_t i = 1; i <= 10; ++i) {
        discovery->on_hello(now, {box(i), StartId{i}, KeyId{}}, true, 10, 10);
    }
    CHECK(offers.empty());
    run_until(at(10'050));
    CHECK(offers.size() == 10);
    Duration longest{};
    for (const auto& [when, to] : offers) {
        longest = std::max(longest, when - seconds(10));
    }
    CHECK(longest > milliseconds(20));
}

TEST_CASE_FIXTURE(Fixture, "discovery: in a large mesh about three answer a beacon") {
    start();
    run_until(at(10'000));
    std::size_t answers = 0;
    constexpr int kBeacons = 2000;
    for (int i = 0; i < kBeacons; ++i) {
        discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, true, 99, 10);
        run_until(now + milliseconds(100));
        answers += offers.size();
        offers.clear();
    }
    // 3 of 100 nodes.
    CHECK(answers > kBeacons * 2 / 100);
    CHECK(answers < kBeacons * 4 / 100);
}

TEST_CASE_FIXTURE(Fixture, "discovery: a unicast HELLO is answered at once") {
    start();
    run_until(at(10'000));
    discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, false, 1000, 10);
    const auto due = discovery->on_timeout(now, facts);
    REQUIRE(due.offers.size() == 1);
    CHECK(due.offers[0] == Discovery::Asker{box(1), StartId{1}, KeyId{}});
}

TEST_CASE_FIXTURE(Fixture, "discovery: at most 20 offers a second, and a bounded number waiting") {
    start();
    run_until(at(10'000));
    std::size_t answered = 0;
    for (int ms = 0; ms < 10'000; ms += 10) {
        CHECK(discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, false, 1, 10));
        run_until(now + milliseconds(10));
        answered += offers.size();
        offers.clear();
    }
    CHECK(answered >= 200);
    CHECK(answered <= 220);
    CHECK(answered + dropped == 1000);
    run_until(now + seconds(2));
    std::size_t refused = 0;
    for (std::size_t i = 0; i < 2 * Discovery::kOffersWaitingMax; ++i) {
        refused += discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, false, 1, 10) ? 0 : 1;
    }
    CHECK(refused == Discovery::kOffersWaitingMax);
    const auto due = discovery->on_timeout(now, facts);
    CHECK(due.offers.size() == 20);
    CHECK(due.offers_dropped == Discovery::kOffersWaitingMax - 20);
}

TEST_CASE_FIXTURE(Fixture, "discovery: one beacon by broadcast and multicast counts once") {
    start();
    CHECK(discovery->admit(at(0), box(1), 0xabc) == Discovery::Admission::Accept);
    CHECK(discovery->admit(at(0), box(1), 0xabc) == Discovery::Admission::Duplicate);
    CHECK(discovery->admit(at(0), box(1), 0xabd) == Discovery::Admission::Accept);
}

TEST_CASE_FIXTURE(Fixture,
                  "discovery: HELLOs of one source are limited to 5 a second, 10 at once") {
    start();
    std::uint64_t fingerprint = 1;
    const auto accepted = [&](TimePoint when, const Endpoint& from) {
        return discovery->admit(when, from, fingerprint++) == Discovery::Admission::Accept;
    };
    int burst = 0;
    while (accepted(at(0), box(1))) {
        ++burst;
    }
    CHECK(burst == 10);
    CHECK(accepted(at(0), box(2)));
    int sustained = 0;
    for (int ms = 1; ms <= 10'000; ++ms) {
        sustained += accepted(at(ms), box(1)) ? 1 : 0;
    }
    CHECK(sustained >= 49);
    CHECK(sustained <= 51);
}

TEST_CASE_FIXTURE(Fixture, "discovery: HELLOs of all sources together are limited too") {
    start();
    std::uint64_t accepted = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
        const Endpoint from = box(static_cast<std::uint8_t>(i % 250));
        accepted += discovery->admit(at(0), from, i + 1) == Discovery::Admission::Accept ? 1 : 0;
    }
    CHECK(accepted == static_cast<std::uint64_t>(Discovery::kHellosInAll.burst));
}

TEST_CASE_FIXTURE(Fixture, "discovery: a host that floods, from any ports, starves no other") {
    start();
    std::uint64_t fingerprint = 1;
    const auto accepted = [&](TimePoint when, const Endpoint& from) {
        return discovery->admit(when, from, fingerprint++) == Discovery::Admission::Accept;
    };
    std::size_t of_flood = 0;
    std::size_t of_others = 0;
    for (int ms = 0; ms < 10'000; ++ms) {
        for (int i = 0; i < 10; ++i) {
            const auto port = static_cast<std::uint16_t>(1 + (ms * 10 + i) % 60'000);
            of_flood += accepted(at(ms), box(1, port)) ? 1 : 0;
        }
        if (ms % 500 == 0) {
            of_others += accepted(at(ms), box(2)) ? 1 : 0;
        }
    }
    CHECK(of_flood >= 400);
    CHECK(of_flood <= 441);
    CHECK(of_others == 20);
}

TEST_CASE_FIXTURE(Fixture, "discovery: OFFERs are expected for 3 s after an own beacon, from all") {
    start();
    CHECK_FALSE(discovery->expects_offer(at(0), box(1), 7));
    discovery->on_asked(at(100), std::nullopt, 7);
    CHECK(discovery->expects_offer(at(100), box(1), 7));
    CHECK(discovery->expects_offer(at(3100), box(2), 7));
    CHECK_FALSE(discovery->expects_offer(at(3101), box(1), 7));
}

TEST_CASE_FIXTURE(Fixture, "discovery: an OFFER that echoes none of the HELLOs is not expected") {
    start();
    discovery->on_asked(at(0), std::nullopt, 7);
    discovery->on_asked(at(0), box(1), 8);
    CHECK_FALSE(discovery->expects_offer(at(0), box(1), 9));
    CHECK(discovery->expects_offer(at(0), box(1), 8));
    CHECK_FALSE(discovery->expects_offer(at(0), box(2), 8));
    discovery->on_asked(at(3001), std::nullopt, 9);
    CHECK_FALSE(discovery->expects_offer(at(3001), box(1), 7));
    CHECK(discovery->expects_offer(at(3001), box(1), 9));
}

TEST_CASE_FIXTURE(Fixture, "discovery: and for 3 s after a HELLO, from whom it went to") {
    start();
    discovery->on_asked(at(0), box(1), 7);
    CHECK(discovery->expects_offer(at(0), box(1, 9999, 42), 7));
    CHECK_FALSE(discovery->expects_offer(at(0), box(2), 7));
    CHECK_FALSE(discovery->expects_offer(at(0), box(1, 10'000), 7));
    discovery->on_asked(at(2000), box(1), 8);
    CHECK(discovery->expects_offer(at(5000), box(1), 8));
    CHECK_FALSE(discovery->expects_offer(at(5001), box(1), 8));
}

TEST_CASE_FIXTURE(Fixture, "discovery: of more asked than remembered the latest are expected") {
    start();
    for (std::size_t i = 1; i <= Discovery::kAskedMax + 1; ++i) {
        discovery->on_asked(at(0), box(1), i);
    }
    CHECK_FALSE(discovery->expects_offer(at(0), box(1), 1));
    CHECK(discovery->expects_offer(at(0), box(1), 2));
    CHECK(discovery->expects_offer(at(0), box(1), Discovery::kAskedMax + 1));
}

TEST_CASE_FIXTURE(Fixture, "discovery: OFFERs heard are limited like HELLOs, apart from them") {
    start();
    int taken = 0;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        discovery->admit(at(0), box(1), i);
        taken += discovery->admit_offer(at(0), box(1)) ? 1 : 0;
    }
    CHECK(taken == 10);
    CHECK(discovery->admit_offer(at(0), box(2)));
    CHECK(discovery->admit_offer(at(1000), box(1)));
}

TEST_CASE_FIXTURE(Fixture, "discovery: stopped, it asks and answers no one until it starts again") {
    start({box(7)});
    discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, true, 1, 10);
    discovery->stop();
    CHECK_FALSE(discovery->next_deadline());
    discovery->on_change(now);
    discovery->on_hello(now, {box(1), StartId{1}, KeyId{}}, false, 1, 10);
    const auto due = discovery->on_timeout(at(10'000), facts);
    CHECK_FALSE(due.beacon);
    CHECK(due.hellos.empty());
    CHECK(due.offers.empty());
    now = at(10'000);
    discovery->start(now);
    run_until(at(15'900));
    REQUIRE(beacons.size() == kFastStart.size());
    for (std::size_t i = 0; i < kFastStart.size(); ++i) {
        CHECK(beacons[i] == seconds(10) + kFastStart[i]);
    }
    CHECK(hellos[0].second == box(7));
    CHECK(offers.empty());
}
