// SPDX-License-Identifier: Apache-2.0
// What a local process may ask, and why it is refused.
#include <doctest/doctest.h>

#include <string>

#include "proto/routing/delivery.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Code = CommandError::Code;

struct Lonely : NodePipe {
    Lonely() { start(1, "a", 1); }

    void check_refused(Command what, Code code, const std::string& field) {
        const auto before = node(1).status(now()).store.records;
        const auto result = command(1, std::move(what));
        REQUIRE_FALSE(result);
        CHECK(result.error().code == code);
        CHECK(result.error().field == field);
        CHECK_FALSE(result.error().message.empty());
        CHECK(node(1).status(now()).store.records == before);
    }
};

std::string nested(int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) {
        text += R"({"a":)";
    }
    return text + "1" + std::string(static_cast<std::size_t>(depth), '}');
}

RaiseAlert alert(std::string text, Duration wait = {}) {
    return {std::move(text), Priority::Normal, wait};
}

}  // namespace

TEST_CASE_FIXTURE(Lonely, "command: an alert must be a JSON object within the limits") {
    for (const char* text : {"", "{", "[]", "1", "null", R"({"a":1,"a":2})", R"({"a":1} x)"}) {
        CAPTURE(text);
        check_refused(alert(text), Code::InvalidParams, "alert");
    }
    const std::string filler(limits::kPayloadBytesMax, 'x');
    check_refused(alert(R"({"a":")" + filler + R"("})"), Code::TooLarge, "alert");
    check_refused(alert(nested(limits::kPayloadDepthMax + 1)), Code::TooLarge, "alert");
    CHECK(command(1, alert(nested(limits::kPayloadDepthMax))));
    CHECK(command(1, alert(R"({"a":")" + filler.substr(8) + R"("})")));
}

TEST_CASE_FIXTURE(Lonely, "command: an alert waits between nothing and a minute") {
    check_refused(alert("{}", milliseconds(-1)), Code::InvalidParams, "wait_ms");
    check_refused(alert("{}", milliseconds(60'001)), Code::InvalidParams, "wait_ms");
    CHECK(command(1, alert("{}", milliseconds(60'000))));
}

TEST_CASE_FIXTURE(Lonely, "command: with no one else there an alert is answered at once") {
    REQUIRE(command(1, alert("{}", seconds(10))));
    const auto raised = take<AlertRaised>(1);
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].delivered.empty());
    CHECK(raised[0].pending.empty());
    CHECK(node(1).alerts(now()).size() == 1);
}

TEST_CASE("command: without wait, who is alive is pending") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 2; }));
    REQUIRE(pipe.command(1, alert("{}")));
    const auto raised = pipe.take<AlertRaised>(1);
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].delivered.empty());
    CHECK(raised[0].pending == std::vector<NodeId>{id("b")});
}

TEST_CASE("command: more callers waiting than allowed are told to come again") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 2; }));
    for (std::size_t i = 0; i < DeliveryTracker::kWaitingMax; ++i) {
        REQUIRE(pipe.command(1, alert("{}", seconds(1))));
    }
    const auto refused = pipe.command(1, alert("{}", seconds(1)));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Code::Overloaded);
    CHECK(refused.error().retry_after > Duration{});
    CHECK(pipe.command(1, alert("{}")));
    pipe.run_for(seconds(1));
    CHECK(pipe.command(1, alert("{}", seconds(1))));
}

TEST_CASE("command: a backlog on a link refuses alerts rather than losing them") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 2; }));
    std::size_t accepted = 0;
    tl::expected<RequestId, CommandError> last;
    while ((last = pipe.command(1, alert("{}"))) && accepted < 10'000) {
        accepted += 1;
    }
    REQUIRE_FALSE(last);
    CHECK(last.error().code == Code::Overloaded);
    CHECK(pipe.count(1, Counter::drop_queue_full) == 0);
    pipe.run_for(seconds(1));
    CHECK(pipe.command(1, alert("{}")));
}

