// SPDX-License-Identifier: Apache-2.0
// Nodes that find, lose, leave and find each other again.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

bool has_event(const std::vector<NodeEvent>& events, NodeEventKind kind, std::string_view node) {
    return std::any_of(events.begin(), events.end(), [&](const NodeEvent& event) {
        return event.kind == kind && event.node == id(node);
    });
}

NodeStatus status_of(NodePipe& pipe, std::uint8_t at_box, std::string_view node) {
    const auto view = pipe.node(at_box).node(pipe.now(), id(node));
    REQUIRE(view);
    return view->status;
}

/// Everybody sees everybody alive.
bool is_whole(NodePipe& pipe, std::initializer_list<std::uint8_t> boxes) {
    return std::all_of(boxes.begin(), boxes.end(), [&](std::uint8_t box) {
        return pipe.node(box).status(pipe.now()).nodes_alive == boxes.size();
    });
}

}  // namespace

TEST_CASE("node: two that start together make one link and tell of it") {
    for (std::uint8_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(static_cast<int>(seed));
        NodePipe pipe;
        pipe.start(1, "a", seed);
        pipe.start(2, "b", static_cast<std::uint8_t>(100 + seed));
        REQUIRE(pipe.run_until(seconds(1), [&] { return is_whole(pipe, {1, 2}); }));
        pipe.run_for(seconds(5));
        for (const std::uint8_t box : {std::uint8_t{1}, std::uint8_t{2}}) {
            CHECK(pipe.count(box, Counter::links_up) == 1);
            CHECK(pipe.count(box, Counter::links_down) == 0);
            CHECK(pipe.take<LinkEvent>(box).size() == 1);
            const auto peers = pipe.node(box).peers(pipe.now());
            REQUIRE(peers.size() == 1);
            CHECK(peers[0].rtt == 2 * pipe.delay);
            CHECK(peers[0].loss == 0);
            CHECK(peers[0].queued == 0);
        }
        CHECK(has_event(pipe.take<NodeEvent>(1), NodeEventKind::Joined, "b"));
        CHECK(has_event(pipe.take<NodeEvent>(2), NodeEventKind::Joined, "a"));
        // Neither handshake was repeated or done twice.
        CHECK(pipe.count(1, Counter::drop_unknown_session) == 0);
        CHECK(pipe.count(2, Counter::drop_unknown_session) == 0);
    }
}

TEST_CASE("node: an own beacon that comes back is no one") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.run_for(seconds(3));
    CHECK(pipe.count(1, Counter::drop_own_beacon) == 5);
    CHECK(pipe.node(1).status(pipe.now()).nodes_known == 1);
}

TEST_CASE("node: an alert with wait returns when all hold it") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.start(3, "c", 3);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2, 3}); }));
    const TimePoint asked = pipe.now().monotonic;
    const auto request =
        pipe.command(1, RaiseAlert{R"({"what":"smoke"})", Priority::High, seconds(5)});
    REQUIRE(request);
    std::vector<AlertRaised> raised;
    REQUIRE(pipe.run_until(seconds(5), [&] {
        raised = pipe.take<AlertRaised>(1);
        return !raised.empty();
    }));
    CHECK(pipe.now().monotonic - asked < milliseconds(20));
    CHECK(raised[0].request == *request);
    CHECK(raised[0].delivered == std::vector<NodeId>{id("b"), id("c")});
    CHECK(raised[0].pending.empty());
    const auto own = pipe.take<AlertEvent>(1);
    REQUIRE(own.size() == 1);
    CHECK(own[0].alert.hops == 0);
    const auto received = pipe.take<AlertEvent>(2);
    REQUIRE(received.size() == 1);
    CHECK(received[0].alert.id == raised[0].id);
    CHECK(received[0].alert.alert == R"({"what":"smoke"})");
    CHECK(received[0].alert.hops == 1);
    CHECK_FALSE(received[0].replayed);
}

TEST_CASE("node: who cannot be reached stays pending when the wait ends") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.hears = [](auto, auto) { return false; };
    REQUIRE(pipe.command(1, RaiseAlert{"{}", Priority::Critical, milliseconds(300)}));
    pipe.run_for(milliseconds(299));
    CHECK(pipe.take<AlertRaised>(1).empty());
    pipe.run_for(milliseconds(1));
    const auto raised = pipe.take<AlertRaised>(1);
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].delivered.empty());
    CHECK(raised[0].pending == std::vector<NodeId>{id("b")});
}

