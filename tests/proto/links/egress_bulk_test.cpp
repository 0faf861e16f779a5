// SPDX-License-Identifier: Apache-2.0
// Bulk beside other traffic, and losses told from reordering.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "proto/wire/fragment.h"
#include "tests/proto/links/egress_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Class = TrafficClass;

std::string full(char c = 'x') {
    return std::string(1300, c);
}

}  // namespace

TEST_CASE_FIXTURE(EgressFixture, "ack: at once after 8 datagrams") {
    for (std::uint64_t counter = 1; counter <= 7; ++counter) {
        egress.on_received(at(0), counter, true);
        CHECK_FALSE(poll(at(0)));
    }
    egress.on_received(at(0), 8, true);
    CHECK(egress.next_deadline() == at(0));
    CHECK(poll(at(0)));
    egress.on_received(at(0), 9, true);
    CHECK_FALSE(poll(at(0)));
    CHECK(egress.next_deadline() == at(2));
}

TEST_CASE_FIXTURE(EgressFixture, "egress: what a later ack overtakes is repeated at once") {
    for (int i = 0; i < 6; ++i) {
        send(full(static_cast<char>('a' + i)));
    }
    REQUIRE(poll_all(at(0)).size() == 6);
    egress.on_ack(Ack{{{1, 1}, {4, 4}}});
    CHECK(poll_all(at(1)).empty());
    egress.on_ack(Ack{{{1, 1}, {4, 5}}});
    const auto repeated = poll_all(at(1));
    REQUIRE(repeated.size() == 1);
    CHECK(repeated[0].texts == std::vector<std::string>{full('b')});
    CHECK(counters[Counter::datagrams_lost] == 1);
    egress.on_ack(Ack{{{1, 1}, {4, 6}}});
    CHECK(poll_all(at(1)).size() == 1);
    ack(7, 8);
    CHECK(egress.pending() == 0);
    CHECK_FALSE(egress.next_deadline());
}

TEST_CASE_FIXTURE(EgressFixture, "egress: an order changed by up to two places repeats nothing") {
    Prng random = prng(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::uint64_t> order;
        for (int i = 0; i < 20; ++i) {
            send(full(), Class::Normal);
        }
        for (const Received& one : poll_all(at(round))) {
            order.push_back(one.counter);
        }
        REQUIRE(order.size() == 20);
        // Each overtaken by at most two: disjoint runs of three in any order.
        for (std::size_t i = 0; i + 3 <= order.size(); i += 3) {
            std::swap(order[i], order[i + random.below(3)]);
            std::swap(order[i + 1], order[i + 1 + random.below(2)]);
        }
        for (const std::uint64_t counter : order) {
            ack(counter, counter);
        }
        REQUIRE(egress.pending() == 0);
    }
    CHECK(counters[Counter::messages_retransmitted] == 0);
    CHECK(counters[Counter::datagrams_lost] == 0);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: a network that reorders by more is believed the first time") {
    const auto one_late_by = [&](std::uint64_t places) {
        std::vector<std::uint64_t> sent;
        for (int i = 0; i < 20; ++i) {
            send(full());
        }
        for (const Received& one : poll_all(at(0))) {
            sent.push_back(one.counter);
        }
        REQUIRE(sent.size() == 20);
        const std::size_t before = counters[Counter::messages_retransmitted];
        egress.on_ack(Ack{{{sent[1], sent[places]}}});
        egress.on_ack(Ack{{{sent[0], sent[19]}}});
        CHECK(poll_all(at(0)).empty());
        CHECK(egress.pending() == 0);
        return counters[Counter::messages_retransmitted] - before;
    };
    CHECK(one_late_by(2) == 0);
    CHECK(one_late_by(6) == 1);
    CHECK(one_late_by(6) == 0);
    CHECK(one_late_by(7) == 1);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: what the peer has no room for is not offered again at each ack") {
    send(full('r'));
    REQUIRE(poll_all(at(0)).size() == 1);
    // All but the datagrams with that message are acknowledged, all within a few milliseconds.
    std::size_t offers = 1;
    for (int i = 0; i < 100; ++i) {
        for (int k = 0; k < 5; ++k) {
            send(full('o'));
        }
        for (const Received& one : poll_all(at(0))) {
            const bool refused = one.texts.front() == full('r');
            offers += refused ? 1 : 0;
            if (!refused) {
                ack(one.counter, one.counter);
            }
        }
    }
    CHECK(offers == 1 + Egress::kEarlyRepeatsMax);
    CHECK(run_until(at(60)).size() == 1);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: bulk keeps to its window, and others do not wait for it") {
    for (int i = 0; i < 400; ++i) {
        send(full(), Class::Bulk);
    }
    std::size_t sent = 0;
    for (int ms = 0; ms < 8; ++ms) {
        sent += poll_all(at(ms)).size();
    }
    CHECK(sent == BulkWindow::kInitial);
    for (const Class other : {Class::Low, Class::Normal, Class::High, Class::Critical}) {
        CAPTURE(static_cast<int>(other));
        send("other", other);
        const auto next = poll_all(at(8));
        REQUIRE(next.size() == 1);
        CHECK(next[0].texts == std::vector<std::string>{"other"});
    }
}

