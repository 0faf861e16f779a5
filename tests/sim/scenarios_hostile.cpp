// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "tests/sim/hostile.h"
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// What a hostile datagram must not change.
std::string sight(const Scene& scene, Host host) {
    const Node& node = scene.world.node(host);
    const Now now = scene.world.now(host);
    const StatusView status = node.status(now);
    return std::to_string(status.nodes_known) + " nodes, " + std::to_string(status.nodes_alive) +
           " alive, " + std::to_string(status.peers) + " peers, " +
           std::to_string(status.store.records) + " records, " +
           std::to_string(node.alerts(now).size()) + " alerts, " +
           print_hex(status.store.hashes.coverage) + " " + print_hex(status.store.hashes.live);
}

std::uint64_t drops(const Scene& scene, Host host) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < Counters::size(); ++i) {
        if (Counters::name(i).substr(0, 5) == "drop_") {
            sum += scene.world.node(host).counters().value(i);
        }
    }
    return sum;
}

/// Address of a box on the segment that is not in the mesh.
Endpoint outsider(std::uint64_t number) {
    return ipv4_endpoint({10, 1, static_cast<std::uint8_t>(100 + number / 250),
                          static_cast<std::uint8_t>(number % 250 + 1)},
                         9999, 1);
}

/// Some datagrams of each kind as they pass.
std::vector<Buffer> capture(Scene& scene, Host target) {
    std::vector<Buffer> captured;
    scene.world.set_tap([&](Delivery& delivery) {
        if (delivery.target == target) {
            captured.push_back(delivery.bytes);
        }
        return true;
    });
    scene.form();
    static_cast<void>(scene.world.raise(1, Priority::Critical, 5000));
    scene.world.run_for(seconds(3));
    scene.world.set_tap({});
    return captured;
}

}  // namespace

TEST_CASE("hostile: garbage changes nothing but counters and gets no reply") {
    Scene scene(401, lan(3));
    scene.form();
    scene.world.run_for(seconds(2));
    const std::string before = sight(scene, 0);
    const std::uint64_t dropped = drops(scene, 0);
    const std::uint64_t sent = scene.world.network().figures().sent;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        const Endpoint from =
            i % 2 == 0 ? outsider(i % 1000) : scene.world.network().interfaces(1)[0].endpoint;
        scene.world.inject(0, from, garbage(scene.world.prng(), 1500));
    }
    CHECK(scene.world.network().figures().sent == sent);
    CHECK(drops(scene, 0) == dropped + 10'000);
    CHECK(sight(scene, 0) == before);
    scene.world.run_for(seconds(5));
    CHECK(sight(scene, 0) == before);
    CHECK(scene.checkers.difference() == "");
}

TEST_CASE("hostile: truncated and bit-flipped datagrams change nothing and get no reply") {
    Scene scene(402, lan(3));
    const std::vector<Buffer> captured = capture(scene, 0);
    REQUIRE(captured.size() > 20);
    scene.world.run_for(seconds(2));
    const std::string before = sight(scene, 0);
    const std::uint64_t dropped = drops(scene, 0);
    const std::uint64_t sent = scene.world.network().figures().sent;
    const Endpoint from = scene.world.network().interfaces(1)[0].endpoint;
    std::uint64_t injected = 0;
    for (int round = 0; round < 20; ++round) {
        for (const Buffer& datagram : captured) {
            scene.world.inject(0, from, truncated(datagram, scene.world.prng()));
            scene.world.inject(0, from, bit_flipped(datagram, scene.world.prng()));
            injected += 2;
        }
    }
    CHECK(scene.world.network().figures().sent == sent);
    CHECK(drops(scene, 0) == dropped + injected);
    CHECK(sight(scene, 0) == before);
    CHECK(scene.checkers.settle(seconds(5)) == "");
}

TEST_CASE("hostile: bit errors on every link are mere loss") {
    Scene scene(403, lan(5));
    scene.world.set_tap([&](Delivery& delivery) {
        if (scene.world.prng().unit() < 0.05) {
            delivery.bytes = bit_flipped(delivery.bytes, scene.world.prng());
        }
        return true;
    });
    scene.form(seconds(10));
    for (int i = 0; i < 50; ++i) {
        REQUIRE(scene.world.raise(static_cast<Host>(i % 5), Priority::Normal, 2000));
        scene.world.run_for(milliseconds(100));
    }
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("hostile: datagrams of the mesh repeated later change nothing") {
    Scene scene(404, lan(3));
    const std::vector<Buffer> captured = capture(scene, 0);
    // Beyond the life of a cookie, and until the authors have published their alerts' floors.
    scene.world.run_for(minutes(1));
    const std::string before = sight(scene, 0);
    for (const Buffer& datagram : captured) {
        scene.world.inject(0, scene.world.network().interfaces(1)[0].endpoint, datagram);
        scene.world.inject(0, outsider(1), datagram);
    }
    CHECK(sight(scene, 0) == before);
    scene.world.run_for(seconds(10));
    CHECK(scene.checkers.settle(seconds(5)) == "");
    CHECK(sight(scene, 0) == before);
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.events(NodeEventKind::Conflict) == 0);
}

