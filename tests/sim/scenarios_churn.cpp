// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tests/sim/scene.h"

namespace meshd::sim {

TEST_CASE("crash: the others say offline within seconds, and returned when it is back") {
    Scene scene(301, lan(10));
    scene.form();
    scene.world.run_for(seconds(10));
    REQUIRE(scene.world.raise(3));
    scene.world.run_for(seconds(1));
    scene.world.crash(3);
    const auto known =
        scene.world.run_until([&] { return scene.all_see(3, NodeStatus::Offline); }, seconds(10));
    REQUIRE(known);
    MESSAGE("crash of one in 10 known to all after " << print_ms(*known));
    CHECK(*known < seconds(4));
    for (Host host = 0; host < 10; ++host) {
        if (host != 3) {
            CHECK(scene.checkers.events(host, NodeEventKind::Offline, scene.world.id(3)) == 1);
        }
    }
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(20));
    scene.world.start(3);
    const auto back =
        scene.world.run_until([&] { return scene.all_see(3, NodeStatus::Alive); }, seconds(10));
    REQUIRE(back);
    MESSAGE("its return known to all after " << print_ms(*back));
    CHECK(*back < seconds(2));
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 10; ++host) {
        if (host != 3) {
            CHECK(scene.checkers.events(host, NodeEventKind::Returned, scene.world.id(3)) == 1);
            CHECK(scene.checkers.events(host, NodeEventKind::Offline, scene.world.id(3)) == 1);
        }
    }
    // Its own earlier alert comes back to it.
    CHECK(scene.world.node(3).alerts(scene.world.now(3)).size() == 1);
}

TEST_CASE("crash: behind a dead relay nodes are unreachable because of it") {
    Scene scene(302, line(5));
    scene.form();
    scene.world.crash(2);
    REQUIRE(scene.world.run_until(
        [&] {
            return scene.status(0, 2) == NodeStatus::Offline &&
                   scene.status(0, 3) == NodeStatus::Unreachable &&
                   scene.status(0, 4) == NodeStatus::Unreachable &&
                   scene.status(4, 0) == NodeStatus::Unreachable;
        },
        seconds(6)));
    CHECK(scene.status(0, 1) == NodeStatus::Alive);
    CHECK(scene.world.node(0).node(scene.world.now(0), scene.world.id(4))->because ==
          scene.world.id(2));
    scene.world.start(2);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("leave: known at once, the data stay, and the return is a return") {
    Scene scene(303, lan(6));
    scene.form();
    REQUIRE(scene.world.command(4, UpdateState{"{\"kept\":true}", {}}));
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(2));  // all hold links with all, so that it parts nobody
    scene.world.stop(4);
    const auto known =
        scene.world.run_until([&] { return scene.all_see(4, NodeStatus::Left); }, seconds(5));
    REQUIRE(known);
    MESSAGE("leave known to all after " << print_ms(*known));
    CHECK(*known < milliseconds(200));
    CHECK(scene.world.run_until([&] { return !scene.world.is_running(4); }, seconds(1)));
    scene.world.run_for(seconds(10));
    CHECK(scene.all_see(4, NodeStatus::Left));
    CHECK(scene.world.node(0).state(scene.world.now(0), scene.world.id(4))->document ==
          "{\"kept\":true}");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.events(NodeEventKind::Unreachable) == 0);
    CHECK(scene.events(NodeEventKind::Left) == 5);
    scene.world.start(4);
    CHECK(scene.checkers.settle(seconds(5)) == "");
    CHECK(scene.events(NodeEventKind::Returned) == 5);
}

TEST_CASE("leave: with restarting, nodes are told so") {
    Scene scene(304, line(3));
    scene.form();
    scene.world.stop(2, true);
    REQUIRE(scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Left); }, seconds(5)));
    CHECK(scene.world.node(0).node(scene.world.now(0), scene.world.id(2))->restarting);
    CHECK(scene.events(NodeEventKind::Restarting) == 2);
    CHECK(scene.events(NodeEventKind::Left) == 0);
    scene.world.start(2);
    CHECK(scene.checkers.settle(seconds(5)) == "");
}

