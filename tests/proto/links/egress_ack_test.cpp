// SPDX-License-Identifier: Apache-2.0
// The receiving half: which datagrams are acknowledged, when, and in which ranges; and both halves
// against each other over a lossy pipe.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "tests/proto/links/egress_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

constexpr std::size_t kRangesMax = 8;

/// The highest ranges of a set of counters, rising.
Ranges ranges_of(const std::set<std::uint64_t>& counters) {
    Ranges ranges;
    for (const std::uint64_t counter : counters) {
        if (!ranges.empty() && ranges.back().second + 1 == counter) {
            ranges.back().second = counter;
        } else {
            ranges.emplace_back(counter, counter);
        }
    }
    return ranges;
}

}  // namespace

TEST_CASE_FIXTURE(EgressFixture, "ack: 2 ms after the first datagram that wants one") {
    egress.on_received(at(0), 1, true);
    CHECK(egress.next_deadline() == at(2));
    egress.on_received(at(1), 2, true);
    CHECK(egress.next_deadline() == at(2));
    CHECK_FALSE(poll(at(1)));
    const auto sent = poll(at(2));
    REQUIRE(sent);
    REQUIRE(sent->ack);
    CHECK(sent->ack->ranges == Ranges{{1, 2}});
    CHECK(counters[Counter::acks_sent] == 1);
    CHECK_FALSE(egress.next_deadline());
    CHECK_FALSE(poll(at(100)));
    CHECK(egress.pending() == 0);
}

TEST_CASE_FIXTURE(EgressFixture, "ack: goes along with a message that leaves before") {
    egress.on_received(at(0), 1, true);
    send("news");
    const auto sent = poll(at(1));
    REQUIRE(sent);
    CHECK(sent->ack);
    CHECK(sent->kinds.front() == MessageKind::Ack);
    CHECK(sent->texts == std::vector<std::string>{"news"});
    CHECK_FALSE(poll(at(2)));
}

TEST_CASE_FIXTURE(EgressFixture, "ack: heartbeats and acks are not acknowledged") {
    egress.on_received(at(0), 1, false);
    CHECK_FALSE(egress.next_deadline());
    egress.on_received(at(0), 2, true);
    egress.on_received(at(0), 3, false);
    const auto sent = poll(at(2));
    REQUIRE(sent);
    CHECK(sent->ack->ranges == Ranges{{2, 2}});
}

TEST_CASE_FIXTURE(EgressFixture,
                  "ack: ranges so far are told again, so that a lost ack costs nothing") {
    egress.on_received(at(0), 1, true);
    CHECK(poll(at(2)));
    egress.on_received(at(10), 5, true);
    const auto sent = poll(at(12));
    REQUIRE(sent);
    CHECK(sent->ack->ranges == Ranges{{1, 1}, {5, 5}});
}

TEST_CASE_FIXTURE(EgressFixture, "ack: ranges are those of the set of counters received") {
    Prng random = prng(3);
    for (int round = 0; round < 300; ++round) {
        Egress receiver(SessionId{77}, kDatagramBytes, counters);
        std::set<std::uint64_t> model;
        std::vector<std::uint64_t> order;
        const std::size_t count = 1 + random.below(60);
        // At most 8 ranges: up to 8 gaps would make 9.
        std::set<std::uint64_t> gaps;
        for (std::size_t i = 0; i < random.below(kRangesMax); ++i) {
            gaps.insert(1 + random.below(count));
        }
        for (std::uint64_t counter = 1; counter <= count; ++counter) {
            if (gaps.count(counter) == 0) {
                order.push_back(counter);
            }
        }
        // Reordering by a few places, as networks do.
        for (std::size_t i = 0; i + 1 < order.size(); ++i) {
            std::swap(order[i],
                      order[i + random.below(std::min<std::size_t>(3, order.size() - i))]);
        }
        if (order.empty()) {
            continue;
        }
        for (const std::uint64_t counter : order) {
            receiver.on_received(at(round), counter, true);
            model.insert(counter);
        }
        const auto bytes = receiver.poll(at(round + 2), rtt);
        REQUIRE(bytes);
        const auto sent = receive(*bytes);
        REQUIRE(sent.ack);
        CHECK(sent.ack->ranges == ranges_of(model));
    }
}

