// SPDX-License-Identifier: Apache-2.0
// Networks that change under a running mesh: cables, addresses, several interfaces, bad links.
#include <algorithm>

#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// Each host on both of two networks.
Network both_nets(std::size_t hosts) {
    Network network = lan(hosts);
    for (Host host = 0; host < hosts; ++host) {
        network.attach(host, 1);
    }
    return network;
}

bool are_linked(const Scene& scene, Host a, Host b) {
    for (const PeerView& peer : scene.world.node(a).peers(scene.world.now(a))) {
        if (peer.node_id == scene.world.id(b)) {
            return true;
        }
    }
    return false;
}

std::size_t links(const Scene& scene, Host host) {
    return scene.world.node(host).peers(scene.world.now(host)).size();
}

void check_nobody_was_lost(const Scene& scene) {
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.events(NodeEventKind::Unreachable) == 0);
    CHECK(scene.events(NodeEventKind::Isolated) == 0);
}

}  // namespace

TEST_CASE("cable: a box whose only cable is out knows it, and is back when it is in again") {
    Scene scene(2201, lan(5));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.set_carrier(2, 0, false);
    const auto alone = scene.world.run_until(
        [&] { return scene.checkers.events(2, NodeEventKind::Isolated, scene.world.id(2)) == 1; },
        seconds(10));
    REQUIRE(alone);
    CHECK(*alone < seconds(4));
    CHECK(scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Offline); }, seconds(5)));
    scene.world.run_for(minutes(2));
    scene.world.set_carrier(2, 0, true);
    const auto back =
        scene.world.run_until([&] { return scene.all_see(2, NodeStatus::Alive); }, seconds(10));
    REQUIRE(back);
    MESSAGE("alone after " << print_ms(*alone) << ", back after " << print_ms(*back));
    CHECK(*back < seconds(3));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.checkers.events(2, NodeEventKind::Rejoined, scene.world.id(2)) == 1);
}

TEST_CASE("cable: out for a moment, or moved to another port, nobody is called offline") {
    Scene scene(2202, lan(6));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.set_carrier(1, 0, false);
    scene.world.run_for(milliseconds(200));
    scene.world.set_carrier(1, 0, true);
    scene.world.run_for(seconds(10));
    check_nobody_was_lost(scene);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("address: a box with a new address is the same node, and nobody is told it was gone") {
    for (const double loss : {0.0, 0.2}) {
        Scene scene(2203, lan(6));
        scene.world.network().defaults().loss = loss;
        scene.form(seconds(20));
        scene.world.run_for(seconds(5));
        const auto joined = scene.events(NodeEventKind::Joined);
        scene.world.readdress(3, 0, 0);
        scene.world.run_for(seconds(20));
        check_nobody_was_lost(scene);
        CHECK(scene.events(NodeEventKind::Joined) == joined);
        CHECK(scene.checkers.settle() == "");
        for (Host host = 0; host < 6; ++host) {
            if (host != 3) {
                const auto view =
                    scene.world.node(host).node(scene.world.now(host), scene.world.id(3));
                REQUIRE(view);
                CHECK(view->addresses ==
                      scene.world.node(3).node(scene.world.now(3), scene.world.id(3))->addresses);
            }
        }
        CHECK(scene.raise_and_wait(3));
    }
}

TEST_CASE("roaming: a box that moves to the other LAN is found there as the same node") {
    Scene scene(2204, two_lans(4, 4));
    scene.form();
    scene.world.run_for(seconds(5));
    scene.world.readdress(0, 0, 1);
    CHECK(scene.world.run_until(
        [&] {
            return scene.all_see(0, NodeStatus::Alive) && are_linked(scene, 0, 7) &&
                   !are_linked(scene, 0, 1);
        },
        seconds(20)));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.raise_and_wait(0));
}

