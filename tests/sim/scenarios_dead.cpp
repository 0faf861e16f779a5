// SPDX-License-Identifier: Apache-2.0
// What was deleted or has expired stays dead, also after its tombstones and stubs are gone.
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

constexpr seconds kTombstoneTime(60);

Config short_tombstones() {
    Config config;
    config.tombstone_time = kTombstoneTime;
    return config;
}

/// Settled, and all that is dead is purged.
void outlive_tombstones(Scene& scene) {
    scene.world.run_for(2 * kTombstoneTime + seconds(10));
}

std::size_t tombstones(const Scene& scene) {
    std::size_t sum = 0;
    for (Host host = 0; host < scene.world.hosts(); ++host) {
        if (scene.world.is_running(host)) {
            sum += scene.store(host).tombstones;
        }
    }
    return sum;
}

}  // namespace

TEST_CASE("registry: what was deleted and put again lives") {
    Scene scene(802, lan(3), short_tombstones());
    scene.form();
    scene.put(0, "seen");
    scene.world.run_for(seconds(1));
    CHECK(scene.remove(1, "seen") == 1);
    scene.world.run_for(seconds(1));
    const std::string mark = scene.put(0, "seen");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(1, "seen", 0) == mark);
    outlive_tombstones(scene);
    CHECK(scene.shown(2, "seen", 0) == mark);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("away: longer than tombstones live, dead data stay dead and new data are taken") {
    Scene scene(807, lan(3), short_tombstones());
    scene.form();
    scene.put(0, "dead");
    scene.put(2, "dead of its own");
    scene.put_many(0, "kept", 50);
    scene.share(0, "dead", "1");
    scene.share(0, "kept", "1");
    scene.world.run_for(seconds(10));
    scene.world.crash(2);
    scene.world.run_for(seconds(5));
    CHECK(scene.remove(0, "dead") == 1);
    CHECK(scene.remove(1, "dead of its own") == 1);
    scene.share(1, "dead", "null");
    outlive_tombstones(scene);
    CHECK(tombstones(scene) == 0);
    scene.world.start(2);
    const std::string fresh = scene.put(2, "new of its own");
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(30));
    for (Host host = 0; host < 3; ++host) {
        CHECK(scene.shown(host, "dead", 0) == "");
        CHECK(scene.shown(host, "dead of its own", 2) == "");
        CHECK(scene.shared(host, "dead") == "");
        CHECK(scene.shared(host, "kept") == "1");
        CHECK(scene.shown(host, "kept49", 0) != "");
        CHECK(scene.shown(host, "new of its own", 2) == fresh);
    }
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("away: data written while cut off for long are offered, and a fresh third box has all") {
    Scene scene(808, lan(4), short_tombstones());
    scene.world.start(0);
    scene.world.start(1);
    scene.world.start(2);
    REQUIRE(scene.checkers.settle() == "");
    scene.put(0, "dead");
    scene.put(0, "kept");
    scene.put(2, "left dead");
    scene.world.run_for(seconds(10));
    scene.world.network().partition({2}, {0, 1, 3});
    scene.world.run_for(seconds(5));
    // Each side deletes what the other goes on to hold, and both forget that they did.
    CHECK(scene.remove(0, "dead") == 1);
    CHECK(scene.remove(2, "left dead") == 1);
    const std::string alone = scene.put(2, "written alone");
    const std::string apart = scene.put(1, "written apart");
    scene.share(2, "alone", "1");
    outlive_tombstones(scene);
    CHECK(tombstones(scene) == 0);
    // Who joins meanwhile has never seen what was deleted.
    scene.world.start(3);
    scene.world.run_for(seconds(20));
    scene.world.network().heal();
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.shown(host, "dead", 0) == "");
        CHECK(scene.shown(host, "left dead", 2) == "");
        CHECK(scene.shown(host, "kept", 0) != "");
        CHECK(scene.shown(host, "written alone", 2) == alone);
        CHECK(scene.shown(host, "written apart", 1) == apart);
        CHECK(scene.shared(host, "alone") == "1");
    }
}

