// SPDX-License-Identifier: Apache-2.0
// Datagrams that should not be there change nothing but a counter.
#include <doctest/doctest.h>

#include <optional>

#include "proto/store/record.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

/// Nodes a (box 1) and b (box 2) with a link, and the session of b's datagrams to a.
struct Pair : NodePipe {
    Pair() {
        start(1, "a", 1);
        start(2, "b", 2);
        REQUIRE(run_until(seconds(2), [&] {
            return node(1).status(now()).nodes_alive == 2 && node(2).status(now()).nodes_alive == 2;
        }));
        run_for(seconds(1));
        sent_by(1);
        take<NodeEvent>(1);
    }

    /// The last datagram of b to a in their session.
    Buffer last_of_b() {
        for (auto it = arrived.rbegin(); it != arrived.rend(); ++it) {
            if (it->to == 1 && it->from == box(2) &&
                peek_header(it->bytes)->kind == DatagramKind::Session) {
                return it->bytes;
            }
        }
        FAIL("b has sent nothing");
        return {};
    }
    /// What an answer to the last HELLO of a that b has heard echoes.
    std::uint64_t echo() {
        for (auto it = arrived.rbegin(); it != arrived.rend(); ++it) {
            if (it->to == 2 && it->from == box(1) && it->bytes.size() == limits::kHelloBytes &&
                peek_header(it->bytes)->kind == DatagramKind::Outside) {
                return fingerprint_of(it->bytes);
            }
        }
        FAIL("a has not asked");
        return 0;
    }
    SessionId session() { return peek_header(last_of_b())->session; }

    /// Neither answer nor event, and the view of the mesh as it was; `counter` rose by one.
    void check_only_counts(const Endpoint& from, Bytes datagram, Counter counter) {
        const auto before = count(1, counter);
        const auto status = node(1).status(now());
        inject(1, from, datagram);
        CHECK(count(1, counter) == before + 1);
        CHECK(sent_by(1).empty());
        CHECK(take<NodeEvent>(1).empty());
        CHECK(take<LinkEvent>(1).size() <= 1);
        CHECK(node(1).status(now()).nodes_known == status.nodes_known);
        CHECK(node(1).status(now()).peers == status.peers);
        CHECK(node(1).status(now()).store.hashes == status.store.hashes);
    }
};

Hello hello_of(const Identity& from, std::optional<Endpoint> address) {
    Hello hello;
    hello.mesh = "default";
    hello.from = from;
    hello.address = address;
    return hello;
}

const Identity kStranger = identity("stranger", 7, 70);

}  // namespace

TEST_CASE_FIXTURE(Pair, "node: random bytes change nothing") {
    Prng random = prng(9);
    const auto status = node(1).status(now());
    for (int i = 0; i < 5000; ++i) {
        Buffer bytes(random.below(200));
        random.fill(bytes.data(), bytes.size());
        if (bytes.size() > 2 && i % 2 == 0) {
            bytes[0] = 1;
            bytes[1] = static_cast<std::uint8_t>(1 + i / 2 % 2);
        }
        inject(1, box(9), bytes);
    }
    CHECK(sent_by(1).empty());
    CHECK(node(1).status(now()).nodes_known == status.nodes_known);
    CHECK(count(1, Counter::drop_too_short) > 0);
    CHECK(count(1, Counter::drop_version) > 0);
}