TEST_CASE("interfaces: a network that dies silently, or with its cables, loses no link") {
    for (const bool is_silent : {true, false}) {
        Scene scene(2205, both_nets(5));
        scene.form();
        scene.world.run_for(seconds(10));
        const auto down = scene.total(Counter::links_down);
        for (const std::size_t dead : {0U, 1U}) {
            CAPTURE(dead);
            if (is_silent) {
                scene.world.network().set_segment(dead, false);
            }
            for (Host host = 0; host < 5 && !is_silent; ++host) {
                scene.world.set_carrier(host, dead, false);
            }
            scene.world.run_for(seconds(20));
            for (Host host = 0; host < 5; ++host) {
                CHECK(links(scene, host) == 4);
                for (const PeerView& peer : scene.world.node(host).peers(scene.world.now(host))) {
                    CHECK(peer.address.interface != dead + 1);
                }
            }
            scene.world.network().repair();
            for (Host host = 0; host < 5; ++host) {
                scene.world.tell_addresses(host);
            }
            scene.world.run_for(seconds(5));
        }
        check_nobody_was_lost(scene);
        CHECK(scene.total(Counter::links_down) == down);
        CHECK(scene.checkers.settle() == "");
    }
}

TEST_CASE("detour: one in vain does not delay the link's return") {
    // Of two networks one is dead, though its cables are in.
    Scene scene(2206, both_nets(2));
    scene.world.network().set_segment(1, false);
    scene.form();
    scene.world.run_for(seconds(20));
    REQUIRE(links(scene, 0) == 1);
    SUBCASE("after the link went down") {
        scene.world.network().set_segment(0, false);
        REQUIRE(scene.world.run_until([&] { return links(scene, 0) + links(scene, 1) == 0; },
                                      seconds(10)));
        scene.world.network().set_segment(0, true);
    }
    SUBCASE("where it had lived on, and is lost later") {
        const auto suspected = scene.total(Counter::links_suspected);
        for (int i = 0; i < 50 && scene.total(Counter::links_suspected) == suspected; ++i) {
            scene.world.network().set_segment(0, false);
            scene.world.run_for(milliseconds(500));
            scene.world.network().set_segment(0, true);
            scene.world.run_for(milliseconds(500));
        }
        REQUIRE(scene.total(Counter::links_suspected) > suspected);
        scene.world.run_for(milliseconds(1500));
        REQUIRE(links(scene, 0) == 1);
        scene.world.crash(1);
        scene.world.run_for(milliseconds(100));
        scene.world.start(1);
    }
    const auto back = scene.world.run_until(
        [&] { return links(scene, 0) == 1 && links(scene, 1) == 1; }, seconds(20));
    REQUIRE(back);
    MESSAGE("linked again after " << print_ms(*back));
    CHECK(*back < milliseconds(1500));
}

