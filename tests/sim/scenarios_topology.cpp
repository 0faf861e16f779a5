// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// Forms the mesh, raises one alert from each end, and prints how long it took.
void form_and_alert(Scene& scene, Duration limit = seconds(10)) {
    scene.start_all();
    const TimePoint started = scene.world.time();
    REQUIRE(scene.checkers.settle(limit) == "");
    const Duration formed = scene.world.time() - started;
    scene.world.run_for(seconds(2));
    const Host last = scene.world.hosts() - 1;
    const auto forth = scene.raise_and_wait(0);
    const auto back = scene.raise_and_wait(last, Priority::Critical);
    REQUIRE(forth);
    REQUIRE(back);
    MESSAGE("agreed " << print_ms(formed) << " after the last start, alert to the last node "
                      << print_ms(*forth) << ", critical back " << print_ms(*back));
    CHECK(scene.checkers.settle() == "");
    scene.world.run_for(seconds(20));
    CHECK(scene.checkers.difference() == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.events(NodeEventKind::Unreachable) == 0);
    CHECK(scene.events(NodeEventKind::Conflict) == 0);
}

}  // namespace

TEST_CASE("lan: 3 nodes become one mesh and an alert reaches all once") {
    Scene scene(3, lan(3));
    form_and_alert(scene);
}

TEST_CASE("lan: 10 nodes become a full mesh within a second") {
    Scene scene(10, lan(10));
    scene.start_all();
    scene.world.run_for(seconds(1));
    CHECK(scene.checkers.difference() == "");
    CHECK(scene.total(Counter::links_up) == 10 * 9);
    for (Host host = 0; host < 10; ++host) {
        CHECK(scene.world.node(host).peers(scene.world.now(host)).size() == 9);
    }
    form_and_alert(scene);
    CHECK(scene.total(Counter::links_up) == 10 * 9);
}

TEST_CASE("lan: 11 nodes, as many as a full mesh may have, become one mesh") {
    Scene scene(11, lan(11));
    form_and_alert(scene);
    for (Host host = 0; host < 11; ++host) {
        CHECK(scene.world.node(host).peers(scene.world.now(host)).size() == 10);
    }
}

TEST_CASE("lan: 13 nodes are more than one node may have peers, and all are connected") {
    Scene scene(13, lan(13));
    form_and_alert(scene);
}

TEST_CASE("lan: 20 nodes become one mesh of bounded degree") {
    Scene scene(20, lan(20));
    form_and_alert(scene);
    for (Host host = 0; host < 20; ++host) {
        CHECK(scene.world.node(host).peers(scene.world.now(host)).size() <=
              scene.world.config(host).bridges_max);
    }
}

TEST_CASE("lan: 30 nodes started one by one become one mesh") {
    Scene scene(30, lan(30));
    scene.start_all(seconds(60));
    form_and_alert(scene);
}

TEST_CASE("lan: 20 nodes with few peers allowed are still connected") {
    Config config;
    config.max_peers = 4;
    Scene scene(204, lan(20), config);
    form_and_alert(scene, seconds(20));
}

TEST_CASE("line: of 5 nodes, an alert crosses four hops") {
    Scene scene(5, line(5));
    form_and_alert(scene);
    const auto alerts = scene.world.node(4).alerts(scene.world.now(4));
    REQUIRE(alerts.size() == 2);
    CHECK(alerts[1].hops == 4);
    CHECK(alerts[1].path == std::vector<std::string>{"n00", "n01", "n02", "n03", "n04"});
    const auto far = scene.world.node(0).node(scene.world.now(0), scene.world.id(4));
    REQUIRE(far);
    CHECK(far->hops == 4);
    CHECK_FALSE(far->rtt);
}

TEST_CASE("line: of 10 nodes, an alert crosses nine hops") {
    Scene scene(1010, line(10));
    form_and_alert(scene);
    CHECK(scene.world.node(9).alerts(scene.world.now(9)).back().hops == 9);
}

TEST_CASE("partial hearing: nodes that do not hear each other meet through others") {
    Scene scene(6, partial_lan(6, {{0, 5}, {0, 4}, {1, 5}, {2, 3}}));
    form_and_alert(scene);
    CHECK(scene.world.node(0).node(scene.world.now(0), scene.world.id(5))->hops >= 2);
}

TEST_CASE("partial hearing: random deaf pairs, always one mesh") {
    for (std::uint8_t seed = 1; seed <= 5; ++seed) {
        Prng prng{Entropy{seed}};
        Scene scene(600U + seed, random_partial_lan(12, 0.7, prng));
        CAPTURE(seed);
        form_and_alert(scene, seconds(20));
    }
}

TEST_CASE("hub: leaves that hear only the hub are all in one mesh") {
    Scene scene(8, hub(8));
    form_and_alert(scene);
}

TEST_CASE("hub: more deaf leaves than max_peers are all linked by the hub") {
    Scene scene(16, hub(16));
    form_and_alert(scene, seconds(20));
    CHECK(scene.world.node(0).peers(scene.world.now(0)).size() == 15);
}

TEST_CASE("two LANs: the gateway between them joins them into one mesh") {
    Scene scene(22, two_lans(5, 4));
    form_and_alert(scene);
    CHECK(scene.world.node(0).node(scene.world.now(0), scene.world.id(8))->hops == 2);
}

TEST_CASE("two LANs: with 12 nodes each, one gateway still joins them") {
    Scene scene(24, two_lans(12, 12));
    form_and_alert(scene, seconds(20));
}

TEST_CASE("bootstrap: without broadcast, configured addresses are enough") {
    Network network = lan(4);
    const Endpoint known = network.interfaces(0)[0].endpoint;
    Config config;
    config.bootstrap = {known};
    config.bootstrap[0].interface = 0;
    Scene scene(44, std::move(network), config);
    scene.world.set_tap([](Delivery& delivery) {
        // HELLOs that came by unicast pass: only those to host 0 are asked for.
        const bool is_hello = delivery.bytes.size() == limits::kHelloBytes;
        return !is_hello || delivery.target == 0 || delivery.source == 0;
    });
    form_and_alert(scene, seconds(20));
}

TEST_CASE("mesh name: two meshes on one LAN ignore each other") {
    Scene red(70, lan(6));
    for (Host host = 0; host < 6; ++host) {
        red.world.config(host).mesh_name = host < 3 ? "red" : "blue";
    }
    red.start_all();
    red.world.run_for(seconds(10));
    REQUIRE(red.world.raise(0));
    red.world.run_for(seconds(2));
    for (Host host = 0; host < 6; ++host) {
        const Now now = red.world.now(host);
        CHECK(red.world.node(host).nodes(now).size() == 3);
        CHECK(red.world.node(host).peers(now).size() == 2);
        CHECK(red.world.node(host).alerts(now).size() == (host < 3 ? 1U : 0U));
        CHECK(red.world.node(host).counters()[Counter::drop_other_mesh] > 0);
        for (const NodeView& view : red.world.node(host).nodes(now)) {
            CHECK((view.node_id < red.world.id(3)) == (host < 3));
        }
    }
}

}  // namespace meshd::sim
