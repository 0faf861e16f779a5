// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/note_sender.h"

#include <doctest/doctest.h>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;
using std::chrono::milliseconds;

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

NoteSender::Outgoing note(bool wants_ack, int deadline_ms, std::size_t bytes = 10) {
    return {RequestId{7}, id("b"), Buffer(bytes, 'n'), wants_ack, at(deadline_ms)};
}

/// Times at which an attempt was due until `end_ms`, each successful as told.
std::vector<int> attempts(NoteSender& sender, int end_ms, bool succeeds) {
    std::vector<int> times;
    for (int ms = 0; ms <= end_ms; ++ms) {
        sender.on_timeout(at(ms));
        while (const auto number = sender.poll_attempt()) {
            times.push_back(ms);
            sender.on_attempt(at(ms), *number, succeeds);
        }
    }
    return times;
}

TEST_CASE("notes: without acknowledgement one is done once it is on its way") {
    NoteSender sender;
    sender.send(at(0), 1, note(false, 1000));
    REQUIRE(sender.poll_attempt() == 1);
    sender.on_attempt(at(3), 1, true);
    const auto result = sender.poll_result();
    REQUIRE(result);
    CHECK(result->outcome == NoteOutcome::Sent);
    CHECK(result->request == RequestId{7});
    CHECK(result->took == milliseconds(3));
    CHECK_FALSE(sender.next_deadline());
    CHECK_FALSE(sender.poll_attempt());
}

TEST_CASE("notes: one is repeated ever more rarely until the other end has it") {
    NoteSender sender;
    sender.send(at(0), 1, note(true, 10'000));
    CHECK(attempts(sender, 5000, true) == std::vector{0, 700, 2100, 4100});
    sender.on_ack(at(5001), 1, id("c"));
    sender.on_ack(at(5001), 2, id("b"));
    CHECK_FALSE(sender.poll_result());
    sender.on_ack(at(5002), 1, id("b"));
    const auto result = sender.poll_result();
    REQUIRE(result);
    CHECK(result->outcome == NoteOutcome::Acknowledged);
    CHECK(result->took == milliseconds(5002));
    sender.on_ack(at(5003), 1, id("b"));
    CHECK_FALSE(sender.poll_result());
}

TEST_CASE("notes: at the deadline one that was sent was met with silence") {
    NoteSender sender;
    sender.send(at(0), 1, note(true, 500));
    attempts(sender, 499, true);
    CHECK_FALSE(sender.poll_result());
    sender.on_timeout(at(500));
    CHECK(sender.poll_result()->outcome == NoteOutcome::Silent);
}

TEST_CASE("notes: without a route one waits for it until the deadline") {
    NoteSender sender;
    sender.send(at(0), 1, note(false, 500));
    attempts(sender, 100, false);
    sender.on_routes_changed();
    REQUIRE(sender.poll_attempt() == 1);
    sender.on_attempt(at(100), 1, false);
    sender.on_timeout(at(500));
    CHECK(sender.poll_result()->outcome == NoteOutcome::NoRoute);

    sender.send(at(1000), 2, note(false, 1500));
    sender.on_attempt(at(1000), *sender.poll_attempt(), false);
    sender.on_routes_changed();
    sender.on_attempt(at(1100), *sender.poll_attempt(), true);
    CHECK(sender.poll_result()->outcome == NoteOutcome::Sent);
}

TEST_CASE("notes: what waits is bounded in number and bytes") {
    NoteSender few;
    for (std::uint64_t i = 1; i <= NoteSender::kNotesMax; ++i) {
        REQUIRE(few.has_room(1));
        few.send(at(0), i, note(true, 500, 1));
    }
    CHECK_FALSE(few.has_room(1));
    few.on_ack(at(1), 5, id("b"));
    CHECK(few.has_room(1));

    NoteSender large;
    large.send(at(0), 1, note(true, 500, NoteSender::kBytesMax - 10));
    CHECK(large.has_room(10));
    CHECK_FALSE(large.has_room(11));
}

}  // namespace
}  // namespace meshd
