// SPDX-License-Identifier: Apache-2.0
// Boxes that come with somebody else's past: clones, wiped disks, old backups.
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// Some of everything, written by `host`.
void fill(Scene& scene, Host host) {
    scene.put(host, "seen");
    scene.put(host, "deleted later");
    scene.share(host, "mode", "\"night\"");
    REQUIRE(scene.world.raise(host));
}

}  // namespace

TEST_CASE(
    "clone: a copied disk image is noticed within 5 s, and is a box of its own once renamed") {
    for (const bool with_instance : {false, true}) {
        CAPTURE(with_instance);
        Scene scene(601, lan(4));
        // Box 3 is the clone; it comes later.
        for (Host host = 0; host < 3; ++host) {
            scene.world.start(host);
        }
        REQUIRE(scene.checkers.settle() == "");
        fill(scene, 0);
        scene.world.run_for(seconds(20));
        scene.world.clone(3, 0, with_instance);
        scene.world.set_disk_image(3, scene.world.disk(0).image);
        scene.world.start(3);
        const NodeId name = scene.world.id(0);
        const auto noticed = scene.world.run_until(
            [&] {
                return scene.checkers.events(3, NodeEventKind::Conflict, name) > 0 &&
                       scene.checkers.events(0, NodeEventKind::Conflict, name) > 0;
            },
            seconds(10));
        REQUIRE(noticed);
        CHECK(*noticed <= seconds(5));
        MESSAGE("a clone is known on both sides after " << print_ms(*noticed));
        // The original stays in the mesh; the clone serves what it has.
        CHECK(scene.status(1, 0) == NodeStatus::Alive);
        CHECK(scene.world.node(1).peers(scene.world.now(1)).size() == 2);
        CHECK(scene.shown(3, "seen", 0) != "");
        scene.put(0, "seen");
        CHECK(scene.remove(1, "deleted later") == 1);
        scene.world.run_for(seconds(10));
        CHECK(scene.shown(1, "deleted later", 0) == "");
        scene.world.stop(3);
        scene.world.run_for(seconds(2));
        scene.world.rename(3, *NodeId::parse("renamed"));
        scene.world.wipe(3);
        scene.world.start(3);
        CHECK(scene.checkers.settle() == "");
        CHECK(scene.world.node(3).alerts(scene.world.now(3)).size() == 1);
        CHECK(scene.raise_and_wait(3));
    }
}

TEST_CASE("clone: renamed with the copied data on its disk, it brings nothing dead along") {
    Scene scene(602, lan(4));
    for (Host host = 0; host < 3; ++host) {
        scene.world.start(host);
    }
    REQUIRE(scene.checkers.settle() == "");
    fill(scene, 0);
    scene.world.run_for(seconds(20));
    const DiskImage image = scene.world.disk(0).image;
    CHECK(scene.remove(1, "deleted later") == 1);
    const std::string newer = scene.put(0, "seen");
    scene.share(2, "mode", "\"day\"");
    scene.world.run_for(seconds(10));
    scene.world.rename(3, *NodeId::parse("renamed"));
    scene.world.set_disk_image(3, image);
    scene.world.start(3);
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(3, "deleted later", 0) == "");
    CHECK(scene.shown(3, "seen", 0) == newer);
    CHECK(scene.shared(3, "mode") == "\"day\"");
}