TEST_CASE_FIXTURE(Pair,
                  "node: a session it does not have, a wrong source, a replay, a broken tag") {
    const Buffer good = last_of_b();
    check_only_counts(box(2), in_session(SessionId{session().value + 1}, 1, {}),
                      Counter::drop_unknown_session);
    check_only_counts(box(3), good, Counter::drop_wrong_source);
    check_only_counts(box(2, 10'000), good, Counter::drop_wrong_source);
    check_only_counts(box(2), good, Counter::drop_replay);
    Buffer broken = good;
    broken.back() ^= 1;
    check_only_counts(box(2), broken, Counter::drop_tag);
}

TEST_CASE_FIXTURE(Pair, "node: what is refused is no evidence of life") {
    const Buffer good = last_of_b();
    hears = [](std::uint8_t from, std::uint8_t) { return from == 1; };
    const bool down = run_until(seconds(3), [&] {
        if (node(1).status(now()).peers == 0) {
            return true;
        }
        inject(1, box(2), good);
        return false;
    });
    CHECK(down);
}

TEST_CASE_FIXTURE(Pair, "node: a HELLO of another mesh, from elsewhere, of another version") {
    Hello hello = hello_of(kStranger, box(9));
    hello.mesh = "other";
    check_only_counts(box(9), outside(hello, 11), Counter::drop_other_mesh);
    hello = hello_of(kStranger, box(8));
    check_only_counts(box(9), outside(hello, 12), Counter::drop_beacon_address);
    hello = hello_of(kStranger, box(9));
    hello.version_min = hello.version_max = 9;
    check_only_counts(box(9), outside(hello, 13), Counter::drop_version);
    run_for(seconds(1));
    CHECK(node(1).status(now()).peers == 1);
}

TEST_CASE_FIXTURE(Pair, "node: a HELLO leaves no node behind, only a beacon's address") {
    const auto known = node(1).status(now()).nodes_known;
    for (std::uint8_t i = 10; i < 60; ++i) {
        inject(1, box(i), outside(hello_of(identity("x" + std::to_string(i), i, i), box(i)), i));
    }
    run_for(seconds(10));
    CHECK(node(1).status(now()).nodes_known == known);
    CHECK(node(1).status(now()).peers == 1);
    REQUIRE(command(1, RaiseAlert{"{}", Priority::Normal, seconds(1)}));
    run_for(seconds(1));
    const auto raised = take<AlertRaised>(1);
    REQUIRE(raised.size() == 1);
    CHECK(raised[0].delivered == std::vector<NodeId>{id("b")});
}

TEST_CASE_FIXTURE(Pair,
                  "node: a HELLO comes back as one OFFER, no longer than it, and counts once") {
    const Hello hello = hello_of(kStranger, std::nullopt);
    const Buffer bytes = outside(hello, 11);
    inject(1, box(9), bytes);
    const auto sent = sent_by(1);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].to == box(9));
    CHECK(sent[0].bytes.size() <= limits::kHelloBytes);
    inject(1, box(9), bytes);
    CHECK(sent_by(1).empty());
}

TEST_CASE_FIXTURE(Pair, "node: HELLOs beyond the rate of their source are dropped") {
    for (std::uint8_t i = 0; i < 30; ++i) {
        inject(1, box(9), outside(hello_of(kStranger, std::nullopt), i));
    }
    CHECK(count(1, Counter::drop_rate) == 20);
    CHECK(sent_by(1).size() == 10);
}

TEST_CASE_FIXTURE(Pair, "node: HELLOs beyond the rate of OFFERs are counted") {
    for (std::uint8_t i = 0; i < 30; ++i) {
        inject(1, box(static_cast<std::uint8_t>(10 + i)),
               outside(hello_of(kStranger, std::nullopt), i));
    }
    CHECK(sent_by(1).size() == 20);
    CHECK(count(1, Counter::drop_offers) == 10);
}

TEST_CASE_FIXTURE(Pair, "node: OFFER, REQ and ACC for another start, or with a made-up cookie") {
    Offer offer{1, 1, kStranger, StartId{12345}, {}, 1};
    check_only_counts(box(9), outside(offer), Counter::drop_not_for_us);
    Acc acc{kStranger, StartId{12345}, SessionId{4}, SessionId{5}, ""};
    check_only_counts(box(9), outside(acc), Counter::drop_not_for_us);
    Req req{1, "default", kStranger, StartId{12345}, {}, SessionId{5}, LinkReason::Fill};
    check_only_counts(box(9), outside(req), Counter::drop_not_for_us);
    req.to = node(1).status(now()).start;
    check_only_counts(box(9), outside(req), Counter::drop_cookie);
    req.mesh = "other";
    check_only_counts(box(9), outside(req), Counter::drop_other_mesh);
}