TEST_CASE("node: alert and report cross a node in between") {
    NodePipe pipe;
    pipe.hears = [](std::uint8_t from, std::uint8_t to) { return from == 2 || to == 2; };
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.start(3, "c", 3);
    REQUIRE(pipe.run_until(seconds(3), [&] { return is_whole(pipe, {1, 2, 3}); }));
    CHECK(pipe.node(1).peers(pipe.now()).size() == 1);
    CHECK(pipe.node(1).node(pipe.now(), id("c"))->hops == 2U);
    REQUIRE(pipe.command(1, RaiseAlert{"{}", Priority::Normal, seconds(5)}));
    std::vector<AlertRaised> raised;
    REQUIRE(pipe.run_until(seconds(1), [&] {
        raised = pipe.take<AlertRaised>(1);
        return !raised.empty();
    }));
    CHECK(raised[0].delivered == std::vector<NodeId>{id("b"), id("c")});
    CHECK(pipe.count(2, Counter::messages_routed) == 1);
    const auto received = pipe.take<AlertEvent>(3);
    REQUIRE(received.size() == 1);
    CHECK(received[0].alert.hops == 2);
    CHECK(received[0].alert.path == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("node: one that dies is offline within seconds, and back as soon as it speaks") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.run_for(seconds(60));
    pipe.take<NodeEvent>(1);
    pipe.hears = [](auto, auto) { return false; };
    CHECK(pipe.run_until(milliseconds(2600),
                         [&] { return status_of(pipe, 1, "b") == NodeStatus::Offline; }));
    CHECK(has_event(pipe.take<NodeEvent>(1), NodeEventKind::Offline, "b"));
    CHECK(pipe.node(1).peers(pipe.now()).empty());
    pipe.run_for(seconds(30));
    pipe.hears = [](auto, auto) { return true; };
    CHECK(pipe.run_until(seconds(1), [&] { return is_whole(pipe, {1, 2}); }));
    CHECK(has_event(pipe.take<NodeEvent>(1), NodeEventKind::Returned, "b"));
}

TEST_CASE("node: a link that is cut one way only is no link") {
    NodePipe pipe;
    pipe.hears = [](std::uint8_t from, std::uint8_t) { return from == 1; };
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    pipe.run_for(seconds(30));
    CHECK(pipe.node(1).peers(pipe.now()).empty());
    CHECK(pipe.node(2).peers(pipe.now()).empty());
    CHECK(pipe.count(2, Counter::links_up) == 0);
}

TEST_CASE("node: a process that was paused accuses no one") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    Node& paused = pipe.node(1);
    const Now later{pipe.now().monotonic + seconds(10), pipe.now().wall};
    paused.handle_timeout(later);
    CHECK(paused.peers(later).size() == 1);
}

TEST_CASE("node: a graceful stop is known at once, and so is the return") {
    for (const bool restarting : {false, true}) {
        CAPTURE(restarting);
        NodePipe pipe;
        pipe.start(1, "a", 1);
        pipe.start(2, "b", 2);
        pipe.start(3, "c", 3);
        REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2, 3}); }));
        pipe.run_for(seconds(1));
        pipe.take<NodeEvent>(2);
        const auto request = pipe.command(1, Leave{restarting});
        REQUIRE(request);
        CHECK(pipe.run_until(milliseconds(50), [&] {
            return status_of(pipe, 2, "a") == NodeStatus::Left &&
                   status_of(pipe, 3, "a") == NodeStatus::Left;
        }));
        CHECK(pipe.node(2).node(pipe.now(), id("a"))->restarting == restarting);
        CHECK(has_event(pipe.take<NodeEvent>(2),
                        restarting ? NodeEventKind::Restarting : NodeEventKind::Left, "a"));
        pipe.run_for(milliseconds(50));
        const auto left = pipe.take<meshd::HasLeft>(1);
        REQUIRE(left.size() == 1);
        CHECK(left[0].request == *request);
        CHECK(pipe.node(1).status(pipe.now()).has_left);
        CHECK(pipe.node(1).peers(pipe.now()).empty());
        CHECK(pipe.node(2).peers(pipe.now()).size() == 1);
        CHECK_FALSE(has_event(pipe.take<NodeEvent>(1), NodeEventKind::Offline, "b"));

        pipe.run_for(seconds(20));
        CHECK(pipe.node(1).peers(pipe.now()).empty());
        CHECK(pipe.node(2).peers(pipe.now()).size() == 1);

        CHECK(pipe.command(1, Discover{}));
        CHECK(pipe.take<Discovered>(1).size() == 1);
        CHECK(pipe.run_until(seconds(1), [&] { return is_whole(pipe, {1, 2, 3}); }));
        CHECK(has_event(pipe.take<NodeEvent>(2), NodeEventKind::Returned, "a"));
    }
}

TEST_CASE("node: one that leaves waits no longer than half a second for deaf peers") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.hears = [](auto, auto) { return false; };
    REQUIRE(pipe.command(1, Leave{}));
    pipe.run_for(milliseconds(499));
    CHECK(pipe.take<meshd::HasLeft>(1).empty());
    pipe.run_for(milliseconds(1));
    CHECK(pipe.take<meshd::HasLeft>(1).size() == 1);
}

TEST_CASE("node: a restart without goodbye takes over the link of the former start") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.run_for(seconds(10));
    const StartId former = pipe.node(2).status(pipe.now()).start;
    pipe.kill(2);
    pipe.run_for(milliseconds(300));
    pipe.take<LinkEvent>(1);
    pipe.start(2, "b", 22);
    CHECK(pipe.node(2).status(pipe.now()).start != former);
    REQUIRE(pipe.run_until(seconds(1), [&] { return is_whole(pipe, {1, 2}); }));
    const auto events = pipe.take<LinkEvent>(1);
    REQUIRE(events.size() == 2);
    CHECK_FALSE(events[0].up);
    CHECK(events[1].up);
    REQUIRE(pipe.command(1, RaiseAlert{"{}", Priority::Normal, seconds(1)}));
    pipe.run_for(milliseconds(100));
    const auto raised = pipe.take<AlertRaised>(1);
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].delivered == std::vector<NodeId>{id("b")});
}