TEST_CASE("clone: the conflict ends when the original leaves") {
    Scene scene(603, lan(3));
    scene.world.start(0);
    scene.world.start(1);
    REQUIRE(scene.checkers.settle() == "");
    scene.world.clone(2, 0, false);
    scene.world.start(2);
    scene.world.run_for(seconds(10));
    CHECK(scene.checkers.events(2, NodeEventKind::Conflict, scene.world.id(0)) > 0);
    CHECK(scene.world.node(2).peers(scene.world.now(2)).empty());
    scene.world.stop(0);
    scene.world.run_for(seconds(1));
    const auto joined = scene.world.run_until(
        [&] { return scene.world.node(2).peers(scene.world.now(2)).size() == 1; }, minutes(2));
    REQUIRE(joined);
    MESSAGE("a clone is in the mesh " << print_ms(*joined) << " after the original left");
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("wipe: a box with an empty disk and its old name gets its own data back and goes on") {
    Scene scene(604, lan(3));
    scene.form();
    fill(scene, 0);
    scene.world.run_for(seconds(10));
    scene.world.crash(0);
    scene.world.wipe(0);
    scene.world.run_for(seconds(5));
    CHECK(scene.remove(1, "deleted later") == 1);
    scene.world.start(0);
    // It writes before it has heard what it wrote in its former life.
    const std::string newer = scene.put(0, "seen");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(1, "seen", 0) == newer);
    CHECK(scene.shown(0, "seen", 0) == newer);
    CHECK(scene.shown(0, "deleted later", 0) == "");
    CHECK(scene.shared(0, "mode") == "\"night\"");
    CHECK(scene.world.node(0).alerts(scene.world.now(0)).size() == 1);
    CHECK(scene.raise_and_wait(0));
}

TEST_CASE("wipe: with its clock set back to 1970 too, its first new write wins all the same") {
    Scene scene(605, lan(3));
    scene.form();
    scene.put(0, "seen");
    scene.world.run_for(seconds(10));
    scene.world.crash(0);
    scene.world.wipe(0);
    scene.world.jump_wall_clock(0, -kWallBeginningMs);
    scene.world.start(0);
    CHECK(scene.checkers.settle() == "");
    const std::string newer = scene.put(0, "seen");
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(2, "seen", 0) == newer);
}

TEST_CASE("backup: an old one brings back nothing that was deleted, and loses nothing new") {
    Scene scene(606, lan(3));
    scene.form();
    fill(scene, 0);
    scene.put(1, "of another");
    scene.world.run_for(seconds(20));
    const DiskImage backup = scene.world.disk(0).image;
    const std::string newer = scene.put(0, "seen");
    const std::string added = scene.put(0, "added");
    CHECK(scene.remove(0, "deleted later") == 1);
    CHECK(scene.remove(2, "of another") == 1);
    scene.share(0, "mode", "null");
    REQUIRE(scene.world.raise(0));
    scene.world.run_for(seconds(20));
    scene.world.crash(0);
    scene.world.set_disk_image(0, backup);
    scene.world.run_for(seconds(5));
    scene.world.start(0);
    const std::string latest = scene.put(0, "after");
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 3; ++host) {
        CHECK(scene.shown(host, "seen", 0) == newer);
        CHECK(scene.shown(host, "added", 0) == added);
        CHECK(scene.shown(host, "after", 0) == latest);
        CHECK(scene.shown(host, "deleted later", 0) == "");
        CHECK(scene.shown(host, "of another", 1) == "");
        CHECK(scene.shared(host, "mode") == "");
        CHECK(scene.world.node(host).alerts(scene.world.now(host)).size() == 2);
    }
}

TEST_CASE("backup: restored on all boxes at once, the mesh is what it was then") {
    Scene scene(607, lan(3));
    scene.form();
    fill(scene, 0);
    scene.world.run_for(seconds(20));
    std::vector<DiskImage> backups;
    for (Host host = 0; host < 3; ++host) {
        backups.push_back(scene.world.disk(host).image);
    }
    CHECK(scene.remove(1, "deleted later") == 1);
    scene.world.run_for(seconds(20));
    for (Host host = 0; host < 3; ++host) {
        scene.world.crash(host);
        scene.world.set_disk_image(host, backups[host]);
    }
    scene.start_all();
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.shown(1, "deleted later", 0) != "");
    CHECK(scene.remove(0, "deleted later") == 1);
    CHECK(scene.checkers.settle() == "");
}

}  // namespace meshd::sim
