// SPDX-License-Identifier: Apache-2.0
// Members that do not do their part, names used twice, boxes that never come back.
#include <doctest/doctest.h>

#include <algorithm>

#include "proto/store/record.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

bool sees_alive(NodePipe& pipe, std::uint8_t box, std::size_t nodes) {
    return pipe.node(box).status(pipe.now()).nodes_alive == nodes;
}

bool has_event(const std::vector<NodeEvent>& events, NodeEventKind kind) {
    return std::any_of(events.begin(), events.end(),
                       [kind](const NodeEvent& event) { return event.kind == kind; });
}

/// Boxes 1 to 3 in a line: 1 hears 2, 2 hears both, 3 hears 2.
void make_line(NodePipe& pipe) {
    pipe.hears = [](std::uint8_t from, std::uint8_t to) {
        return std::max(from, to) - std::min(from, to) == 1;
    };
}

}  // namespace

TEST_CASE("node: a peer that never acknowledges loses its link, and silences no alert") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 1, 2); }));
    pipe.run_for(seconds(1));
    // From now on b hears nothing, but a still hears b's heartbeats.
    pipe.hears = [](std::uint8_t from, std::uint8_t) { return from == 2; };
    REQUIRE(pipe.command(1, RaiseAlert{"{}", Priority::Normal, {}}));
    pipe.run_for(seconds(15));
    CHECK(pipe.count(1, Counter::links_down) > 0);
    CHECK(pipe.node(1).peers(pipe.now()).empty());
}

TEST_CASE("node: thousands of critical alerts are taken while one peer does not keep up") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 1, 2); }));
    pipe.hears = [](std::uint8_t from, std::uint8_t) { return from == 2; };
    for (int i = 0; i < 6000; ++i) {
        REQUIRE(pipe.command(1, RaiseAlert{"{}", Priority::Critical, {}}));
    }
}

TEST_CASE("node: a name in use two hops away is refused, and the member's links stay") {
    NodePipe pipe;
    make_line(pipe);
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 2, 2); }));
    pipe.run_for(seconds(2));
    pipe.take<LinkEvent>(2);
    pipe.start(3, "a", 33, {}, 3333);
    pipe.run_for(seconds(30));
    CHECK(pipe.node(2).peers(pipe.now()).size() == 1);
    CHECK(pipe.take<LinkEvent>(2).empty());
    CHECK(pipe.node(3).peers(pipe.now()).empty());
    CHECK(has_event(pipe.take<NodeEvent>(3), NodeEventKind::Conflict));
    CHECK_FALSE(pipe.node(3).status(pipe.now()).warnings.empty());
    CHECK(pipe.count(2, Counter::drop_name_conflict) > 0);
}

TEST_CASE("node: who was refused for its name joins when the other has gone") {
    NodePipe pipe;
    make_line(pipe);
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 2, 2); }));
    pipe.start(3, "a", 33, {}, 3333);
    pipe.run_for(seconds(5));
    pipe.kill(1);
    CHECK(pipe.run_until(seconds(30), [&] { return sees_alive(pipe, 3, 2); }));
}

TEST_CASE("node: leaving and rejoining is no news about the others being offline") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.start(3, "c", 3);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 1, 3); }));
    REQUIRE(pipe.command(1, Leave{}));
    pipe.run_for(seconds(5));
    pipe.take<NodeEvent>(1);
    REQUIRE(pipe.command(1, Discover{}));
    CHECK(pipe.run_until(seconds(5), [&] { return sees_alive(pipe, 1, 3); }));
    const auto events = pipe.take<NodeEvent>(1);
    CHECK_FALSE(has_event(events, NodeEventKind::Offline));
    CHECK_FALSE(has_event(events, NodeEventKind::Unreachable));
    CHECK(has_event(events, NodeEventKind::Returned));
}

TEST_CASE("node: a box known only from others, and never alive here, is forgotten too") {
    Config config;
    config.forget_after = std::chrono::minutes(2);
    NodePipe pipe;
    pipe.start(1, "a", 1, config);
    pipe.start(2, "b", 2, config);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 1, 2); }));
    pipe.kill(2);
    pipe.run_for(seconds(10));
    pipe.start(3, "c", 3, config);
    pipe.run_for(seconds(10));
    CHECK(pipe.node(3).node(pipe.now(), id("b")));
    pipe.run_for(std::chrono::minutes(5));
    CHECK_FALSE(pipe.node(1).node(pipe.now(), id("b")));
    CHECK_FALSE(pipe.node(3).node(pipe.now(), id("b")));
}

TEST_CASE("node: what others claim in its name makes it write at most once a second") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return sees_alive(pipe, 1, 2); }));
    pipe.run_for(seconds(1));
    SessionId session;
    for (const auto& datagram : pipe.arrived) {
        if (datagram.to == 1 && datagram.from == box(2) &&
            peek_header(datagram.bytes)->kind == DatagramKind::Session) {
            session = peek_header(datagram.bytes)->session;
        }
    }
    REQUIRE(session);
    const auto written = pipe.count(1, Counter::pushes_sent);
    for (std::uint64_t i = 1; i <= 100; ++i) {
        NodeData data;
        data.instance = InstanceId{99};
        data.start = StartId{i};
        data.volatile_stream = StreamId{1000 + i};
        data.durable_stream = StreamId{2000 + i};
        RecordHeader header{RecordKind::Node, id("a"), data.volatile_stream, 1,
                            HybridTime{(std::uint64_t{1'800'000'000'000} + i) << 16}};
        const Buffer record = encode_node_record(header, data);
        Push push;
        push.kind = RecordKind::Node;
        push.record = record;
        push.provenance.path = {id("b").short_id()};
        pipe.inject(1, box(2), in_session(session, 100'000 + i, {encode_message(push)}));
    }
    CHECK(pipe.count(1, Counter::pushes_sent) <= written + 10);
    pipe.run_for(seconds(5));
    CHECK(sees_alive(pipe, 2, 2));
}