TEST_CASE("away: the returning box meets only a fresh one, and the dead stay dead") {
    Scene scene(809, lan(4), short_tombstones());
    scene.world.start(0);
    scene.world.start(1);
    scene.world.start(2);
    REQUIRE(scene.checkers.settle() == "");
    scene.put(0, "dead");
    scene.put(0, "kept");
    scene.world.run_for(seconds(10));
    scene.world.crash(2);
    CHECK(scene.remove(1, "dead") == 1);
    outlive_tombstones(scene);
    scene.world.start(3);
    scene.world.run_for(seconds(20));
    scene.world.crash(0);
    scene.world.crash(1);
    scene.world.run_for(seconds(5));
    scene.world.start(2);
    scene.world.run_for(seconds(20));
    scene.start_all();
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.shown(host, "dead", 0) == "");
        CHECK(scene.shown(host, "kept", 0) != "");
    }
}

TEST_CASE("away: deleted by the last box that held it, and restarted since, it stays dead") {
    Scene scene(810, lan(3), short_tombstones());
    scene.form();
    scene.put(0, "dead");
    scene.world.run_for(seconds(10));
    scene.world.crash(2);
    CHECK(scene.remove(0, "dead") == 1);
    scene.world.run_for(seconds(10));
    outlive_tombstones(scene);
    for (const Host host : {0U, 1U}) {
        scene.world.crash(host);
        scene.world.start(host);
    }
    scene.world.run_for(seconds(10));
    scene.world.start(2);
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(30));
    CHECK(scene.shown(0, "dead", 0) == "");
    CHECK(scene.shown(2, "dead", 0) == "");
}

TEST_CASE("away: a delete that a census told of holds when all disks that had it are lost") {
    Scene scene(813, lan(4), short_tombstones());
    scene.form();
    scene.put(2, "dead");
    scene.world.run_for(seconds(10));
    scene.world.network().partition({0}, {1, 2, 3});
    scene.world.run_for(seconds(10));
    CHECK(scene.remove(0, "dead") == 1);
    outlive_tombstones(scene);
    scene.world.network().heal();
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(3, "dead", 2) == "");
    scene.world.run_for(seconds(10));
    scene.world.crash(0);
    scene.world.wipe(0);
    scene.world.start(0);
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.shown(host, "dead", 2) == "");
    }
}

TEST_CASE("registry: what clocks far apart put and deleted does not hide what is put now") {
    Scene scene(814, lan(3), short_tombstones());
    scene.form();
    constexpr std::int64_t kHourMs = 3'600'000;
    const auto jump = [&](std::int64_t hours) {
        for (Host host = 0; host < 3; ++host) {
            scene.world.crash(host);
            scene.world.jump_wall_clock(host, hours * kHourMs);
        }
        scene.start_all();
        REQUIRE(scene.checkers.settle() == "");
    };
    for (const std::int64_t hours : {2, -1, 2}) {
        jump(hours);
        scene.put(0, "seen");
        scene.world.run_for(seconds(10));
        CHECK(scene.remove(1, "seen") == 1);
        scene.world.run_for(seconds(10));
        outlive_tombstones(scene);
    }
    jump(-3);
    const std::string mark = scene.put(0, "seen");
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 3; ++host) {
        CHECK(scene.shown(host, "seen", 0) == mark);
    }
}

TEST_CASE("ttl: an entry expires everywhere, and an older one of its key does not come back") {
    Scene scene(811, lan(4));
    scene.form();
    scene.put(0, "seen");
    scene.world.run_for(seconds(8));
    scene.world.crash(3);  // with the older one on its disk
    scene.put(0, "seen", 10'000);
    scene.world.run_for(seconds(5));
    CHECK(scene.shown(1, "seen", 0) != "");
    scene.world.run_for(seconds(10));
    for (const Host host : {0U, 1U, 2U}) {
        CHECK(scene.shown(host, "seen", 0) == "");
    }
    scene.world.start(3);
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(5));
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.shown(host, "seen", 0) == "");
    }
    const std::string again = scene.put(0, "seen");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(3, "seen", 0) == again);
}

TEST_CASE("ttl: a late joiner gets the rest of it only") {
    Scene scene(812, lan(3));
    scene.world.start(0);
    scene.world.start(1);
    REQUIRE(scene.checkers.settle() == "");
    scene.put(0, "seen", 60'000);
    scene.world.run_for(seconds(40));
    scene.world.start(2);
    scene.world.run_for(seconds(10));
    CHECK(scene.shown(2, "seen", 0) != "");
    scene.world.run_for(seconds(12));
    CHECK(scene.shown(2, "seen", 0) == "");
}

}  // namespace meshd::sim