TEST_CASE_FIXTURE(EgressFixture, "egress: no bulk leaves while another class is held back") {
    do {
        send(full());
    } while (!poll_all(at(0)).empty());
    send(full('b'), Class::Bulk);
    CHECK(poll_all(at(0)).empty());
    ack(1, 1);
    const auto freed = poll_all(at(0));
    REQUIRE(freed.size() == 2);
    CHECK(freed[0].texts == std::vector<std::string>{full()});
    CHECK(freed[1].texts == std::vector<std::string>{full('b')});
}

TEST_CASE_FIXTURE(EgressFixture, "egress: bulk that waits for its next burst says when") {
    for (int i = 0; i < 40; ++i) {
        send(full(), Class::Bulk);
    }
    REQUIRE(poll_all(at(0)).size() == BulkWindow::kInitial);
    CHECK(egress.next_deadline() == at(0) + rtt.first_retry());
    egress.on_time(at(1));
    ack(1, 16);
    CHECK(egress.bulk_window().size() == 2 * BulkWindow::kInitial);
    CHECK(poll_all(at(1)).size() == BulkWindow::kBurst);
    CHECK(egress.next_deadline() == at(1) + BulkWindow::kBurstInterval);
}

TEST_CASE("egress: alerts overtake bulk through a bottleneck, at any loss") {
    for (const double loss : {0.0, 0.1, 0.2}) {
        CAPTURE(loss);
        Counters counters;
        RttEstimator rtt;
        rtt.add(milliseconds(2));
        Egress sender(SessionId{77}, 1400, counters);
        Egress receiver(SessionId{77}, 1400, counters);
        Prng random = prng(9);
        // 2 datagrams per millisecond, and room for 92 in the queue before: a default buffer.
        std::deque<Received> queue;
        std::multimap<TimePoint, Received> back;
        std::map<std::string, TimePoint> raised;
        std::map<std::string, Duration> took;
        std::size_t queued_max = 0;
        std::size_t bulk_bytes = 0;
        TimePoint now = at(0);
        for (; now < at(10'000); now += milliseconds(1)) {
            while (sender.pending() < 300) {
                auto bulk = std::make_shared<EncodedMessage>();
                bulk->kind = MessageKind::Delta;
                append(bulk->bytes, full('b'));
                REQUIRE(sender.send(bulk, Class::Bulk, true));
            }
            if (now.time_since_epoch() % milliseconds(20) == Duration{}) {
                auto alert = std::make_shared<EncodedMessage>();
                alert->kind = MessageKind::Alert;
                const std::string text = "alert " + std::to_string(raised.size());
                append(alert->bytes, text);
                REQUIRE(sender.send(alert, Class::High, true));
                raised[text] = now;
            }
            for (int i = 0; i < 2 && !queue.empty(); ++i) {
                for (const std::string& text : queue.front().texts) {
                    if (const auto alert = raised.find(text); alert != raised.end()) {
                        took.emplace(text, now - alert->second);
                    } else {
                        bulk_bytes += text.size();
                    }
                }
                receiver.on_received(now, queue.front().counter, true);
                queue.pop_front();
            }
            for (; !back.empty() && back.begin()->first <= now; back.erase(back.begin())) {
                sender.on_time(now);
                sender.on_ack(*back.begin()->second.ack);
            }
            sender.on_timeout(now);
            receiver.on_timeout(now);
            while (const auto bytes = sender.poll(now, rtt)) {
                if (random.unit() >= loss && queue.size() < 92) {
                    queue.push_back(receive(*bytes));
                }
            }
            queued_max = std::max(queued_max, queue.size());
            while (const auto bytes = receiver.poll(now, rtt)) {
                if (random.unit() >= loss) {
                    back.emplace(now + milliseconds(1), receive(*bytes));
                }
            }
        }
        CHECK(queued_max <= 60);
        std::vector<Duration> latencies;
        for (const auto& [text, latency] : took) {
            latencies.push_back(latency);
        }
        std::sort(latencies.begin(), latencies.end());
        REQUIRE(latencies.size() >= 490);
        CHECK(latencies[latencies.size() * 99 / 100] <= milliseconds(50));
        // At least half of what the bottleneck lets through is bulk that is of use.
        CHECK(bulk_bytes >= 10'000 * 1300);
    }
}