TEST_CASE("bad link: routes lead around one that loses much, and back when it is good again") {
    Scene scene(2207, lan(3));
    scene.form();
    scene.world.run_for(seconds(5));
    const auto hops = [&](Host from, Host to) {
        return scene.world.node(from).node(scene.world.now(from), scene.world.id(to))->hops;
    };
    CHECK(hops(0, 1) == 1);
    // Of its exchanges more than half fail: too few to take it down.
    scene.world.network().link(0, 1).loss = 0.35;
    scene.world.network().link(1, 0).loss = 0.35;
    const auto around = scene.world.run_until([&] { return hops(0, 1) == 2 && hops(1, 0) == 2; },
                                              minutes(10), seconds(1));
    REQUIRE(around);
    CHECK(are_linked(scene, 0, 1));
    CHECK(scene.total(Counter::links_down) == 0);
    check_nobody_was_lost(scene);
    CHECK(scene.raise_and_wait(0));
    scene.world.network().heal();
    const auto direct = scene.world.run_until([&] { return hops(0, 1) == 1 && hops(1, 0) == 1; },
                                              minutes(20), seconds(1));
    REQUIRE(direct);
    MESSAGE("around it after " << print_ms(*around) << ", direct again after "
                               << print_ms(*direct));
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("one way: of a box that is heard and hears nothing, no link stays, and it knows") {
    Scene scene(2208, lan(5));
    scene.form();
    scene.world.run_for(seconds(5));
    for (Host host = 1; host < 5; ++host) {
        scene.world.network().link(host, 0).up = false;
    }
    CHECK(scene.world.run_until(
        [&] { return links(scene, 0) == 0 && scene.all_see(0, NodeStatus::Offline); },
        seconds(10)));
    CHECK(scene.checkers.events(0, NodeEventKind::Isolated, scene.world.id(0)) == 1);
    scene.world.run_for(minutes(1));
    CHECK(links(scene, 0) == 0);
    scene.world.network().heal();
    CHECK(scene.checkers.settle(seconds(10)) == "");
}

TEST_CASE("notices: where boxes stand still now and then, they do not breed, and nobody is lost") {
    Scene scene(2209, lan(12));
    scene.world.network().defaults().loss = 0.2;
    scene.form(seconds(30));
    scene.world.run_for(seconds(5));
    const auto notices = scene.total(Counter::notices_sent);
    for (int second = 0; second < 120; ++second) {
        const Host host = scene.world.prng().below(12);
        scene.world.pause(host);
        scene.world.run_for(scene.world.prng().between(Duration::zero(), milliseconds(500)));
        scene.world.resume(host);
        scene.world.run_for(milliseconds(500));
    }
    const auto each = (scene.total(Counter::notices_sent) - notices) / (12 * 120);
    MESSAGE(each << " notices for each node and stall");
    CHECK(each < 5);
    check_nobody_was_lost(scene);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("fades: of a box whose radio fades now and then, the loss is told a few times only") {
    Scene scene(2210, lan(4));
    scene.form();
    scene.world.run_for(seconds(5));
    std::vector<std::size_t> told;
    for (int round = 0; round < 30; ++round) {
        const std::size_t before = scene.events(NodeEventKind::Offline);
        scene.world.pause(3);
        scene.world.run_for(milliseconds(1200));
        scene.world.resume(3);
        scene.world.run_for(milliseconds(18800));
        told.push_back(scene.events(NodeEventKind::Offline) - before);
    }
    const auto last = std::find_if(told.rbegin(), told.rend(), [](std::size_t n) { return n > 0; });
    MESSAGE("last told offline in round " << told.rend() - last << " of 30");
    CHECK(told.rend() - last <= 3);
    // And when it dies, it is known in time.
    scene.world.crash(3);
    const auto known =
        scene.world.run_until([&] { return scene.all_see(3, NodeStatus::Offline); }, seconds(10));
    REQUIRE(known);
    MESSAGE("its death is known after " << print_ms(*known));
    CHECK(*known < seconds(5));
}

TEST_CASE("address: gone for a moment and then another, its links move within a second") {
    for (std::uint64_t seed = 2211; seed < 2216; ++seed) {
        CAPTURE(seed);
        Scene scene(seed, lan(6));
        scene.form();
        scene.world.run_for(seconds(30));
        Network& network = scene.world.network();
        network.set_carrier(3, 0, false);
        scene.world.tell_addresses(3);
        scene.world.run_for(milliseconds(200));
        network.readdress(3, 0, 0);
        network.set_carrier(3, 0, true);
        scene.world.tell_addresses(3);
        const Endpoint address = network.interfaces(3)[0].endpoint;
        const auto moved = scene.world.run_until(
            [&] {
                for (const Host host : {Host{0}, Host{1}, Host{2}, Host{4}, Host{5}}) {
                    const auto peers = scene.world.node(host).peers(scene.world.now(host));
                    if (std::none_of(peers.begin(), peers.end(), [&](const PeerView& peer) {
                            return peer.address.same_address(address);
                        })) {
                        return false;
                    }
                }
                return true;
            },
            seconds(20));
        REQUIRE(moved);
        CHECK(*moved < seconds(1));
        scene.world.run_for(seconds(10));
        check_nobody_was_lost(scene);
        CHECK(scene.checkers.settle() == "");
    }
}

}  // namespace meshd::sim