TEST_CASE("node: of two nodes of one name the member stays, the other is told") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.start(3, "b", 3, {}, 33);
    pipe.run_for(seconds(10));
    const auto view = pipe.node(1).node(pipe.now(), id("b"));
    REQUIRE(view);
    CHECK(view->instance == InstanceId{2});
    CHECK(view->status == NodeStatus::Alive);
    CHECK(pipe.node(3).peers(pipe.now()).empty());
    CHECK(has_event(pipe.take<NodeEvent>(3), NodeEventKind::Conflict, "b"));
    CHECK(pipe.count(1, Counter::drop_name_conflict) > 0);
    CHECK(pipe.count(1, Counter::links_down) == 0);
}

TEST_CASE("node: bootstrap addresses are enough where no beacon is heard") {
    NodePipe pipe;
    Config config;
    config.bootstrap = {box(1, 9999, 0)};
    pipe.start(1, "a", 1);
    // A node that is told no local address sends no beacon.
    pipe.start(2, "b", 2, config);
    pipe.node(1).handle_addresses(pipe.now(), {});
    pipe.node(2).handle_addresses(pipe.now(), {});
    CHECK(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
}

TEST_CASE("node: updates of the own state are gathered, the last one wins") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.run_for(seconds(1));
    pipe.take<StateEvent>(2);
    const auto written = pipe.count(1, Counter::records_written);
    for (int i = 1; i <= 100; ++i) {
        REQUIRE(pipe.command(1, UpdateState{R"({"n":)" + std::to_string(i) + "}", std::nullopt}));
        pipe.run_for(milliseconds(10));
    }
    pipe.run_for(milliseconds(300));
    CHECK(pipe.count(1, Counter::records_written) - written >= 5);
    CHECK(pipe.count(1, Counter::records_written) - written <= 6);
    const auto events = pipe.take<StateEvent>(2);
    REQUIRE_FALSE(events.empty());
    CHECK(events.front().state.document == R"({"n":1})");
    CHECK(events.back().state.document == R"({"n":100})");
    CHECK(pipe.node(2).state(pipe.now(), id("a"))->document == R"({"n":100})");
    CHECK(pipe.take<StateUpdated>(1).size() == 100);
}

TEST_CASE("node: a big state spreads at no more than 64 KiB a second") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2), [&] { return is_whole(pipe, {1, 2}); }));
    pipe.run_for(seconds(1));
    const auto written = pipe.count(1, Counter::records_written);
    for (int i = 0; i < 50; ++i) {
        const std::string text(60'000, static_cast<char>('a' + i % 26));
        REQUIRE(pipe.command(1, UpdateState{R"({"t":")" + text + R"("})", std::nullopt}));
        pipe.run_for(milliseconds(100));
    }
    CHECK(pipe.count(1, Counter::records_written) - written <= 6);
    CHECK(pipe.count(1, Counter::records_written) - written >= 5);
}

TEST_CASE("node: handshakes that meet on a slow wire end in one session") {
    for (std::uint8_t seed = 1; seed <= 40; ++seed) {
        for (const int delay_ms : {1, 10, 30, 60, 120}) {
            CAPTURE(static_cast<int>(seed));
            CAPTURE(delay_ms);
            NodePipe pipe;
            pipe.delay = milliseconds(delay_ms);
            pipe.start(1, "a", seed);
            pipe.start(2, "b", static_cast<std::uint8_t>(100 + seed));
            REQUIRE(pipe.run_until(seconds(3), [&] { return is_whole(pipe, {1, 2}); }));
            pipe.run_for(seconds(5));
            std::map<std::size_t, std::set<SessionId>> sessions;
            for (const NodePipe::Datagram& datagram : pipe.arrived) {
                const auto header = peek_header(datagram.bytes);
                if (header->kind == DatagramKind::Session) {
                    sessions[datagram.to].insert(header->session);
                }
            }
            CHECK(sessions[1].size() == 1);
            CHECK(sessions[2].size() == 1);
        }
    }
}

TEST_CASE("node: one that restarts while it is being asked is linked without delay") {
    for (const std::uint64_t instance : {std::uint64_t{1}, UINT64_MAX}) {
        for (int after_ms = 0; after_ms < 200; after_ms += 7) {
            CAPTURE(instance);
            CAPTURE(after_ms);
            NodePipe pipe;
            pipe.start(1, "a", 1, {}, 1000);
            pipe.run_for(seconds(5));
            pipe.start(2, "b", 2, {}, instance);
            pipe.run_for(milliseconds(after_ms));
            pipe.start(2, "b", 3, {}, instance);
            CHECK(pipe.run_until(milliseconds(1000), [&] { return is_whole(pipe, {1, 2}); }));
        }
    }
}
