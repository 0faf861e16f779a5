// SPDX-License-Identifier: Apache-2.0
// A scrapped box is forgotten by all, and by nobody else's mistake.
#include <doctest/doctest.h>

#include <string>

#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Code = CommandError::Code;

/// Three boxes that know each other.
struct Three : NodePipe {
    Three() {
        start(1, "a", 1);
        start(2, "b", 2);
        start(3, "c", 3);
        REQUIRE(wait_alive(3));
        run_for(seconds(10));
    }

    bool wait_alive(std::size_t alive) {
        return run_until(seconds(30), [&] {
            return node(1).status(now()).nodes_alive == alive &&
                   node(2).status(now()).nodes_alive == alive;
        });
    }
    void scrap() {
        kill(3);
        REQUIRE(wait_alive(2));
        take<NodeEvent>(1);
        take<NodeEvent>(2);
    }
    bool knows(std::uint8_t viewer, const char* name) {
        return node(viewer).node(now(), id(name)).has_value();
    }
    void check_refused(const char* name, Code code) {
        const auto result = command(1, Forget{id(name)});
        REQUIRE_FALSE(result);
        CHECK(result.error().code == code);
        CHECK_FALSE(result.error().message.empty());
    }
};

}  // namespace

TEST_CASE_FIXTURE(Three, "forget: refused for itself, for the unknown and for the living") {
    check_refused("a", Code::NodeAlive);
    check_refused("c", Code::NodeAlive);
    check_refused("nobody", Code::UnknownNode);
    CHECK(knows(1, "c"));
    CHECK(take<Forgotten>(1).empty());
    REQUIRE(command(1, Leave{}));
    run_for(seconds(1));
    check_refused("c", Code::HasLeft);
}

TEST_CASE_FIXTURE(Three,
                  "forget: a dead box vanishes at once here, and on all others, with events") {
    scrap();
    const auto request = command(1, Forget{id("c")});
    REQUIRE(request);
    const auto answers = take<Forgotten>(1);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].request == *request);
    CHECK(answers[0].node == id("c"));
    CHECK_FALSE(knows(1, "c"));
    CHECK_FALSE(node(1).state(now(), id("c")));
    run_for(seconds(1));
    CHECK_FALSE(knows(2, "c"));
    for (const std::uint8_t viewer : {std::uint8_t{1}, std::uint8_t{2}}) {
        const auto events = take<NodeEvent>(viewer);
        REQUIRE(events.size() == 1);
        CHECK(events[0].kind == NodeEventKind::Forgotten);
        CHECK(events[0].node == id("c"));
        CHECK(events[0].by == id("a"));
        CHECK(count(viewer, Counter::nodes_forgotten) == 1);
        CHECK(node(viewer).status(now()).nodes_known == 2);
    }
    check_refused("c", Code::UnknownNode);
    CHECK(node(1).status(now()).store.hashes.coverage ==
          node(2).status(now()).store.hashes.coverage);
}

TEST_CASE_FIXTURE(Three, "forget: one that left may be forgotten, and comes back if it likes") {
    REQUIRE(command(3, Leave{}));
    REQUIRE(wait_alive(2));
    run_for(seconds(10));
    REQUIRE(command(1, Forget{id("c")}));
    run_for(seconds(1));
    CHECK_FALSE(knows(2, "c"));
    // The same process, under the start that was forgotten.
    REQUIRE(command(3, Discover{}));
    REQUIRE(wait_alive(3));
    run_for(seconds(30));
    CHECK(node(2).node(now(), id("c"))->status == NodeStatus::Alive);
    CHECK(node(1).node(now(), id("c"))->status == NodeStatus::Alive);
}

TEST_CASE_FIXTURE(Three, "forget: a new start of the box is alive as if nothing had been") {
    scrap();
    REQUIRE(command(1, Forget{id("c")}));
    run_for(seconds(1));
    start(3, "c", 4);
    REQUIRE(wait_alive(3));
    run_for(seconds(60));
    CHECK(knows(1, "c"));
    CHECK(knows(2, "c"));
    // Dead again, it is remembered as any other.
    kill(3);
    REQUIRE(wait_alive(2));
    run_for(seconds(60));
    CHECK(knows(1, "c"));
    CHECK(knows(2, "c"));
}

TEST_CASE_FIXTURE(Three, "forget: what the box saw and warned of stays until it is deleted") {
    PutEntries put;
    put.entries.push_back({"seen", "person", "{}", 0, std::nullopt, "", {}});
    REQUIRE(command(3, put));
    REQUIRE(command(3, RaiseAlert{"{}", Priority::Normal, {}, "", 0}));
    run_for(seconds(2));
    scrap();
    REQUIRE(command(1, Forget{id("c")}));
    run_for(seconds(10));
    CHECK(node(2).entries(now(), "seen").size() == 1);
    CHECK(node(2).alerts(now()).size() == 1);
    REQUIRE(command(2, DeleteEntries{"seen", id("c")}));
    run_for(seconds(2));
    CHECK(node(1).entries(now(), "seen").empty());
    CHECK_FALSE(knows(1, "c"));
    CHECK_FALSE(knows(2, "c"));
}

TEST_CASE_FIXTURE(Three, "forget: a box that was only cut off is taken in again, everywhere") {
    hears = [](std::uint8_t from, std::uint8_t to) { return (from == 3) == (to == 3); };
    REQUIRE(wait_alive(2));
    run_for(seconds(10));
    REQUIRE(command(1, Forget{id("c")}));
    run_for(seconds(10));
    CHECK_FALSE(knows(2, "c"));
    hears = [](auto, auto) { return true; };
    REQUIRE(wait_alive(3));
    run_for(seconds(60));
    CHECK(knows(1, "c"));
    CHECK(knows(2, "c"));
    CHECK(node(3).status(now()).nodes_alive == 3);
    // The mistake leaves no trace: cut off again, it is remembered.
    hears = [](std::uint8_t from, std::uint8_t to) { return (from == 3) == (to == 3); };
    REQUIRE(wait_alive(2));
    run_for(seconds(30));
    CHECK(knows(1, "c"));
    CHECK(knows(2, "c"));
}

TEST_CASE("forget: a node whose time is over is told of with nobody's name") {
    NodePipe pipe;
    Config config;
    config.forget_after = seconds(20);
    pipe.start(1, "a", 1, config);
    pipe.start(2, "b", 2, config);
    REQUIRE(pipe.run_until(seconds(5),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 2; }));
    pipe.kill(2);
    REQUIRE(pipe.run_until(seconds(60),
                           [&] { return !pipe.node(1).node(pipe.now(), id("b")).has_value(); }));
    std::size_t forgotten = 0;
    std::size_t isolated = 0;
    for (const NodeEvent& event : pipe.take<NodeEvent>(1)) {
        CHECK(event.kind != NodeEventKind::Rejoined);
        isolated += event.kind == NodeEventKind::Isolated ? 1 : 0;
        if (event.kind == NodeEventKind::Forgotten) {
            CHECK(event.node == id("b"));
            CHECK(event.by.empty());
            forgotten += 1;
        }
    }
    CHECK(forgotten == 1);
    CHECK(isolated == 1);
    // There is nobody left that it could be cut off from.
    CHECK_FALSE(pipe.node(1).status(pipe.now()).isolated_for.has_value());
}