TEST_CASE_FIXTURE(Pair, "node: an OFFER that nobody asked for leaves no node behind") {
    Offer offer{1, 1, kStranger, node(1).status(now()).start, {}, 1};
    // A lone pair backs off to beacons a minute apart.
    run_for(seconds(300));
    const auto beacons = count(1, Counter::beacons_sent);
    REQUIRE(run_until(seconds(100), [&] { return count(1, Counter::beacons_sent) > beacons; }));
    run_for(milliseconds(3100));
    sent_by(1);
    const auto discovered = count(1, Counter::peers_discovered);
    check_only_counts(box(9), outside(offer), Counter::drop_not_for_us);
    CHECK(count(1, Counter::peers_discovered) == discovered);
}

TEST_CASE_FIXTURE(Pair, "node: OFFERs beyond the rate of their source are dropped") {
    const auto beacons = count(1, Counter::beacons_sent);
    REQUIRE(run_until(seconds(100), [&] { return count(1, Counter::beacons_sent) > beacons; }));
    run_for(milliseconds(5));
    const auto discovered = count(1, Counter::peers_discovered);
    for (std::uint8_t i = 0; i < 30; ++i) {
        const Identity stranger = identity("x" + std::to_string(i), i + 1U, i + 1U);
        const Offer offer{1, 1, stranger, node(1).status(now()).start, {}, echo()};
        inject(1, box(9), outside(offer, i));
    }
    CHECK(count(1, Counter::drop_rate) == 20);
    CHECK(count(1, Counter::peers_discovered) == discovered + 10);
}

TEST_CASE_FIXTURE(Pair, "node: a cookie proves one address only") {
    inject(1, box(9), outside(hello_of(kStranger, std::nullopt), 11));
    const auto sent = sent_by(1);
    REQUIRE(sent.size() == 1);
    const auto opened = open_datagram(sent[0].bytes);
    REQUIRE(opened);
    const auto offer = decode_message(opened->items[0].kind, opened->items[0].bytes);
    REQUIRE(offer);
    Req req{1,
            "default",
            kStranger,
            std::get<Offer>(*offer).from.start,
            std::get<Offer>(*offer).cookie,
            SessionId{5},
            LinkReason::Fill};
    check_only_counts(box(10), outside(req), Counter::drop_cookie);
    inject(1, box(9), outside(req));
    CHECK(sent_by(1).size() == 1);
}

