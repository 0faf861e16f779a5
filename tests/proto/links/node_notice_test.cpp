// SPDX-License-Identifier: Apache-2.0
// Word of a suspect to its other peers: how far it goes, and how much of it is taken.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "proto/wire/codec.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

std::uint8_t number(std::size_t place) {
    return static_cast<std::uint8_t>(place + 1);
}

/// Boxes 1 to `size`, each of which hears its two neighbours, the last and the first as well.
struct Ring : NodePipe {
    explicit Ring(std::uint8_t size) {
        hears = [size](std::uint8_t from, std::uint8_t to) {
            const int apart = std::abs(from - to);
            return apart == 1 || apart == size - 1;
        };
        for (std::uint8_t at = 0; at < size; ++at) {
            start(number(at), "n" + std::to_string(100 + at), number(at));
        }
        REQUIRE(run_until(seconds(30), [&] {
            return node(1).status(now()).nodes_alive == size &&
                   node(number(size / 2)).status(now()).nodes_alive == size;
        }));
        run_for(seconds(2));
    }
};

bool has_event(const std::vector<NodeEvent>& events, NodeEventKind kind) {
    return std::any_of(events.begin(), events.end(),
                       [kind](const NodeEvent& event) { return event.kind == kind; });
}

}  // namespace

TEST_CASE("notice: over 33 hops it reaches the suspect's other peer") {
    Ring ring(35);
    ring.kill(1);
    REQUIRE(ring.run_until(seconds(10), [&] {
        return ring.count(2, Counter::notices_sent) > 0 ||
               ring.count(35, Counter::notices_sent) > 0;
    }));
    const std::uint8_t other = ring.count(2, Counter::notices_sent) > 0 ? 35 : 2;
    CHECK(ring.run_until(milliseconds(200),
                         [&] { return ring.count(other, Counter::notices_received) > 0; }));
}

TEST_CASE("notice: a way of more hops than a path may have is not taken, and counted") {
    Ring ring(36);
    const auto dropped = ring.count(2, Counter::drop_hops) + ring.count(36, Counter::drop_hops);
    ring.kill(1);
    CHECK(ring.run_until(seconds(10), [&] {
        return ring.count(2, Counter::drop_hops) + ring.count(36, Counter::drop_hops) > dropped;
    }));
    // As long as nobody has taken a link down, there is no record that went too far.
    CHECK(ring.count(2, Counter::links_down) + ring.count(36, Counter::links_down) == 0);
    CHECK(ring.count(2, Counter::notices_sent) + ring.count(36, Counter::notices_sent) == 0);
}

TEST_CASE("notice: of a flood of them a burst is taken, then some each second") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return pipe.node(1).peers(pipe.now()).size() == 1; }));
    pipe.run_for(seconds(1));
    SessionId session{};
    for (const NodePipe::Datagram& datagram : pipe.arrived) {
        const auto opened = open_datagram(datagram.bytes);
        if (datagram.to == 1 && opened && opened->header.kind == DatagramKind::Session) {
            session = opened->header.session;
        }
    }
    Notice notice;
    notice.about = id("nobody").short_id();
    const auto flood = [&](std::uint64_t first) {
        for (std::uint64_t i = 0; i < 300; ++i) {
            pipe.inject(1, box(2), in_session(session, first + i, {encode_message(notice)}));
        }
    };
    const auto refused = [&] { return pipe.count(1, Counter::drop_rate); };
    const auto before = refused();
    flood(100'000);
    CHECK(pipe.count(1, Counter::notices_received) == 300);
    CHECK(refused() - before == 100);
    pipe.run_for(milliseconds(500));
    flood(200'000);
    CHECK(refused() - before == 100 + 200);
}

TEST_CASE("node: who leaves and rejoins was not cut off, and does not say so") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.start(3, "c", 3);
    const auto sees_all = [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 3; };
    REQUIRE(pipe.run_until(seconds(2), sees_all));
    pipe.take<NodeEvent>(1);
    REQUIRE(pipe.command(1, Leave{}));
    pipe.run_for(seconds(5));
    CHECK_FALSE(pipe.node(1).status(pipe.now()).isolated_for);
    REQUIRE(pipe.command(1, Discover{}));
    CHECK(pipe.run_until(seconds(5), sees_all));
    const auto events = pipe.take<NodeEvent>(1);
    CHECK_FALSE(has_event(events, NodeEventKind::Isolated));
    CHECK_FALSE(has_event(events, NodeEventKind::Rejoined));
}

TEST_CASE("node: boxes that died one after another are each forgotten in their time") {
    Config config;
    config.forget_after = std::chrono::minutes(2);
    NodePipe pipe;
    for (std::uint8_t at = 1; at <= 4; ++at) {
        pipe.start(at, std::string(1, static_cast<char>('a' + at - 1)), at, config);
    }
    REQUIRE(pipe.run_until(seconds(5),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 4; }));
    pipe.kill(3);
    pipe.run_for(minutes(1));
    // Away for a while and back: the time of the other is looked at in between.
    pipe.kill(2);
    pipe.run_for(seconds(20));
    pipe.start(2, "b", 22, config);
    pipe.kill(4);
    pipe.run_for(seconds(30));
    CHECK(pipe.node(1).node(pipe.now(), id("c")));
    pipe.run_for(seconds(30));
    CHECK_FALSE(pipe.node(1).node(pipe.now(), id("c")));
    CHECK_FALSE(pipe.node(2).node(pipe.now(), id("c")));
    CHECK(pipe.node(1).node(pipe.now(), id("d")));
    pipe.run_for(seconds(90));
    CHECK_FALSE(pipe.node(1).node(pipe.now(), id("d")));
    CHECK_FALSE(pipe.node(2).node(pipe.now(), id("d")));
    CHECK(pipe.node(1).status(pipe.now()).nodes_alive == 2);
}
