// SPDX-License-Identifier: Apache-2.0
// The sending half: packing, order, bounds, repetition.
#include <doctest/doctest.h>

#include <algorithm>

#include "proto/wire/fragment.h"
#include "tests/proto/links/egress_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Class = TrafficClass;

std::string text_of(std::size_t bytes, char c = 'x') {
    return std::string(bytes, c);
}

}  // namespace

TEST_CASE_FIXTURE(EgressFixture, "egress: several messages go in one datagram") {
    CHECK(send("one"));
    CHECK(send("two"));
    CHECK(send("three", Class::Low));
    CHECK(egress.pending() == 3);
    const auto sent = poll_all(at(0));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].texts == std::vector<std::string>{"one", "two", "three"});
    CHECK(sent[0].counter == 1);
    CHECK(counters[Counter::messages_sent] == 3);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: nothing to say, no datagram") {
    CHECK_FALSE(poll(at(0)));
    CHECK_FALSE(egress.next_deadline());
    CHECK(egress.pending() == 0);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: queues are served by class, each in its order") {
    const Class classes[] = {Class::Bulk,     Class::Low,     Class::Normal, Class::High,
                             Class::Critical, Class::Control, Class::Bulk,   Class::Control};
    for (std::size_t i = 0; i < std::size(classes); ++i) {
        send(std::to_string(i), classes[i]);
    }
    const auto sent = poll(at(0));
    REQUIRE(sent);
    CHECK(sent->texts == std::vector<std::string>{"5", "7", "4", "3", "2", "1", "0", "6"});
}

