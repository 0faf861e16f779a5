// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {
namespace {

const std::vector<Host> kLow = {0, 1, 2, 3, 4};
const std::vector<Host> kHigh = {5, 6, 7, 8, 9};

struct SealedScene : Scene {
    SealedScene(std::uint64_t seed, Network network) : Scene(seed, std::move(network)) {
        Keyring ring;
        REQUIRE(ring.add(make_mesh_key(world.prng(), 1)));
        for (Host host = 0; host < world.hosts(); ++host) {
            world.set_security(host, SecurityMode::Sealed, ring);
        }
    }

    /// As `meshctl key rotate` on that box. Returns the new key's id.
    KeyId rotate(Host host) {
        Keyring ring = world.keyring(host);
        const MeshKey key = make_mesh_key(world.prng(), ring.newest_generation() + 1);
        REQUIRE(ring.add(key));
        world.set_security(host, SecurityMode::Sealed, std::move(ring));
        return key_id(key);
    }
    /// All running nodes seal with it, and all their links are.
    bool is_used(KeyId key) const {
        for (Host host = 0; host < world.hosts(); ++host) {
            if (!world.is_running(host)) {
                continue;
            }
            const Node& node = world.node(host);
            for (const PeerView& peer : node.peers(world.now(host))) {
                if (peer.seal != key) {
                    return false;
                }
            }
            if (world.keyring(host).active != key) {
                return false;
            }
        }
        return true;
    }
    std::size_t without_newest(Host host) const {
        return world.node(host).status(world.now(host)).security.without_newest.size();
    }
};

}  // namespace

TEST_CASE("sealed: a mesh forms, passes alerts and repairs as an open one does") {
    SealedScene scene(9001, lan(10));
    scene.form();
    CHECK(scene.total(Counter::drop_tag) == 0);
    scene.world.network().defaults().loss = 0.2;
    for (int i = 0; i < 20; ++i) {
        CHECK(scene.raise_and_wait(static_cast<Host>(i % 10)));
    }
}

TEST_CASE("sealed: rotation at 10 percent loss under alerts loses none and ends on the new key") {
    for (const bool is_line : {false, true}) {
        SealedScene scene(9002, is_line ? line(8) : lan(10));
        scene.form();
        scene.world.network().defaults().loss = 0.1;
        const KeyId key = scene.rotate(3);
        int raised = 0;
        while (!scene.is_used(key) && raised < 300) {
            CHECK(scene.raise_and_wait(static_cast<Host>(raised++ % 8)));
            scene.world.run_for(milliseconds(100));
        }
        CHECK(scene.is_used(key));
        scene.world.network().defaults().loss = 0;
        CHECK(scene.checkers.settle(seconds(10)) == "");
        CHECK(scene.events(NodeEventKind::Offline) == 0);
    }
}

TEST_CASE("sealed: a half that is cut off while the key rotates takes it when it is back") {
    SealedScene scene(9003, lan(10));
    scene.form();
    scene.world.network().partition(kLow, kHigh);
    REQUIRE(scene.world.run_until(
        [&] {
            return scene.all_see(9, NodeStatus::Offline) || scene.status(0, 9) != NodeStatus::Alive;
        },
        seconds(10)));
    const KeyId key = scene.rotate(0);
    REQUIRE(
        scene.world.run_until([&] { return scene.world.keyring(4).active == key; }, seconds(30)));
    CHECK(scene.without_newest(0) == kHigh.size());
    scene.world.network().heal();
    CHECK(scene.world.run_until([&] { return scene.is_used(key); }, seconds(60)));
    CHECK(scene.without_newest(0) == 0);
    CHECK(scene.checkers.settle(seconds(10)) == "");
}

TEST_CASE("sealed: two halves that rotate apart stay joined by the old key, and say so") {
    SealedScene scene(9004, lan(10));
    scene.form();
    scene.world.network().partition(kLow, kHigh);
    scene.world.run_for(seconds(10));
    const KeyId low = scene.rotate(0);
    const KeyId high = scene.rotate(9);
    REQUIRE(scene.world.run_until(
        [&] {
            return scene.world.keyring(4).active == low && scene.world.keyring(5).active == high;
        },
        seconds(30)));
    scene.world.network().heal();
    scene.world.run_for(seconds(30));
    CHECK(scene.status(0, 9) == NodeStatus::Alive);
    CHECK(scene.raise_and_wait(0));
    CHECK(scene.without_newest(0) == kHigh.size());
    CHECK(scene.without_newest(9) == kLow.size());
    const KeyId common = scene.rotate(2);
    CHECK(scene.world.run_until([&] { return scene.is_used(common); }, seconds(60)));
    CHECK(scene.checkers.settle(seconds(10)) == "");
}

TEST_CASE("sealed: whoever restarts while the key rotates is not left behind") {
    SealedScene scene(9005, lan(6));
    scene.form();
    const KeyId key = scene.rotate(0);
    for (Host host = 1; host < 6; ++host) {
        scene.world.crash(host);
        scene.world.run_for(milliseconds(700));
        scene.world.start(host);
    }
    CHECK(scene.world.run_until([&] { return scene.is_used(key); }, seconds(60)));
    CHECK(scene.checkers.settle(seconds(10)) == "");
}

TEST_CASE("sealed: what strangers send changes nothing, and what members sent before does not") {
    SealedScene scene(9006, lan(5));
    std::vector<Delivery> heard;
    scene.world.set_tap([&](Delivery& delivery) {
        if (heard.size() < 3000) {
            heard.push_back(delivery);
        }
        return true;
    });
    scene.form();
    scene.world.run_for(seconds(5));
    const std::uint64_t down = scene.total(Counter::links_down);
    for (const Delivery& old : heard) {
        scene.world.inject(old.target, old.from, old.bytes);
    }
    scene.world.run_for(seconds(5));
    CHECK(scene.total(Counter::links_down) == down);
    CHECK(scene.total(Counter::drop_replay) > 0);
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.raise_and_wait(0));
}

}  // namespace meshd::sim