TEST_CASE_FIXTURE(Pair, "node: a message on the wrong side of a session") {
    const EncodedMessage heartbeat = encode_message(Heartbeat{});
    Prng random = prng();
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random);
    builder.add(heartbeat);
    check_only_counts(box(2), std::move(builder).finish(), Counter::drop_not_allowed_here);
    const auto before = count(1, Counter::drop_not_allowed_here);
    inject(1, box(2),
           in_session(session(), 100'000, {encode_message(hello_of(kStranger, box(2)))}));
    CHECK(count(1, Counter::drop_not_allowed_here) == before + 1);
}

TEST_CASE_FIXTURE(Pair, "node: an unknown kind is counted, what stands beside it is used") {
    const EncodedMessage unknown{static_cast<MessageKind>(99), {0, 0, 2, '{', '}'}};
    Heartbeat request;
    request.seq = 4711;
    inject(1, box(2), in_session(session(), 100'000, {unknown, encode_message(request)}));
    CHECK(count(1, Counter::drop_unknown_kind) == 1);
    bool replied = false;
    for (const Transmit& transmit : sent_by(1)) {
        const auto opened = open_datagram(transmit.bytes);
        REQUIRE(opened);
        for (const Item& item : opened->items) {
            const auto message = decode_message(item.kind, item.bytes);
            REQUIRE(message);
            if (const auto* heartbeat = std::get_if<Heartbeat>(&*message)) {
                replied = replied || (heartbeat->is_reply && heartbeat->seq == 4711);
            }
        }
    }
    CHECK(replied);
    run_for(milliseconds(10));
}

TEST_CASE_FIXTURE(Pair, "node: a malformed message is counted, what stands beside it is used") {
    const EncodedMessage broken{MessageKind::Heartbeat, {0, 0, 2, '{', ']'}};
    Heartbeat request;
    request.seq = 4711;
    inject(1, box(2), in_session(session(), 100'000, {encode_message(request), broken}));
    CHECK(count(1, Counter::drop_malformed) == 1);
    CHECK(sent_by(1).size() == 1);
}

TEST_CASE_FIXTURE(Pair, "node: a Close ends the link, and it is made again") {
    inject(1, box(2), in_session(session(), 100'000, {encode_message(Close{})}));
    CHECK(node(1).status(now()).peers == 0);
    CHECK(run_until(seconds(4), [&] {
        return node(1).status(now()).peers == 1 && node(1).status(now()).nodes_alive == 2 &&
               node(2).status(now()).nodes_alive == 2;
    }));
}

TEST_CASE_FIXTURE(Pair, "node: a routed message that comes twice, or back, goes no further") {
    Routed routed;
    routed.source = id("b");
    routed.start = node(2).status(now()).start;
    routed.seq = 1000;
    routed.destination = id("nowhere");
    routed.payload = DeliveryReport{StreamId{1}, 1};
    const EncodedMessage message = encode_message(routed);
    inject(1, box(2), in_session(session(), 100'000, {message}));
    CHECK(count(1, Counter::drop_no_route) == 1);
    inject(1, box(2), in_session(session(), 100'001, {message}));
    CHECK(count(1, Counter::drop_duplicate) == 1);
    routed.source = id("a");
    inject(1, box(2), in_session(session(), 100'002, {encode_message(routed)}));
    CHECK(count(1, Counter::drop_duplicate) == 2);
    routed.source = id("b");
    routed.seq = 1001;
    routed.path.assign(limits::kHopsMax, 1);
    inject(1, box(2), in_session(session(), 100'003, {encode_message(routed)}));
    CHECK(count(1, Counter::drop_hops) == 1);
}

TEST_CASE_FIXTURE(Pair,
                  "node: its own stream claimed beyond what it wrote makes it open new ones") {
    // Find the volatile stream that a writes in, from its node record as b got it.
    std::optional<RecordHeader> own;
    for (const Datagram& datagram : arrived) {
        const auto opened = open_datagram(datagram.bytes);
        for (const Item& item : opened->items) {
            const auto message = decode_message(item.kind, item.bytes);
            const auto* push = message ? std::get_if<Push>(&*message) : nullptr;
            const auto record = push != nullptr ? decode_record(push->record) : std::nullopt;
            if (record && record->header.author == id("a") && record->node) {
                own = record->header;
            }
        }
    }
    REQUIRE(own);
    RecordHeader forged = *own;
    forged.kind = RecordKind::State;
    forged.counter += 1000;
    const Buffer record = encode_state_record(forged, {Activity::Idle, R"({"forged":1})"});
    Push push;
    push.kind = RecordKind::State;
    push.record = record;
    push.covers_after = forged.counter - 1;
    push.provenance.path = {1};
    inject(1, box(2), in_session(session(), 100'000, {encode_message(push)}));
    CHECK(count(1, Counter::streams_reopened) == 1);
    REQUIRE(command(1, UpdateState{R"({"true":1})", std::nullopt}));
    run_for(seconds(1));
    CHECK(node(2).state(now(), id("a"))->document == R"({"true":1})");
    CHECK(node(2).node(now(), id("a"))->status == NodeStatus::Alive);
    CHECK(node(1).status(now()).store.hashes == node(2).status(now()).store.hashes);
    CHECK(count(1, Counter::streams_reopened) == 1);
}