TEST_CASE("leave: a node that left serves on, refuses alerts, and discover rejoins") {
    Scene scene(305, lan(3));
    scene.form();
    const auto left = scene.world.command(1, Leave{});
    REQUIRE(left);
    scene.world.run_for(seconds(1));
    CHECK(scene.world.answer<HasLeft>(1, *left) != nullptr);
    CHECK(scene.world.node(1).status(scene.world.now(1)).has_left);
    CHECK(scene.world.node(1).peers(scene.world.now(1)).empty());
    const auto refused = scene.world.raise(1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == CommandError::Code::HasLeft);
    scene.world.run_for(seconds(20));
    CHECK(scene.status(0, 1) == NodeStatus::Left);
    REQUIRE(scene.world.command(1, Discover{}));
    CHECK(scene.checkers.settle(seconds(5)) == "");
    CHECK(scene.raise_and_wait(1));
}

TEST_CASE("restart: the numbers of a new process are not old") {
    Scene scene(306, lan(4));
    scene.form();
    for (int i = 0; i < 20; ++i) {
        REQUIRE(scene.world.raise(0));
        REQUIRE(scene.world.command(0, UpdateState{"{\"before\":" + std::to_string(i) + "}", {}}));
    }
    CHECK(scene.checkers.settle() == "");
    // So short that nobody noticed that it was gone.
    scene.world.crash(0);
    scene.world.run_for(milliseconds(100));
    scene.world.start(0);
    CHECK(scene.checkers.settle(seconds(10)) == "");
    CHECK(scene.raise_and_wait(0));
    REQUIRE(scene.world.command(0, UpdateState{"{\"after\":1}", {}}));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.world.node(3).alerts(scene.world.now(3)).size() == 21);
    CHECK(scene.world.node(3).state(scene.world.now(3), scene.world.id(0))->document ==
          "{\"after\":1}");
}

TEST_CASE("restart: many times in a row leaves nothing behind") {
    Scene scene(307, lan(3));
    scene.form();
    for (int i = 0; i < 20; ++i) {
        REQUIRE(scene.world.raise(2));
        scene.world.run_for(milliseconds(300));
        scene.world.crash(2);
        scene.world.run_for(seconds(i % 4));
        scene.world.start(2);
        CHECK(scene.checkers.settle(seconds(10)) == "");
    }
    CHECK(scene.world.node(0).nodes(scene.world.now(0)).size() == 3);
    // All may agree before the last link is there.
    CHECK(scene.world.run_until(
        [&] { return scene.world.node(0).peers(scene.world.now(0)).size() == 2; }, seconds(10)));
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 20);
}

TEST_CASE("power cycle: all boxes start at the same instant") {
    Scene scene(308, lan(20));
    for (Host host = 0; host < 20; ++host) {
        scene.world.start(host);
    }
    const TimePoint started = scene.world.time();
    CHECK(scene.checkers.settle(seconds(10)) == "");
    MESSAGE("20 boxes at once agree after " << print_ms(scene.world.time() - started));
}

TEST_CASE("partition: two halves of 5 go on alone and are one after the heal") {
    Scene scene(309, lan(10));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({0, 1, 2, 3, 4}, {5, 6, 7, 8, 9});
    scene.world.run_for(seconds(10));
    for (Host host = 0; host < 10; ++host) {
        CHECK(scene.world.node(host).status(scene.world.now(host)).nodes_alive == 5);
    }
    for (int i = 0; i < 30; ++i) {
        REQUIRE(scene.world.raise(static_cast<Host>(i % 10), static_cast<Priority>(i % 4)));
        REQUIRE(scene.world.command(static_cast<Host>(i % 10),
                                    UpdateState{"{\"i\":" + std::to_string(i) + "}", {}}));
        scene.world.run_for(milliseconds(500));
    }
    scene.world.run_for(seconds(35));
    scene.world.network().heal();
    const TimePoint healed = scene.world.time();
    CHECK(scene.checkers.settle(seconds(10)) == "");
    MESSAGE("after a partition of a minute all agree after "
            << print_ms(scene.world.time() - healed));
    CHECK(scene.world.node(9).alerts(scene.world.now(9)).size() == 30);
}

TEST_CASE("partition: a box cut off alone knows it, and is back soon after") {
    Scene scene(310, lan(5));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({0}, {1, 2, 3, 4});
    const auto knows = scene.world.run_until(
        [&] { return scene.world.node(0).status(scene.world.now(0)).nodes_alive == 1; },
        seconds(10));
    REQUIRE(knows);
    CHECK(*knows < seconds(4));
    scene.world.run_for(minutes(5));
    scene.world.network().heal();
    const TimePoint healed = scene.world.time();
    CHECK(scene.checkers.settle(seconds(10)) == "");
    MESSAGE("cut off known after " << print_ms(*knows) << ", back after "
                                   << print_ms(scene.world.time() - healed));
}

