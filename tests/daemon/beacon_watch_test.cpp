// SPDX-License-Identifier: Apache-2.0
#include "daemon/beacon_watch.h"

#include <doctest/doctest.h>

using namespace meshd;
using namespace std::chrono_literals;

namespace {

constexpr BeaconWatch::Options kBoth = {true, true, 10min};

void send(BeaconWatch& watch, int number, bool by_multicast, bool by_broadcast) {
    for (int i = 0; i < number; ++i) {
        watch.on_sent();
        if (by_multicast) {
            watch.on_own(BeaconWay::Multicast);
        }
        if (by_broadcast) {
            watch.on_own(BeaconWay::Broadcast);
        }
    }
}

bool says(const BeaconWatch& watch, const std::string& part) {
    CAPTURE(watch.trouble());
    return watch.trouble().find(part) != std::string::npos;
}

TimePoint at(Duration since) {
    return TimePoint(since);
}

}  // namespace

TEST_CASE("beacons: heard back by both ways, nothing is wrong") {
    BeaconWatch watch(kBoth);
    CHECK(watch.trouble().empty());
    send(watch, 100, true, true);
    CHECK(watch.trouble().empty());
}

TEST_CASE("beacons: own ones that do not come back are told after three, by way") {
    BeaconWatch watch(kBoth);
    send(watch, 3, false, true);
    CHECK(watch.trouble().empty());
    watch.on_sent();
    CHECK(says(watch, "own beacons by multicast are not heard back"));
    watch.on_own(BeaconWay::Multicast);
    send(watch, 4, true, false);
    CHECK(says(watch, "own beacons by broadcast are not heard back"));
    send(watch, 4, false, false);
    CHECK(says(watch, "own beacons by multicast and broadcast are not heard back"));
    send(watch, 1, true, true);
    CHECK(watch.trouble().empty());
}

TEST_CASE("beacons: a way that the interface does not have is not missed") {
    BeaconWatch watch({false, true, 10min});
    send(watch, 10, false, true);
    for (int i = 0; i < 20; ++i) {
        watch.on_other(BeaconWay::Broadcast);
    }
    CHECK(watch.trouble().empty());
    BeaconWatch none(BeaconWatch::Options{});
    send(none, 10, false, false);
    CHECK(none.trouble().empty());
}

TEST_CASE("beacons: others that come by one way only are told after six") {
    for (const BeaconWay way : {BeaconWay::Multicast, BeaconWay::Broadcast}) {
        BeaconWatch watch(kBoth);
        for (unsigned i = 1; i < BeaconWatch::kMissedMax; ++i) {
            watch.on_other(way);
            CHECK(watch.trouble().empty());
        }
        watch.on_other(way);
        CHECK(says(watch, way == BeaconWay::Multicast ? "come by multicast only"
                                                      : "come by broadcast only"));
        CHECK(says(watch, "still work"));
        CHECK(watch.misses_multicast() == (way == BeaconWay::Broadcast));
        watch.on_other(way == BeaconWay::Multicast ? BeaconWay::Broadcast : BeaconWay::Multicast);
        CHECK_FALSE(watch.misses_multicast());
        CHECK(watch.trouble().empty());
    }
}

TEST_CASE("beacons: others whose copies come in bursts are heard by both ways") {
    BeaconWatch watch(kBoth);
    for (int round = 0; round < 50; ++round) {
        for (unsigned i = 0; i + 1 < BeaconWatch::kMissedMax; ++i) {
            watch.on_other(BeaconWay::Multicast);
        }
        for (unsigned i = 0; i + 1 < BeaconWatch::kMissedMax; ++i) {
            watch.on_other(BeaconWay::Broadcast);
        }
        CHECK(watch.trouble().empty());
    }
}

TEST_CASE("beacons: peers of which none comes for ten minutes are told") {
    BeaconWatch watch(kBoth);
    watch.on_tick(at(0s), false);
    watch.on_tick(at(1h), true);
    watch.on_tick(at(1h + 10min) - 1us, true);
    CHECK(watch.trouble().empty());
    watch.on_tick(at(1h + 10min), true);
    CHECK(says(watch, "neither by multicast nor by broadcast"));
    watch.on_other(BeaconWay::Broadcast);
    watch.on_tick(at(1h + 11min), true);
    CHECK(watch.trouble().empty());
    watch.on_tick(at(2h), true);
    watch.on_tick(at(2h + 5min), false);
    watch.on_tick(at(2h + 12min), true);
    CHECK(watch.trouble().empty());
}
