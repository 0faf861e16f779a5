// SPDX-License-Identifier: Apache-2.0
// What waits for company on a link with a long round trip, and what never does.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "proto/base/batching.h"
#include "tests/proto/links/egress_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Class = TrafficClass;
using Texts = std::vector<std::string>;

struct BatchingFixture : EgressFixture {
    void queue(const std::string& text, Class traffic_class = Class::Normal,
               MessageKind kind = MessageKind::Alert) {
        auto message = std::make_shared<EncodedMessage>();
        message->kind = kind;
        append(message->bytes, text);
        CHECK(egress.send(std::move(message), traffic_class, true));
    }
    /// With an RTT of 200 ms: datagrams are 100 ms apart, acks wait as long.
    void send_first() {
        measure_rtt(milliseconds(200));
        queue("first");
        CHECK(poll(at(0))->texts == Texts{"first"});
    }
};

}  // namespace

TEST_CASE("batching: intervals and ack delays by round trip") {
    CHECK(batch_interval({}) == Duration{});
    CHECK(batch_interval(std::chrono::microseconds(7'999)) == Duration{});
    CHECK(batch_interval(milliseconds(8)) == milliseconds(4));
    CHECK(batch_interval(milliseconds(200)) == milliseconds(100));
    CHECK(batch_interval(milliseconds(600)) == milliseconds(100));

    const auto measured = [](Duration rtt) {
        RttEstimator estimator;
        for (int i = 0; i < 100; ++i) {
            estimator.add(rtt);
        }
        return estimator;
    };
    CHECK(RttEstimator().ack_delay() == milliseconds(2));
    CHECK(measured(milliseconds(1)).ack_delay() == milliseconds(2));
    CHECK(measured(milliseconds(7)).ack_delay() == milliseconds(2));
    CHECK(measured(milliseconds(8)).ack_delay() == milliseconds(4));
    CHECK(measured(milliseconds(40)).ack_delay() == milliseconds(20));
    CHECK(measured(milliseconds(200)).ack_delay() == milliseconds(100));
    CHECK(measured(milliseconds(900)).ack_delay() == milliseconds(100));
    // The sender waits for longer than its own way, the peer's delay and the way back.
    for (const int rtt : {1, 8, 10, 40, 200, 900}) {
        const RttEstimator estimator = measured(milliseconds(rtt));
        CHECK(estimator.first_retry() > milliseconds(rtt) + estimator.ack_delay());
    }
    CHECK(measured(milliseconds(1)).first_retry() == milliseconds(7));
    CHECK(measured(milliseconds(200)).first_retry() == milliseconds(405));
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: the first after a pause leaves at once") {
    send_first();
    queue("second");
    CHECK(poll(at(100))->texts == Texts{"second"});
    queue("third");
    CHECK(poll(at(1000))->texts == Texts{"third"});
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: what follows soon leaves together, in order") {
    send_first();
    queue("low", Class::Low);
    queue("a");
    CHECK_FALSE(poll(at(1)));
    CHECK(egress.next_deadline() == at(100));
    queue("b", Class::Normal, MessageKind::Announce);
    CHECK_FALSE(poll(at(50)));
    CHECK_FALSE(poll(at(99)));
    CHECK(poll(at(100))->texts == Texts{"a", "b", "low"});
    CHECK_FALSE(poll(at(100)));
    queue("c");
    CHECK_FALSE(poll(at(199)));
    CHECK(poll(at(200))->texts == Texts{"c"});
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: nothing waits on a local link, or before an RTT") {
    SUBCASE("none is known") {}
    SUBCASE("7 ms") {
        measure_rtt(milliseconds(7));
    }
    for (int ms = 0; ms < 5; ++ms) {
        queue("news");
        CHECK(poll(at(ms)));
    }
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: others do not wait, and take along what does") {
    send_first();
    queue("waits");
    CHECK_FALSE(poll(at(1)));
    SUBCASE("a high push") {
        queue("other", Class::High);
    }
    SUBCASE("a critical push") {
        queue("other", Class::Critical);
    }
    SUBCASE("a heartbeat") {
        queue("other", Class::Control, MessageKind::Heartbeat);
    }
    SUBCASE("a pull") {
        queue("other", Class::Normal, MessageKind::Pull);
    }
    SUBCASE("a part of a push") {
        queue("other", Class::Normal, MessageKind::Fragment);
    }
    const auto sent = poll(at(2));
    REQUIRE(sent);
    CHECK(std::set<std::string>(sent->texts.begin(), sent->texts.end()) ==
          std::set<std::string>{"other", "waits"});
    CHECK_FALSE(poll(at(2)));
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: an announcement alone waits after a pause too") {
    send_first();
    ack(1, 1);
    queue("told", Class::Normal, MessageKind::Announce);
    CHECK_FALSE(poll(at(1000)));
    CHECK(egress.next_deadline() == at(1100));
    SUBCASE("for its interval") {
        CHECK_FALSE(poll(at(1099)));
        CHECK(poll(at(1100))->texts == Texts{"told"});
    }
    SUBCASE("or for a push") {
        queue("push");
        CHECK(poll(at(1010))->texts == Texts{"told", "push"});
    }
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: an ack takes along what waits, and the other way") {
    measure_rtt(milliseconds(200));
    CHECK_FALSE(poll(at(0)));
    egress.on_received(at(0), 1, true);
    queue("first");
    CHECK(poll(at(40))->ack);
    egress.on_received(at(41), 2, true, true);
    queue("a");
    CHECK_FALSE(poll(at(42)));
    CHECK(egress.next_deadline() == at(43));
    const auto ack = poll(at(43));
    REQUIRE(ack);
    CHECK(ack->ack);
    CHECK(ack->texts == Texts{"a"});
    egress.on_received(at(100), 3, true);
    queue("b");
    CHECK_FALSE(poll(at(142)));
    const auto push = poll(at(143));
    REQUIRE(push);
    CHECK(push->ack);
    CHECK(push->texts == Texts{"b"});
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: a full datagram does not wait, its rest does") {
    send_first();
    for (int i = 0; i < 15; ++i) {
        queue(std::string(100, static_cast<char>('a' + i)));
    }
    const auto sent = poll_all(at(1));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].texts.size() == 13);
    CHECK(egress.next_deadline() == at(101));
    CHECK(poll(at(101))->texts.size() == 2);
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: bulk is not kept waiting") {
    send_first();
    queue("waits");
    queue("delta", Class::Bulk, MessageKind::Delta);
    CHECK(poll(at(1))->texts == Texts{"waits", "delta"});
}

TEST_CASE_FIXTURE(BatchingFixture, "batching: a repetition does not wait") {
    send_first();
    ack(1, 1);
    queue("lost");
    CHECK(poll(at(100))->texts == Texts{"lost"});
    queue("b");
    CHECK(poll(at(200))->texts == Texts{"b"});
    queue("c");
    CHECK(poll(at(300))->texts == Texts{"c"});
    queue("d");
    CHECK(poll(at(400))->texts == Texts{"d"});
    ack(3, 5);
    CHECK(poll(at(401))->texts == Texts{"lost"});
}

TEST_CASE_FIXTURE(BatchingFixture, "ack: half a long round trip later, 2 ms for bulk") {
    measure_rtt(milliseconds(40));
    CHECK_FALSE(poll(at(0)));
    egress.on_received(at(1), 1, true);
    CHECK(egress.next_deadline() == at(21));
    egress.on_received(at(2), 2, true, true);
    CHECK(egress.next_deadline() == at(4));
    CHECK(poll(at(4))->ack);
    for (std::uint64_t counter = 3; counter <= 10; ++counter) {
        CHECK_FALSE(poll(at(5)));
        egress.on_received(at(5), counter, true);
    }
    CHECK(poll(at(5))->ack);
}

TEST_CASE("batching: two ends with a long round trip repeat nothing") {
    Counters counters;
    RttEstimator rtt;
    for (int i = 0; i < 100; ++i) {
        rtt.add(milliseconds(200));
    }
    Egress ends[2] = {Egress(SessionId{77}, 1400, counters), Egress(SessionId{77}, 1400, counters)};
    std::multimap<TimePoint, std::pair<int, Received>> wire;
    int datagrams = 0;
    for (TimePoint now = at(0); now < at(10'000); now += milliseconds(1)) {
        for (int end = 0; end < 2; ++end) {
            if (now < at(9'000) && (now - at(0)) % milliseconds(20) == Duration{}) {
                auto message = std::make_shared<EncodedMessage>();
                message->kind = MessageKind::Alert;
                append(message->bytes, "news");
                CHECK(ends[end].send(message, TrafficClass::Normal, true));
            }
        }
        while (!wire.empty() && wire.begin()->first <= now) {
            auto& [to, datagram] = wire.begin()->second;
            ends[to].on_received(now, datagram.counter, !datagram.texts.empty());
            if (datagram.ack) {
                ends[to].on_ack(*datagram.ack);
            }
            wire.erase(wire.begin());
        }
        for (int end = 0; end < 2; ++end) {
            ends[end].on_timeout(now);
            while (const auto bytes = ends[end].poll(now, rtt)) {
                datagrams += 1;
                wire.emplace(now + milliseconds(100), std::pair(1 - end, receive(*bytes)));
            }
        }
    }
    CHECK(counters[Counter::messages_retransmitted] == 0);
    CHECK(counters[Counter::datagrams_lost] == 0);
    CHECK(ends[0].pending() + ends[1].pending() == 0);
    // 900 messages, ten datagrams a second each way, and the acks of the end.
    CHECK(datagrams <= 2 * 9 * 10 + 10);
}
