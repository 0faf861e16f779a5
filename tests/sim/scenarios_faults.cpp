// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// Alerts from all nodes in turn, each of which must reach everybody.
void raise_in_turn(Scene& scene, int alerts, Duration apart) {
    for (int i = 0; i < alerts; ++i) {
        const Host host = static_cast<Host>(i) % scene.world.hosts();
        REQUIRE(scene.world.raise(host, static_cast<Priority>(i % 4)));
        scene.world.run_for(apart);
    }
}

}  // namespace

TEST_CASE("loss: 10 percent, all alerts reach all 10 nodes and nobody is called offline") {
    Scene scene(201, lan(10));
    scene.world.network().defaults().loss = 0.1;
    scene.form(seconds(10));
    raise_in_turn(scene, 100, milliseconds(100));
    scene.world.run_for(minutes(5));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("loss: 20 percent, all alerts reach all 10 nodes and nobody is called offline") {
    Scene scene(202, lan(10));
    scene.world.network().defaults().loss = 0.2;
    scene.form(seconds(20));
    raise_in_turn(scene, 100, milliseconds(100));
    scene.world.run_for(minutes(5));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("loss: 10 percent on a line of 5, everything arrives") {
    Scene scene(203, line(5));
    scene.world.network().defaults().loss = 0.1;
    scene.form(seconds(10));
    raise_in_turn(scene, 100, milliseconds(100));
    scene.world.run_for(minutes(2));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("duplication and reordering: every alert is told once") {
    Scene scene(204, lan(6));
    scene.world.network().defaults() = {milliseconds(2), milliseconds(10), 0.05, 0.3, 0.3, true};
    scene.form(seconds(10));
    raise_in_turn(scene, 200, milliseconds(20));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.world.network().figures().duplicated > 1000);
    CHECK(scene.world.network().figures().reordered > 1000);
}

TEST_CASE("slow network: 150 ms of delay each way is no reason to be offline") {
    Scene scene(205, lan(4));
    scene.world.network().defaults().delay = milliseconds(150);
    scene.world.network().defaults().jitter = milliseconds(50);
    scene.form(seconds(20));
    raise_in_turn(scene, 20, milliseconds(500));
    scene.world.run_for(minutes(2));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("stalls: boxes that stand still for half a second are not offline") {
    Scene scene(206, lan(8));
    scene.form();
    for (int i = 0; i < 200; ++i) {
        const Host host = scene.world.prng().below(8);
        scene.world.pause(host);
        scene.world.run_for(scene.world.prng().between(Duration::zero(), milliseconds(500)));
        scene.world.resume(host);
        scene.world.run_for(milliseconds(300));
        REQUIRE(scene.world.raise(host));
    }
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("pause: a box stopped for a minute is offline meanwhile and resumes") {
    Scene scene(207, lan(5));
    scene.form();
    scene.world.pause(2);
    REQUIRE(
        scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Offline); }, seconds(10)));
    raise_in_turn(scene, 0, {});
    for (const Host host : {0U, 1U, 3U, 4U}) {
        REQUIRE(scene.world.raise(host));
    }
    scene.world.run_for(minutes(1));
    scene.world.resume(2);
    const TimePoint resumed = scene.world.time();
    CHECK(scene.checkers.settle(seconds(10)) == "");
    MESSAGE("a box paused for a minute agrees again after "
            << print_ms(scene.world.time() - resumed));
}

TEST_CASE("one way: a link that passes only one direction is not used") {
    Scene scene(208, lan(3));
    scene.form();
    scene.world.network().link(0, 1).up = false;
    REQUIRE(scene.world.run_until([&] { return scene.world.node(0).links().size() == 2; },
                                  seconds(10)));
    scene.world.run_for(seconds(20));
    CHECK(scene.world.node(0).links().size() == 2);
    CHECK(scene.status(0, 1) == NodeStatus::Alive);
    CHECK(scene.raise_and_wait(0));
    CHECK(scene.raise_and_wait(1));
    scene.world.network().heal();
    REQUIRE(
        scene.world.run_until([&] { return scene.world.node(0).links().size() == 3; }, minutes(2)));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("wall clock: jumps to 1970, to 2038 and by a day change nothing") {
    Scene scene(209, lan(5));
    const auto day = static_cast<std::int64_t>(milliseconds(std::chrono::hours(24)).count());
    // Back to 1970, and on to 2038.
    scene.world.jump_wall_clock(0, -kWallBeginningMs);
    scene.world.jump_wall_clock(1, 360'000'000'000);
    scene.form();
    raise_in_turn(scene, 20, milliseconds(100));
    REQUIRE(scene.world.command(0, UpdateState{"{\"from\":1970}", {}}));
    REQUIRE(scene.world.command(1, UpdateState{"{\"from\":2038}", {}}));
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 5; ++host) {
        scene.world.jump_wall_clock(host, host % 2 == 0 ? day : -day);
    }
    scene.world.run_for(seconds(30));
    raise_in_turn(scene, 20, milliseconds(100));
    for (Host host = 0; host < 5; ++host) {
        REQUIRE(scene.world.command(host, UpdateState{"{\"after\":1}", {}}));
    }
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.world.node(4).alerts(scene.world.now(4)).size() == 40);
    for (const AlertView& alert : scene.world.node(4).alerts(scene.world.now(4))) {
        CHECK(alert.age_ms < 60'000);
    }
    CHECK(scene.world.node(3).state(scene.world.now(3), scene.world.id(0))->document ==
          "{\"from\":1970,\"after\":1}");
}

TEST_CASE("wall clock: a box whose clock went back a day is still heard after a restart") {
    Scene scene(210, lan(3));
    scene.form();
    REQUIRE(scene.world.command(0, UpdateState{"{\"clock\":\"right\"}", {}}));
    CHECK(scene.checkers.settle() == "");
    scene.world.crash(0);
    scene.world.jump_wall_clock(0, -kWallBeginningMs);
    scene.world.run_for(milliseconds(500));
    scene.world.start(0);
    CHECK(scene.checkers.settle() == "");
    REQUIRE(scene.world.command(0, UpdateState{"{\"clock\":\"wrong\"}", {}}));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.world.node(1).state(scene.world.now(1), scene.world.id(0))->document ==
          "{\"clock\":\"wrong\"}");
}

TEST_CASE("timeouts: early and repeated ones do nothing") {
    Scene scene(212, lan(4));
    scene.form();
    for (int i = 0; i < 1000; ++i) {
        scene.world.run_for(milliseconds(7));
        // What is due now may happen once; the second call finds nothing to do.
        scene.world.poke(1);
        const std::uint64_t sent = scene.world.network().figures().sent;
        scene.world.poke(1);
        CHECK(scene.world.network().figures().sent == sent);
    }
    CHECK(scene.checkers.difference() == "");
}

TEST_CASE("idle: a mesh at rest sends little and wakes rarely") {
    Scene scene(211, lan(10));
    scene.form();
    scene.world.run_for(minutes(2));
    const std::uint64_t sent = scene.total(Counter::datagrams_sent);
    const std::uint64_t bytes = scene.total(Counter::bytes_sent);
    std::uint64_t timeouts = 0;
    for (Host host = 0; host < 10; ++host) {
        timeouts -= scene.world.timeouts(host);
    }
    scene.world.run_for(minutes(1));
    for (Host host = 0; host < 10; ++host) {
        timeouts += scene.world.timeouts(host);
    }
    MESSAGE("idle, per node and second: " << (scene.total(Counter::datagrams_sent) - sent) / 600
                                          << " datagrams, "
                                          << (scene.total(Counter::bytes_sent) - bytes) / 600
                                          << " bytes, " << timeouts / 600 << " timeouts");
    CHECK((scene.total(Counter::datagrams_sent) - sent) / 600 < 100);
    CHECK(timeouts / 600 < 200);
}

}  // namespace meshd::sim
