// SPDX-License-Identifier: Apache-2.0
// A scrapped box is forgotten on all nodes, for good.
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// No running node shows `subject`; `away` is not asked.
bool is_forgotten(const Scene& scene, Host subject, std::optional<Host> away = {}) {
    for (Host host = 0; host < scene.world.hosts(); ++host) {
        if (host != subject && host != away && scene.world.is_running(host) &&
            scene.status(host, subject)) {
            return false;
        }
    }
    return true;
}

/// The box dies, all know, and its last record is no news any more.
void scrap(Scene& scene, Host host) {
    scene.world.crash(host);
    REQUIRE(scene.world.run_until([&] { return scene.all_see(host, NodeStatus::Offline); },
                                  seconds(10)));
    scene.world.run_for(seconds(10));
}

void forget(Scene& scene, Host at, Host subject, std::optional<Host> away = {}) {
    REQUIRE(scene.world.command(at, Forget{scene.world.id(subject)}));
    const auto took =
        scene.world.run_until([&] { return is_forgotten(scene, subject, away); }, seconds(6));
    REQUIRE(took);
    MESSAGE("forgotten by all after " << print_ms(*took));
}

}  // namespace

TEST_CASE("forget: all forget a scrapped box, and each says so once") {
    for (const bool is_line : {false, true}) {
        Scene scene(1001, is_line ? line(6) : lan(8));
        scene.form();
        scrap(scene, 5);
        forget(scene, 0, 5);
        scene.world.run_for(minutes(2));
        CHECK(is_forgotten(scene, 5));
        for (Host host = 0; host < 5; ++host) {
            CHECK(scene.checkers.events(host, NodeEventKind::Forgotten, scene.world.id(5)) == 1);
        }
        CHECK(scene.checkers.settle() == "");
    }
}

TEST_CASE("forget: with one datagram in five lost all forget as well") {
    Scene scene(1002, lan(6));
    scene.world.network().defaults().loss = 0.2;
    scene.form(seconds(30));
    scene.world.crash(5);
    scene.world.run_for(seconds(20));
    REQUIRE(scene.world.command(2, Forget{scene.world.id(5)}));
    CHECK(scene.world.run_until([&] { return is_forgotten(scene, 5); }, seconds(30)));
    scene.world.run_for(minutes(1));
    CHECK(is_forgotten(scene, 5));
}

TEST_CASE("forget: a box that was away with the old record does not bring it back") {
    // Shorter and longer than streams that left are remembered.
    for (const auto away : {minutes(2), minutes(90)}) {
        Scene scene(1003, lan(5));
        scene.form();
        scene.world.run_for(seconds(5));
        scene.world.network().partition({4}, {0, 1, 2, 3});
        scene.world.run_for(seconds(10));
        scrap(scene, 3);
        forget(scene, 0, 3, 4);
        scene.world.run_for(away);
        CHECK(scene.status(4, 3));
        scene.world.network().heal();
        CHECK(scene.checkers.settle(seconds(20)) == "");
        scene.world.run_for(seconds(20));
        CHECK(is_forgotten(scene, 3));
        scene.world.run_for(minutes(5));
        CHECK(is_forgotten(scene, 3));
        CHECK(scene.checkers.settle() == "");
    }
}

TEST_CASE("forget: a box that was away with the record of an earlier start brings nothing back") {
    Scene scene(1008, lan(6));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({5}, {0, 1, 2, 3, 4});
    scene.world.run_for(seconds(10));
    // It begins anew, which the box that is away does not hear of, and dies.
    scene.world.crash(4);
    scene.world.run_for(seconds(2));
    scene.world.start(4);
    scene.world.run_for(seconds(10));
    scrap(scene, 4);
    forget(scene, 0, 4, 5);
    SUBCASE("who was asked names it still") {}
    SUBCASE("nobody names it any more") {
        scene.world.crash(0);
        scene.world.run_for(seconds(10));
        scene.world.start(0);
    }
    scene.world.run_for(seconds(20));
    CHECK(scene.status(5, 4));
    scene.world.network().heal();
    CHECK(scene.checkers.settle(seconds(30)) == "");
    scene.world.run_for(seconds(30));
    CHECK(is_forgotten(scene, 4));
    // Nor by a box that begins now and knows of nothing.
    scene.world.crash(1);
    scene.world.run_for(seconds(5));
    scene.world.start(1);
    scene.world.run_for(seconds(20));
    CHECK(is_forgotten(scene, 4));
    CHECK(scene.checkers.settle() == "");
    // Its next start is welcome.
    scene.world.start(4);
    scene.world.run_for(seconds(20));
    CHECK(scene.all_see(4, NodeStatus::Alive));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("forget: it stays forgotten where the box that was asked has restarted") {
    Scene scene(1004, lan(6));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({5}, {0, 1, 2, 3, 4});
    scene.world.run_for(seconds(10));
    scrap(scene, 4);
    forget(scene, 0, 4, 5);
    // Nobody names it any more, all remember it.
    scene.world.crash(0);
    scene.world.run_for(seconds(10));
    scene.world.start(0);
    scene.world.run_for(minutes(2));
    scene.world.network().heal();
    CHECK(scene.checkers.settle(seconds(30)) == "");
    scene.world.run_for(seconds(30));
    CHECK(is_forgotten(scene, 4));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("forget: the scrapped box under a new start is alive") {
    Scene scene(1005, lan(5));
    scene.form();
    scrap(scene, 2);
    forget(scene, 1, 2);
    scene.world.run_for(minutes(1));
    scene.world.start(2);
    CHECK(scene.checkers.settle(seconds(10)) == "");
    CHECK(scene.all_see(2, NodeStatus::Alive));
    scene.world.run_for(minutes(2));
    CHECK(scene.all_see(2, NodeStatus::Alive));
    CHECK(scene.raise_and_wait(2));
}

TEST_CASE("forget: half of the mesh forgets one of the other half, which only was cut off") {
    Scene scene(1006, lan(8));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({0, 1, 2, 3}, {4, 5, 6, 7});
    scene.world.run_for(seconds(20));
    REQUIRE(scene.world.command(0, Forget{scene.world.id(6)}));
    scene.world.run_for(seconds(10));
    for (Host host = 0; host < 4; ++host) {
        CHECK_FALSE(scene.status(host, 6));
    }
    scene.world.network().heal();
    CHECK(scene.checkers.settle(seconds(30)) == "");
    scene.world.run_for(minutes(1));
    CHECK(scene.all_see(6, NodeStatus::Alive));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE(
    "forget: in a line, one far behind the healed cut is found again though it writes nothing") {
    Scene scene(1007, line(7));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.network().partition({0, 1, 2}, {3, 4, 5, 6});
    scene.world.run_for(seconds(20));
    REQUIRE(scene.world.command(0, Forget{scene.world.id(6)}));
    scene.world.run_for(seconds(20));
    CHECK_FALSE(scene.status(2, 6));
    scene.world.network().heal();
    CHECK(scene.world.run_until([&] { return scene.all_see(6, NodeStatus::Alive); }, seconds(30)));
    scene.world.run_for(minutes(1));
    CHECK(scene.all_see(6, NodeStatus::Alive));
    CHECK(scene.checkers.settle() == "");
}

}  // namespace meshd::sim
