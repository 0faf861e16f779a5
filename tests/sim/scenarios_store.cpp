// SPDX-License-Identifier: Apache-2.0
// Registry, shared state and alerts by key: who wins, whatever the clocks.
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

constexpr std::int64_t kTo1970Ms = -kWallBeginningMs;
constexpr std::int64_t kTo2038Ms = 360'000'000'000;

}  // namespace

TEST_CASE("registry: sightings of several nodes stand beside each other, newest first") {
    Scene scene(801, lan(3));
    scene.form();
    for (Host host = 0; host < 3; ++host) {
        scene.put(host, "seen");
        scene.world.run_for(milliseconds(100));
    }
    CHECK(scene.checkers.settle() == "");
    const auto entries = scene.world.node(1).entries(scene.world.now(1), "seen");
    REQUIRE(entries.size() == 3);
    CHECK(entries[0].node == scene.world.id(2));
    CHECK(entries[2].node == scene.world.id(0));
    CHECK(scene.remove(1, "seen", scene.world.id(0)) == 1);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.world.node(2).entries(scene.world.now(2), "seen").size() == 2);
    CHECK(scene.remove(0, "seen") == 2);
    CHECK(scene.checkers.settle() == "");
    CHECK(all_entries(scene.world.node(2), scene.world.now(2)).empty());
}

TEST_CASE("shared: writes on both sides of a partition end in one of them everywhere") {
    Scene scene(803, lan(4));
    scene.form();
    scene.share(0, "mode", "\"both\"");
    scene.share(0, "gone", "\"soon\"");
    scene.world.run_for(seconds(1));
    scene.world.network().partition({0, 1}, {2, 3});
    scene.world.run_for(seconds(5));
    scene.share(0, "mode", "\"left\"");
    scene.share(3, "mode", "\"right\"");
    scene.share(2, "gone", "null");
    scene.world.run_for(seconds(5));
    scene.world.network().heal();
    CHECK(scene.checkers.settle() == "");
    const std::string mode = scene.shared(0, "mode");
    CHECK((mode == "\"left\"" || mode == "\"right\""));
    CHECK(scene.shared(1, "gone") == "");
}

TEST_CASE("clocks: a later write wins although an earlier one came from a box in 2038") {
    Scene scene(804, lan(4));
    scene.world.jump_wall_clock(0, kTo1970Ms);
    scene.world.jump_wall_clock(1, kTo2038Ms);
    scene.form();
    scene.share(1, "mode", "\"from 2038\"");
    const std::string hers = scene.put(1, "hers");
    scene.world.run_for(seconds(2));
    scene.share(0, "mode", "\"from 1970\"");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shared(3, "mode") == "\"from 1970\"");
    scene.share(2, "mode", "\"from today\"");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shared(0, "mode") == "\"from today\"");
    // Deletes too.
    CHECK(scene.remove(0, "hers") == 1);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(1, "hers", 1) == "");
    const std::string again = scene.put(1, "hers");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(0, "hers", 1) == again);
    scene.share(0, "mode", "null");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shared(1, "mode") == "");
}

TEST_CASE("clocks: a write in 2038 does not stop those of a box that has not seen it for ever") {
    Scene scene(805, lan(3));
    scene.form();
    scene.world.run_for(minutes(1));
    scene.world.network().partition({0}, {1, 2});
    scene.world.jump_wall_clock(0, kTo2038Ms);
    scene.world.run_for(seconds(5));
    scene.share(0, "mode", "\"from 2038\"");
    scene.share(1, "mode", "\"from today\"");
    scene.world.run_for(seconds(5));
    scene.world.network().heal();
    CHECK(scene.checkers.settle() == "");
    scene.share(1, "mode", "\"later\"");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shared(0, "mode") == "\"later\"");
}