TEST_CASE_FIXTURE(
    Lonely, "command: a state patch must be a JSON object and its result no larger than allowed") {
    for (const char* text : {"", "[]", "7", R"({"a":)"}) {
        CAPTURE(text);
        check_refused(UpdateState{text, std::nullopt}, Code::InvalidParams, "patch");
    }
    const std::string half(40'000, 'x');
    CHECK(command(1, UpdateState{R"({"a":")" + half + R"("})", std::nullopt}));
    check_refused(UpdateState{R"({"b":")" + half + R"("})", std::nullopt}, Code::TooLarge, "patch");
    CHECK(command(1, UpdateState{R"({"a":null,"b":")" + half + R"("})", std::nullopt}));
    CHECK(node(1).state(now(), id("a"))->document == R"({"b":")" + half + R"("})");
}

TEST_CASE_FIXTURE(Lonely, "command: the own state is as old as its last change") {
    REQUIRE(command(1, UpdateState{R"({"a":1})", std::nullopt}));
    run_for(seconds(90));
    const std::uint64_t age = node(1).state(now(), id("a"))->age_ms;
    CHECK(age > 89'000);
    CHECK(age <= 90'000);
    REQUIRE(command(1, UpdateState{R"({"a":2})", std::nullopt}));
    CHECK(node(1).state(now(), id("a"))->age_ms < 1000);
}

TEST_CASE_FIXTURE(Lonely, "command: OFFLINE is nothing a node says of itself") {
    check_refused(UpdateState{std::nullopt, Activity::Offline}, Code::InvalidParams, "activity");
    REQUIRE(command(1, UpdateState{std::nullopt, Activity::Processing}));
    CHECK(node(1).status(now()).activity == Activity::Processing);
}

TEST_CASE_FIXTURE(Lonely, "command: an update that changes nothing is no event and no record") {
    run_for(seconds(1));
    REQUIRE(command(1, UpdateState{R"({"a":1})", Activity::Idle}));
    CHECK(take<StateEvent>(1).size() == 1);
    run_for(seconds(1));
    const auto written = count(1, Counter::records_written);
    REQUIRE(command(1, UpdateState{R"({"a":1})", Activity::Idle}));
    CHECK(take<StateEvent>(1).empty());
    CHECK(take<StateUpdated>(1).size() == 2);
    run_for(seconds(1));
    CHECK(count(1, Counter::records_written) == written);
}

TEST_CASE_FIXTURE(Lonely, "command: who has left raises no alert until it discovers again") {
    REQUIRE(command(1, Leave{}));
    CHECK(take<meshd::HasLeft>(1).size() == 1);
    check_refused(alert("{}"), Code::HasLeft, "");
    REQUIRE(command(1, UpdateState{R"({"a":1})", std::nullopt}));
    REQUIRE(command(1, Leave{}));
    CHECK(take<meshd::HasLeft>(1).size() == 1);
    REQUIRE(command(1, Discover{}));
    CHECK_FALSE(node(1).status(now()).has_left);
    CHECK(command(1, alert("{}")));
}

TEST_CASE("command: while leaving, neither leave nor discover nor alert") {
    NodePipe pipe;
    pipe.start(1, "a", 1);
    pipe.start(2, "b", 2);
    REQUIRE(pipe.run_until(seconds(2),
                           [&] { return pipe.node(1).status(pipe.now()).nodes_alive == 2; }));
    REQUIRE(pipe.command(1, Leave{}));
    for (const Command& what : {Command(Leave{}), Command(Discover{}), Command(alert("{}"))}) {
        const auto refused = pipe.command(1, what);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Code::HasLeft);
    }
    pipe.run_for(milliseconds(100));
    CHECK(pipe.command(1, Discover{}));
}

TEST_CASE("command: a full memory takes no more values of the shared state, but lets go of any") {
    NodePipe pipe;
    Config config;
    config.store_memory_max = 64 * 1024;
    pipe.start(1, "a", 1, config);
    const std::string value(1000, 'x');
    std::size_t written = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::string key = "k" + std::to_string(i);
        const auto result =
            pipe.command(1, UpdateShared{R"({")" + key + R"(":")" + value + R"("})"});
        if (!result) {
            CHECK(result.error().code == Code::Overloaded);
            CHECK(result.error().retry_after > Duration{});
            break;
        }
        ++written;
        CHECK(pipe.command(1, UpdateShared{R"({")" + key + R"(":null})"}));
    }
    CHECK(written > 10);
    CHECK(written < 1000);
    CHECK(pipe.command(1, UpdateShared{R"({"k0":null})"}));
}
