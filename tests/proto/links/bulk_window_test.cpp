// SPDX-License-Identifier: Apache-2.0
#include "proto/links/bulk_window.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

/// A peer at a steady round trip that loses what `is_lost` says; each round fills the window.
struct Rounds {
    BulkWindow window;
    TimePoint now = at(0);
    std::uint64_t next = 1;

    explicit Rounds(std::size_t size_max = BulkWindow::kMaxDefault) : window(size_max) {}

    void round(std::size_t lost_percent, Duration round_trip = milliseconds(5)) {
        const std::uint64_t first = next;
        for (int ms = 0; ms < 100; ++ms, now += milliseconds(1)) {
            while (window.may_send(now)) {
                window.on_sent(next++);
            }
        }
        const std::uint64_t sent = next - first;
        const std::uint64_t lost = sent * lost_percent / 100;
        for (std::uint64_t i = 0; i < sent; ++i) {
            i < lost ? window.on_lost() : window.on_acked(round_trip);
        }
        window.on_ack_end(next - 1, next);
    }
    void rounds(int count, std::size_t lost_percent, Duration round_trip = milliseconds(5)) {
        for (int i = 0; i < count; ++i) {
            round(lost_percent, round_trip);
        }
    }
};

}  // namespace

TEST_CASE("bulk window: half of a default receive buffer at most") {
    CHECK(BulkWindow::kMaxDefault == 46);
    Rounds rounds;
    rounds.rounds(20, 0);
    CHECK(rounds.window.size() == 46);
}

TEST_CASE("bulk window: doubles in clean rounds at first, then grows by a quarter") {
    Rounds rounds(1000);
    CHECK(rounds.window.size() == BulkWindow::kInitial);
    rounds.round(0);
    CHECK(rounds.window.size() == 2 * BulkWindow::kInitial);
    rounds.round(0);
    CHECK(rounds.window.size() == 4 * BulkWindow::kInitial);
    rounds.round(30);
    CHECK(rounds.window.size() == 44);
    rounds.round(0);
    CHECK(rounds.window.size() == 55);
}

TEST_CASE("bulk window: shrinks to 0.7 above a quarter lost, never below its least") {
    Rounds rounds(400);
    rounds.rounds(10, 0);
    REQUIRE(rounds.window.size() == 400);
    rounds.round(26);
    CHECK(rounds.window.size() == 280);
    rounds.rounds(30, 50);
    CHECK(rounds.window.size() == BulkWindow::kMin);
}

TEST_CASE("bulk window: a tenth or a fifth lost does not shrink it") {
    for (const std::size_t percent : {10U, 20U, 25U}) {
        CAPTURE(percent);
        Rounds rounds;
        rounds.rounds(10, percent);
        CHECK(rounds.window.size() == BulkWindow::kMaxDefault);
    }
}

TEST_CASE("bulk window: few outcomes with a loss are judged together with the next") {
    Rounds rounds;
    rounds.rounds(29, 60);
    REQUIRE(rounds.window.size() == BulkWindow::kMin);
    // One of eight three times: a round of 32 is complete with the fourth, of which three were
    // lost.
    rounds.rounds(3, 13);
    CHECK(rounds.window.size() == BulkWindow::kMin);
    rounds.round(0);
    CHECK(rounds.window.size() == BulkWindow::kMin + BulkWindow::kMin / 4);
}

TEST_CASE("bulk window: does not grow where it was not what held bulk back") {
    BulkWindow window;
    TimePoint now = at(0);
    for (std::uint64_t counter = 1; counter < 100; ++counter, now += milliseconds(10)) {
        REQUIRE(window.may_send(now));
        window.on_sent(counter);
        window.on_acked(milliseconds(1));
        window.on_ack_end(counter, counter + 1);
    }
    CHECK(window.size() == BulkWindow::kInitial);
}

TEST_CASE("bulk window: shrinks where the round trip shows a queue") {
    Rounds rounds;
    rounds.rounds(10, 0, milliseconds(5));
    REQUIRE(rounds.window.size() == 46);
    rounds.round(0, milliseconds(29));
    CHECK(rounds.window.size() == 46);
    rounds.round(0, milliseconds(31));
    CHECK(rounds.window.size() == 32);
}

TEST_CASE("bulk window: losses found by timer shrink it without an ack") {
    Rounds rounds;
    rounds.rounds(10, 0);
    while (rounds.window.may_send(rounds.now)) {
        rounds.window.on_sent(rounds.next++);
    }
    for (int i = 0; i < 12; ++i) {
        rounds.window.on_lost();
    }
    rounds.window.on_timeout_end(rounds.next);
    CHECK(rounds.window.size() == 32);
}

TEST_CASE("bulk window: after a pause a burst leaves per millisecond, then two for each ack") {
    Rounds rounds;
    rounds.rounds(10, 0);
    BulkWindow& window = rounds.window;
    REQUIRE(window.size() == 46);
    const TimePoint start = rounds.now + std::chrono::seconds(1);
    const auto send_all = [&](TimePoint now) {
        std::size_t sent = 0;
        for (; window.may_send(now); ++sent) {
            window.on_sent(rounds.next++);
        }
        return sent;
    };
    CHECK(send_all(start) == BulkWindow::kBurst);
    CHECK(send_all(start + Duration(500)) == 0);
    CHECK(window.next_burst() == start + BulkWindow::kBurstInterval);
    window.on_acked(milliseconds(1));
    window.on_acked(milliseconds(1));
    CHECK(send_all(start + Duration(600)) == 4);
    CHECK(send_all(start + milliseconds(1)) == BulkWindow::kBurst);
    CHECK(send_all(start + milliseconds(2)) == 46 - 34);
    CHECK(window.in_flight() == 46);
    CHECK_FALSE(window.next_burst());
}