TEST_CASE("clocks: power-off at 1970 makes nothing younger or older than it may be") {
    Scene scene(806, lan(3));
    for (Host host = 0; host < 3; ++host) {
        scene.world.jump_wall_clock(host, kTo1970Ms);
    }
    scene.form();
    scene.put(0, "seen");
    scene.put(1, "expires", 120'000);
    REQUIRE(scene.world.raise(0));
    scene.world.run_for(seconds(30));
    for (Host host = 0; host < 3; ++host) {
        scene.world.crash(host);
    }
    scene.world.run_for(minutes(60));
    // No real-time clock: at power-on each begins in 1970 again.
    for (Host host = 0; host < 3; ++host) {
        scene.world.jump_wall_clock(host, -to_ms(minutes(60)));
    }
    scene.start_all();
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 3; ++host) {
        const auto entries = scene.world.node(host).entries(scene.world.now(host), "seen");
        REQUIRE(entries.size() == 1);
        // Without a clock only the time up to the last commit is known.
        CHECK(entries[0].age_ms < 70'000);
        CHECK(scene.world.node(host).alerts(scene.world.now(host)).size() == 1);
    }
    scene.world.run_for(minutes(3));
    CHECK(scene.shown(2, "expires", 1) == "");
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("clocks: what a box holds without power grows older like the same elsewhere") {
    Scene scene(818, lan(3));
    scene.form();
    scene.put(0, "seen");
    scene.put(1, "expires", 3'000'000);
    REQUIRE(scene.world.raise(0));
    scene.world.run_for(seconds(70));
    scene.world.crash(2);
    scene.world.run_for(minutes(40));
    scene.world.start(2);
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(1));
    const auto age = [&](Host host) {
        return scene.world.node(host).entries(scene.world.now(host), "seen").at(0).age_ms;
    };
    CHECK(age(2) <= age(0));
    CHECK(age(2) + 2000 >= age(0));  // up to the last commit it knew of itself
    scene.world.run_for(minutes(9));
    for (Host host = 0; host < 3; ++host) {
        CHECK(scene.shown(host, "expires", 1) == "");
    }
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("clocks: where they do not agree, nothing grows older than it is") {
    Scene scene(819, lan(2));
    scene.form();
    scene.put(0, "seen");
    scene.put(1, "lasts", 86'400'000);
    REQUIRE(scene.world.raise(0));
    scene.world.run_for(seconds(70));
    scene.world.crash(1);
    scene.world.run_for(seconds(10));
    constexpr std::int64_t kDayMs = 86'400'000;
    scene.world.jump_wall_clock(0, 2 * kDayMs);
    scene.world.jump_wall_clock(1, 3 * kDayMs);
    scene.world.start(1);
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(minutes(2));
    CHECK(scene.world.node(1).entries(scene.world.now(1), "seen").at(0).age_ms < 300'000);
    CHECK(scene.shown(1, "lasts", 1) != "");
    CHECK(scene.world.node(1).alerts(scene.world.now(1)).size() == 1);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("alerts: one of a dedupe key is raised once while it is held") {
    Scene scene(814, lan(3));
    scene.form();
    const auto first = scene.world.raise(0, Priority::High, 0, {}, "door", 20'000);
    REQUIRE(first);
    scene.world.run_for(seconds(1));
    const auto second = scene.world.raise(0, Priority::High, 0, {}, "door");
    REQUIRE(second);
    scene.world.run_for(seconds(1));
    const auto* raised = scene.world.answer<AlertRaised>(0, *first);
    const auto* repeated = scene.world.answer<AlertRaised>(0, *second);
    REQUIRE(raised != nullptr);
    REQUIRE(repeated != nullptr);
    CHECK_FALSE(raised->is_repeated);
    CHECK(repeated->is_repeated);
    CHECK(repeated->id == raised->id);
    CHECK(scene.checkers.alerts_told(2) == 1);
    scene.world.run_for(seconds(20));
    CHECK(scene.world.node(2).alerts(scene.world.now(2)).empty());
    const auto third = scene.world.raise(0, Priority::High, 0, {}, "door");
    REQUIRE(third);
    scene.world.run_for(seconds(1));
    CHECK_FALSE(scene.world.answer<AlertRaised>(0, *third)->is_repeated);
    CHECK(scene.checkers.settle() == "");
}

}  // namespace meshd::sim