TEST_CASE("clone: a second box of one name does not take the name over") {
    for (const bool with_instance : {false, true}) {
        CAPTURE(with_instance);
        Scene scene(311, lan(4));
        scene.world.clone(3, 0, with_instance);
        for (Host host = 0; host < 3; ++host) {
            scene.world.start(host);
        }
        REQUIRE(scene.checkers.settle() == "");
        REQUIRE(scene.world.command(0, UpdateState{"{\"i am\":\"first\"}", {}}));
        scene.world.run_for(seconds(5));
        scene.world.start(3);
        scene.world.run_for(seconds(30));
        CHECK(scene.world.node(1).state(scene.world.now(1), scene.world.id(0))->document ==
              "{\"i am\":\"first\"}");
        CHECK(scene.world.node(1).peers(scene.world.now(1)).size() == 2);
        CHECK(scene.checkers.events(3, NodeEventKind::Conflict, scene.world.id(0)) >= 1);
    }
}

TEST_CASE("crash: a leaf that only a hub of many hears is known dead within three seconds") {
    std::vector<Duration> times;
    for (std::uint64_t seed = 330; seed < 333; ++seed) {
        Scene scene(seed, hub(21));
        scene.form(seconds(20));
        scene.world.run_for(minutes(1));
        for (Host leaf = 1; leaf <= 12; ++leaf) {
            scene.world.run_for(seconds(5) +
                                scene.world.prng().between(Duration::zero(), seconds(5)));
            scene.world.crash(leaf);
            const auto known = scene.world.run_until(
                [&] { return scene.status(0, leaf) == NodeStatus::Offline; }, seconds(10));
            REQUIRE(known);
            times.push_back(*known);
        }
    }
    std::sort(times.begin(), times.end());
    MESSAGE("known after " << print_ms(times[times.size() / 2]) << " in the median, "
                           << print_ms(times.back()) << " at most");
    CHECK(times[times.size() / 2] < milliseconds(1500));
    CHECK(times.back() < seconds(3));
}

TEST_CASE("leave: who is behind a relay that leaves is unreachable because of it, not offline") {
    for (const bool restarting : {false, true}) {
        CAPTURE(restarting);
        Scene scene(334, line(4));
        scene.form();
        scene.world.run_for(seconds(5));
        scene.world.stop(1, restarting);
        REQUIRE(scene.world.run_until([&] { return !scene.world.is_running(1); }, seconds(2)));
        scene.world.run_for(seconds(10));
        CHECK(scene.status(0, 1) == NodeStatus::Left);
        for (const Host far : {Host{2}, Host{3}}) {
            const auto view = scene.world.node(0).node(scene.world.now(0), scene.world.id(far));
            REQUIRE(view);
            CHECK(view->status == NodeStatus::Unreachable);
            CHECK(view->because == scene.world.id(1));
        }
        scene.world.start(1);
        CHECK(scene.checkers.settle() == "");
        scene.world.run_for(seconds(10));
        CHECK(scene.events(NodeEventKind::Offline) == 0);
    }
}

TEST_CASE("crash: a relay that is back at once has taken nobody offline behind it") {
    std::size_t unreachable = 0;
    for (std::uint64_t seed = 336; seed < 346; ++seed) {
        CAPTURE(seed);
        Scene scene(seed, line(3));
        scene.world.network().defaults().loss = 0.2;
        scene.form(seconds(20));
        scene.world.run_for(seconds(10));
        scene.world.crash(1);
        scene.world.run_for(scene.world.prng().between(Duration::zero(), seconds(1)));
        scene.world.start(1);
        CHECK(scene.checkers.settle() == "");
        for (const auto& [viewer, subject] : {std::pair<Host, Host>{0, 2}, {2, 0}}) {
            CHECK(scene.checkers.events(viewer, NodeEventKind::Offline, scene.world.id(subject)) ==
                  0);
        }
        unreachable += scene.events(NodeEventKind::Unreachable);
    }
    MESSAGE(unreachable << " times unreachable in 10 runs");
}

TEST_CASE("crash: a relay that comes back without those behind it leaves them offline") {
    Scene scene(347, line(3));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.crash(2);
    scene.world.crash(1);
    scene.world.run_for(seconds(5));
    CHECK(scene.status(0, 2) == NodeStatus::Unreachable);
    scene.world.start(1);
    CHECK(scene.world.run_until([&] { return scene.status(0, 2) == NodeStatus::Offline; },
                                seconds(10)));
    CHECK(scene.checkers.settle() == "");
}

}  // namespace meshd::sim