TEST_CASE_FIXTURE(EgressFixture, "egress: no datagram is longer than allowed, whatever the sizes") {
    Prng random = prng();
    std::size_t bytes = 0;
    for (int i = 0; i < 400; ++i) {
        const std::size_t size = 1 + random.below(1364);
        bytes += size;
        REQUIRE(send(text_of(size), static_cast<Class>(random.below(6))));
    }
    egress.on_received(at(0), 5, true);
    std::size_t received = 0;
    std::size_t messages = 0;
    for (int ms = 0; messages < 400; ++ms) {
        for (const Received& one : poll_all(at(ms))) {
            for (const std::string& text : one.texts) {
                received += text.size();
                messages += 1;
            }
            ack(one.counter, one.counter);
        }
    }
    CHECK(received == bytes);
    CHECK(egress.pending() == 0);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: the biggest message that fits is sent whole, one more byte is not") {
    constexpr std::size_t kRoom =
        kDatagramBytes - limits::kHeaderBytes - limits::kTagBytes - limits::kItemHeaderBytes;
    CHECK(send(text_of(kRoom)));
    const auto whole = poll(at(0));
    REQUIRE(whole);
    CHECK(whole->bytes == kDatagramBytes);
    CHECK(counters[Counter::fragments_sent] == 0);
    CHECK(send(text_of(kRoom + 1)));
    CHECK(counters[Counter::fragments_sent] == 2);
    CHECK(egress.pending() == 3);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: an ack in front of a full-sized message takes a datagram of its own") {
    egress.on_received(at(0), 1, true);
    send(text_of(1364));
    const auto sent = poll_all(at(0));
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].ack);
    CHECK(sent[0].texts.empty());
    CHECK(sent[1].texts.size() == 1);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: bytes in flight hold back all but control and critical") {
    do {
        send(text_of(1300));
    } while (!poll_all(at(0)).empty());
    // The bound is 44 800 bytes: the datagram that reaches it is the last.
    CHECK(counters[Counter::messages_sent] == 35);
    for (const Class held : {Class::High, Class::Normal, Class::Low, Class::Bulk}) {
        send("held", held);
    }
    CHECK(poll_all(at(0)).empty());
    send("critical", Class::Critical);
    send("control", Class::Control, false);
    const auto sent = poll_all(at(0));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].texts == std::vector<std::string>{"control", "critical"});

    ack(1, 2);
    std::vector<std::string> freed;
    for (const Received& one : poll_all(at(0))) {
        freed.insert(freed.end(), one.texts.begin(), one.texts.end());
    }
    CHECK(std::count(freed.begin(), freed.end(), "held") == 4);
    CHECK(std::count(freed.begin(), freed.end(), text_of(1300)) == 1);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: what is not acknowledged goes out again, ever later") {
    measure_rtt(milliseconds(10));
    const Duration first = rtt.first_retry();
    send("again");
    REQUIRE(poll(at(0)));
    const auto sent = run_until(at(3000));
    REQUIRE(sent.size() >= 8);
    TimePoint last = at(0);
    Duration expected = first;
    std::uint64_t counter = 1;
    for (const auto& [when, datagram] : sent) {
        CHECK(when - last == expected);
        CHECK(datagram.texts == std::vector<std::string>{"again"});
        CHECK(datagram.counter == ++counter);
        expected = std::min<Duration>(2 * expected, Egress::kRetryMax);
        last = when;
    }
    CHECK(expected == Egress::kRetryMax);
    CHECK(counters[Counter::messages_retransmitted] == sent.size());
    CHECK(egress.pending() == 1);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: repetitions are no closer than a slow link's round trip") {
    measure_rtt(milliseconds(600));
    const Duration first = rtt.first_retry();
    CHECK(first > Egress::kRetryMax);
    send("again");
    REQUIRE(poll(at(0)));
    const auto sent = run_until(at(10'000));
    REQUIRE(sent.size() >= 3);
    for (std::size_t i = 1; i < sent.size(); ++i) {
        CHECK(sent[i].first - sent[i - 1].first == first);
    }
}

TEST_CASE_FIXTURE(EgressFixture, "egress: an unreliable message goes once") {
    send("once", Class::Control, false);
    CHECK(poll(at(0)));
    CHECK(egress.pending() == 0);
    CHECK_FALSE(egress.next_deadline());
    CHECK(run_until(at(10'000)).empty());
}

TEST_CASE_FIXTURE(EgressFixture, "egress: only the messages of the lost datagram are repeated") {
    for (int i = 0; i < 5; ++i) {
        send(text_of(1300, static_cast<char>('a' + i)));
    }
    CHECK(poll_all(at(0)).size() == 5);
    ack(1, 2);
    ack(4, 5);
    const auto sent = run_until(at(60));
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].second.texts == std::vector<std::string>{text_of(1300, 'c')});
    ack(6, 6);
    CHECK(egress.pending() == 0);
    CHECK_FALSE(egress.next_deadline());
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: a repetition keeps its class and goes before new messages") {
    send("old");
    REQUIRE(poll(at(0)));
    send("critical", Class::Critical);
    send("new");
    egress.on_timeout(at(1000));
    const auto sent = poll(at(1000));
    REQUIRE(sent);
    CHECK(sent->texts == std::vector<std::string>{"critical", "old", "new"});
}

TEST_CASE_FIXTURE(EgressFixture, "egress: a late ack of the first copy settles the message") {
    send("slow");
    REQUIRE(poll(at(0)));
    SUBCASE("while the repetition is on its way") {
        CHECK(run_until(at(60)).size() == 1);
        ack(1, 1);
    }
    SUBCASE("while the repetition waits") {
        egress.on_timeout(at(60));
        CHECK(egress.pending() == 1);
        ack(1, 1);
    }
    CHECK(egress.pending() == 0);
    CHECK(poll_all(at(60)).empty());
    CHECK(run_until(at(10'000)).empty());
    ack(2, 2);
    CHECK(egress.pending() == 0);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: acks of what was never sent, or twice, change nothing") {
    send("one");
    REQUIRE(poll(at(0)));
    ack(2, 1'000'000'000);
    CHECK(egress.pending() == 1);
    ack(1, limits::kCounterMax);
    CHECK(egress.pending() == 0);
    ack(1, 1);
    send("two");
    CHECK(egress.pending() == 1);
    REQUIRE(poll(at(1)));
    ack(1, 1);
    CHECK(egress.pending() == 1);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: of a fragmented message only missing fragments are repeated") {
    EncodedMessage whole;
    whole.kind = MessageKind::Alert;
    for (std::size_t i = 0; i < 10'000; ++i) {
        whole.bytes.push_back(static_cast<std::uint8_t>(i * 7));
    }
    CHECK(egress.send(std::make_shared<EncodedMessage>(whole), Class::Normal, true));
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    bool complete = false;
    const auto deliver = [&](TimePoint now, const Received& datagram) {
        for (const std::string& text : datagram.texts) {
            const auto message = decode_message(MessageKind::Fragment, as_bytes(text));
            REQUIRE(message);
            const auto result = reassembler.on_fragment(now, std::get<Fragment>(*message));
            CHECK(result != Reassembler::Result::Duplicate);
            complete = complete || result == Reassembler::Result::Complete;
        }
        ack(datagram.counter, datagram.counter);
    };
    const auto first = poll_all(at(0));
    CHECK(first.size() == 8);
    for (const Received& datagram : first) {
        if (datagram.counter != 3 && datagram.counter != 6) {
            deliver(at(0), datagram);
        }
    }
    CHECK_FALSE(complete);
    const auto repeated = run_until(at(60));
    CHECK(repeated.size() == 2);
    for (const auto& [when, datagram] : repeated) {
        deliver(when, datagram);
    }
    REQUIRE(complete);
    CHECK(reassembler.take().bytes == whole.bytes);
    CHECK(egress.pending() == 0);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: what waits is bounded; beyond, it is dropped and counted") {
    const std::string text = text_of(64 * 1024);
    std::size_t accepted = 0;
    while (send(text)) {
        accepted += 1;
    }
    CHECK(accepted >= 54);
    CHECK(accepted <= 56);
    CHECK(counters[Counter::drop_queue_full] == 1);
    CHECK_FALSE(send(text, Class::Bulk));
    // What is urgent finds room all the same, up to a bound of its own.
    std::size_t urgent = 0;
    while (send(text, Class::Critical)) {
        urgent += 1;
    }
    CHECK(urgent >= Egress::kUrgentReserve / text.size());
    CHECK(accepted + urgent <= 64);
    const std::size_t pending = egress.pending();
    CHECK_FALSE(send(text, Class::Critical));
    CHECK(egress.pending() == pending);
    CHECK(counters[Counter::drop_queue_full] == 4);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: critical messages in flight are bounded as well") {
    const std::string text = text_of(64 * 1024);
    std::size_t accepted = 0;
    for (int i = 0; i < 200; ++i) {
        accepted += send(text, Class::Critical) ? 1 : 0;
        poll_all(at(0));
    }
    CHECK(accepted <= 64);
    CHECK(counters[Counter::drop_queue_full] == 200 - accepted);
    ack(1, limits::kCounterMax);
    CHECK(send(text, Class::Critical));
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: a dead link keeps what it was given, and repeats no more than may fly") {
    for (int i = 0; i < 500; ++i) {
        send(text_of(1000));
    }
    poll_all(at(0));
    run_until(at(60'000));
    CHECK(egress.pending() == 500);
    const std::size_t before = counters[Counter::messages_sent];
    run_until(at(61'000));
    // 45 in flight, each repeated every 250 ms.
    CHECK(counters[Counter::messages_sent] - before <= 45 * 5);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: another session takes over a full queue too") {
    while (send(text_of(1000), Class::Bulk)) {
    }
    while (send(text_of(1000), Class::Critical)) {
    }
    const std::size_t pending = egress.pending();
    const std::uint64_t dropped = counters[Counter::drop_queue_full];
    Egress next(SessionId{99}, kDatagramBytes, counters);
    next.take_over(egress);
    CHECK(next.pending() == pending);
    CHECK(counters[Counter::drop_queue_full] == dropped);
}

TEST_CASE_FIXTURE(EgressFixture,
                  "egress: another session takes over what was not acknowledged, each once") {
    send("acknowledged", Class::Critical);
    const auto first = poll(at(0));
    REQUIRE(first);
    ack(first->counter, first->counter);
    send("on its way", Class::Critical);
    REQUIRE(poll(at(1)));
    send("waiting", Class::Low);
    const std::string large = text_of(5000);
    send(large, Class::Normal);
    Egress next(SessionId{99}, kDatagramBytes, counters);
    next.take_over(egress);
    std::vector<std::string> texts;
    std::size_t fragments = 0;
    while (const auto bytes = next.poll(at(2), rtt)) {
        const auto opened = open_datagram(*bytes);
        REQUIRE(opened);
        CHECK(opened->header.session == SessionId{99});
        for (const Item& item : opened->items) {
            fragments += item.kind == MessageKind::Fragment ? 1 : 0;
            texts.emplace_back(as_text(item.bytes));
        }
    }
    CHECK(fragments == 4);
    CHECK(std::count(texts.begin(), texts.end(), "on its way") == 1);
    CHECK(std::count(texts.begin(), texts.end(), "waiting") == 1);
    CHECK(std::count(texts.begin(), texts.end(), "acknowledged") == 0);
}

TEST_CASE_FIXTURE(EgressFixture, "egress: a message that is repeated in vain for long is a stall") {
    send("nobody takes it");
    REQUIRE(poll(at(0)));
    run_until(at(9'999));
    CHECK_FALSE(egress.is_stalled(at(9'999)));
    run_until(at(10'100));
    CHECK(egress.is_stalled(at(10'100)));
}

TEST_CASE_FIXTURE(EgressFixture, "egress: the time a message waits for its turn is no stall") {
    measure_rtt(milliseconds(20));
    send("late", Class::Low);
    REQUIRE(poll(at(0)));
    // Critical messages keep the window full: each round's are acknowledged in the next one.
    std::uint64_t last = 1;
    int now = 0;
    for (; now < 11'000; now += 30) {
        egress.on_timeout(at(now));
        for (int i = 0; i < 60; ++i) {
            send(text_of(1000), Class::Critical);
        }
        const auto sent = poll_all(at(now));
        REQUIRE_FALSE(sent.empty());
        for (const Received& one : sent) {
            if (now > 0) {
                CHECK(std::count(one.texts.begin(), one.texts.end(), "late") == 0);
            }
        }
        egress.on_time(at(now));
        if (now > 0) {
            ack(2, last);
        }
        last = sent.back().counter;
    }
    ack(2, last);
    const auto again = poll(at(now));
    REQUIRE(again);
    CHECK(again->texts == std::vector<std::string>{"late"});
    CHECK_FALSE(egress.is_stalled(at(now)));
    CHECK_FALSE(egress.is_stalled(at(now + 9'900)));
    // Sent last of all, and still the first to stall.
    run_until(at(now + 1'000));
    send("later");
    REQUIRE(poll(at(now + 1'000)));
    CHECK(egress.is_stalled(at(now + 10'000)));
}