TEST_CASE("hostile: a datagram of another mesh gets no reply") {
    Scene scene(405, lan(2));
    scene.form();
    scene.world.run_for(seconds(5));
    const std::string before = sight(scene, 0);
    for (std::uint64_t i = 0; i < 200; ++i) {
        Hello hello;
        hello.mesh = "another";
        hello.from = stranger(scene.world.prng());
        hello.address = outsider(i);
        scene.world.inject(0, outsider(i),
                           outside_datagram(hello, scene.world.prng(), limits::kHelloBytes));
    }
    scene.world.run_for(seconds(5));
    CHECK(scene.world.node(0).counters()[Counter::drop_other_mesh] == 200);
    CHECK(scene.world.network().figures().unrouted == 0);
    CHECK(sight(scene, 0) == before);
}

TEST_CASE("hostile: a burst of strangers' HELLOs fills no table and gets few answers") {
    Scene scene(406, lan(3));
    scene.form();
    scene.world.run_for(seconds(5));
    const std::string before = sight(scene, 0);
    for (std::uint64_t i = 0; i < 20'000; ++i) {
        Hello hello;
        hello.mesh = "default";
        hello.from = stranger(scene.world.prng());
        hello.address = outsider(i % 5000);
        hello.address->interface = 0;
        scene.world.inject(0, outsider(i % 5000),
                           outside_datagram(hello, scene.world.prng(), limits::kHelloBytes));
        if (i % 20 == 0) {
            scene.world.run_for(milliseconds(5));
        }
    }
    // Answers to strangers go nowhere; design: at most 20 a second, over 5 s.
    MESSAGE(scene.world.network().figures().unrouted << " answers to 20000 strangers in 5 s");
    CHECK(scene.world.network().figures().unrouted <= 200);
    CHECK(scene.total(Counter::links_pruned) == 0);
    CHECK(scene.total(Counter::links_down) == 0);
    CHECK(sight(scene, 0) == before);
    CHECK(scene.raise_and_wait(0));
    CHECK(scene.raise_and_wait(1));
    scene.world.run_for(seconds(10));
    CHECK(scene.checkers.settle(seconds(5)) == "");
    CHECK(scene.events(NodeEventKind::Offline) == 0);
}

TEST_CASE("hostile: a REQ with a cookie that was never given leaves nothing behind") {
    Scene scene(407, lan(2));
    scene.form();
    scene.world.run_for(seconds(2));
    const std::string before = sight(scene, 0);
    const std::uint64_t sent = scene.world.network().figures().sent;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        Req req;
        req.mesh = "default";
        req.from = stranger(scene.world.prng());
        req.to = scene.world.node(0).status(scene.world.now(0)).start;
        scene.world.prng().fill(req.cookie.data(), req.cookie.size());
        req.session = SessionId{static_cast<std::uint32_t>(i + 1)};
        scene.world.inject(0, outsider(i), outside_datagram(req, scene.world.prng()));
    }
    CHECK(scene.world.network().figures().sent == sent);
    CHECK(scene.world.node(0).counters()[Counter::drop_cookie] == 1000);
    CHECK(sight(scene, 0) == before);
}

TEST_CASE("hostile: an unknown kind of message is ignored and counted, the rest is used") {
    Scene scene(408, lan(4));
    const Buffer content = {0, 0, 2, '{', '}'};
    scene.world.set_tap([&](Delivery& delivery) {
        if (is_session(delivery.bytes)) {
            delivery.bytes =
                with_extra_item(delivery.bytes, static_cast<MessageKind>(200), content);
        }
        return true;
    });
    scene.form();
    CHECK(scene.raise_and_wait(0));
    CHECK(scene.checkers.settle() == "");
    CHECK(scene.total(Counter::drop_unknown_kind) > 100);
    CHECK(scene.world.node(0).nodes(scene.world.now(0)).size() == 4);
}

TEST_CASE("hostile: an alert that comes three times in each datagram is told once") {
    Scene scene(409, line(4));
    scene.world.set_tap([](Delivery& delivery) {
        delivery.bytes = *with_items(delivery.bytes, [](MessageKind kind) {
            return kind == MessageKind::Alert || kind == MessageKind::StateSync ? 3U : 1U;
        });
        return true;
    });
    scene.form();
    for (int i = 0; i < 20; ++i) {
        REQUIRE(scene.world.raise(static_cast<Host>(i % 4), static_cast<Priority>(i % 4)));
        scene.world.run_for(milliseconds(50));
    }
    CHECK(scene.checkers.settle() == "");
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.world.node(host).alerts(scene.world.now(host)).size() == 20);
    }
}

}  // namespace meshd::sim