TEST_CASE_FIXTURE(EgressFixture,
                  "ack: any order of counters never acknowledges what did not come") {
    Prng random = prng(4);
    for (int round = 0; round < 200; ++round) {
        Egress receiver(SessionId{77}, kDatagramBytes, counters);
        std::set<std::uint64_t> model;
        for (std::size_t i = 0; i < 100; ++i) {
            const std::uint64_t counter = 1 + random.below(200);
            receiver.on_received(at(0), counter, true);
            model.insert(counter);
        }
        const auto bytes = receiver.poll(at(2), rtt);
        REQUIRE(bytes);
        const Ranges ranges = receive(*bytes).ack->ranges;
        CHECK(ranges.size() <= kRangesMax);
        std::uint64_t last = 0;
        for (const auto& [first, end] : ranges) {
            CHECK((last == 0 || first > last + 1));
            last = end;
            for (std::uint64_t counter = first; counter <= end; ++counter) {
                CHECK(model.count(counter) == 1);
            }
        }
    }
}

TEST_CASE_FIXTURE(EgressFixture, "ack: of more ranges than fit the lowest are given up") {
    for (std::uint64_t counter = 1; counter <= 40; counter += 2) {
        egress.on_received(at(0), counter, true);
    }
    const auto sent = poll(at(2));
    REQUIRE(sent);
    REQUIRE(sent->ack->ranges.size() == kRangesMax);
    CHECK(sent->ack->ranges.front() == std::pair<std::uint64_t, std::uint64_t>{25, 25});
    CHECK(sent->ack->ranges.back() == std::pair<std::uint64_t, std::uint64_t>{39, 39});
}

TEST_CASE_FIXTURE(EgressFixture, "ack: one that is lost costs one copy") {
    Egress receiver(SessionId{77}, kDatagramBytes, counters);
    send("once");
    const auto first = poll(at(0));
    REQUIRE(first);
    receiver.on_received(at(1), first->counter, true);
    REQUIRE(receiver.poll(at(3), rtt));  // lost
    const auto again = run_until(at(50));
    REQUIRE(again.size() == 1);
    receiver.on_received(at(51), again[0].second.counter, true);
    const auto bytes = receiver.poll(at(53), rtt);
    REQUIRE(bytes);
    egress.on_ack(*receive(*bytes).ack);
    CHECK(egress.pending() == 0);
    CHECK(run_until(at(60'000)).empty());
}

TEST_CASE("ack: over a pipe that loses, delays and reorders, everything arrives") {
    for (const double loss : {0.0, 0.1, 0.4}) {
        CAPTURE(loss);
        Counters counters;
        RttEstimator rtt;
        rtt.add(milliseconds(10));
        Egress sender(SessionId{77}, 1400, counters);
        Egress receiver(SessionId{77}, 1400, counters);
        Prng random = prng(5);
        std::multimap<TimePoint, std::pair<bool, Received>> wire;  // true: to the receiver
        std::map<std::string, int> copies;
        constexpr int kMessages = 500;
        int sent = 0;
        TimePoint now = at(0);
        const auto transmit = [&](bool to_receiver, const Buffer& bytes) {
            if (random.unit() >= loss) {
                const Duration delay =
                    milliseconds(3) + random.between(Duration{}, milliseconds(4));
                wire.emplace(now + delay, std::pair(to_receiver, receive(bytes)));
            }
        };
        for (; now < at(60'000) && (sent < kMessages || sender.pending() > 0);
             now += milliseconds(1)) {
            if (sent < kMessages) {
                auto message = std::make_shared<EncodedMessage>();
                message->kind = MessageKind::Alert;
                append(message->bytes,
                       std::to_string(sent++) + std::string(random.below(900), '.'));
                REQUIRE(sender.send(message, TrafficClass::Normal, true));
            }
            while (!wire.empty() && wire.begin()->first <= now) {
                const auto [to_receiver, datagram] = wire.begin()->second;
                wire.erase(wire.begin());
                if (to_receiver) {
                    for (const std::string& text : datagram.texts) {
                        copies[text] += 1;
                    }
                    receiver.on_received(now, datagram.counter, !datagram.texts.empty());
                } else {
                    REQUIRE(datagram.ack);
                    sender.on_ack(*datagram.ack);
                }
            }
            sender.on_timeout(now);
            receiver.on_timeout(now);
            while (const auto bytes = sender.poll(now, rtt)) {
                transmit(true, *bytes);
            }
            while (const auto bytes = receiver.poll(now, rtt)) {
                transmit(false, *bytes);
            }
        }
        CHECK(sender.pending() == 0);
        CHECK(copies.size() == kMessages);
        if (loss == 0) {
            CHECK(counters[Counter::messages_retransmitted] == 0);
        }
    }
}
