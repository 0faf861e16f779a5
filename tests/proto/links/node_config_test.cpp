// SPDX-License-Identifier: Apache-2.0
// What changes in a node while it runs, and what does not.
#include <doctest/doctest.h>

#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

std::size_t peers(NodePipe& pipe, std::uint8_t number) {
    return pipe.node(number).peers(pipe.now()).size();
}

std::size_t beacons(NodePipe& pipe, std::uint8_t number, Duration during) {
    const std::uint64_t before = pipe.count(number, Counter::beacons_sent);
    pipe.run_for(during);
    return pipe.count(number, Counter::beacons_sent) - before;
}

}  // namespace

TEST_CASE("node: other beacon periods count at once") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.run_for(minutes(10));
    CHECK(beacons(pipe, 1, minutes(10)) <= 20);
    Config config;
    config.broadcast_interval = seconds(1);
    config.broadcast_interval_max = seconds(1);
    pipe.node(1).handle_config(pipe.now(), config);
    CHECK(beacons(pipe, 1, minutes(1)) >= 55);
    pipe.node(1).handle_config(pipe.now(), Config{});
    pipe.run_for(minutes(10));
    CHECK(beacons(pipe, 1, minutes(10)) <= 20);
}

TEST_CASE("node: fewer peers are reached by dropping links, more by asking") {
    NodePipe pipe;
    for (std::uint8_t number = 1; number <= 6; ++number) {
        pipe.start(number, "n" + std::to_string(number), number);
    }
    REQUIRE(pipe.run_until(seconds(20), [&] { return peers(pipe, 1) == 5; }));
    Config config;
    config.max_peers = 3;
    for (std::uint8_t number = 1; number <= 6; ++number) {
        pipe.node(number).handle_config(pipe.now(), config);
    }
    CHECK(pipe.run_until(minutes(3), [&] {
        for (std::uint8_t number = 1; number <= 6; ++number) {
            if (peers(pipe, number) > 3) {
                return false;
            }
        }
        return true;
    }));
    CHECK(pipe.node(1).status(pipe.now()).nodes_alive == 6);
    for (std::uint8_t number = 1; number <= 6; ++number) {
        pipe.node(number).handle_config(pipe.now(), Config{});
    }
    CHECK(pipe.run_until(minutes(3), [&] { return peers(pipe, 1) == 5; }));
}

TEST_CASE("node: more patience counts for links that are there") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(5), [&] { return peers(pipe, 1) == 1; }));
    pipe.run_for(minutes(1));
    Config config;
    config.link_patience = seconds(40);
    config.link_patience_max = seconds(40);
    pipe.node(1).handle_config(pipe.now(), config);
    pipe.kill(2);
    pipe.run_for(seconds(30));
    CHECK(peers(pipe, 1) == 1);
    pipe.run_for(seconds(30));
    CHECK(peers(pipe, 1) == 0);
}

TEST_CASE("node: who is offline for longer than a shortened memory is forgotten") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(5), [&] { return peers(pipe, 1) == 1; }));
    pipe.run_for(minutes(1));
    pipe.kill(2);
    pipe.run_for(minutes(5));
    CHECK(pipe.node(1).status(pipe.now()).nodes_known == 2);
    Config config;
    config.forget_after = minutes(1);
    pipe.node(1).handle_config(pipe.now(), config);
    pipe.run_for(seconds(1));
    CHECK(pipe.node(1).status(pipe.now()).nodes_known == 1);
}

TEST_CASE("node: what cannot change while it runs does not") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    Config config;
    config.mesh_name = "other";
    config.datagram_bytes = 600;
    config.initial_state = R"({"a":1})";
    pipe.node(1).handle_config(pipe.now(), config);
    CHECK(pipe.node(1).config().mesh_name == "default");
    CHECK(pipe.node(1).config().datagram_bytes == limits::kDatagramBytesDefault);
    CHECK(pipe.node(1).state(pipe.now(), id("a"))->document == "{}");
}
