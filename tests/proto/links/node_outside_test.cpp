// SPDX-License-Identifier: Apache-2.0
// What anybody can send costs little, and is no lever against others.
#include <doctest/doctest.h>

#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

const Identity kStranger = identity("stranger", 7, 70);
const Endpoint kVictim = box(9);

Hello hello_of(std::uint64_t number) {
    Hello hello;
    hello.mesh = "default";
    hello.from = identity("x" + std::to_string(number), number + 100, number + 100);
    return hello;
}

/// Node a (box 1), which has a link to b (box 2), long after its last beacon.
struct Pair : NodePipe {
    Pair() {
        start(1, "a", 1);
        start(2, "b", 2);
        REQUIRE(run_until(seconds(2), [&] { return node(1).status(now()).nodes_alive == 2; }));
        run_for(seconds(300));
        const auto beacons = count(1, Counter::beacons_sent);
        REQUIRE(run_until(seconds(100), [&] { return count(1, Counter::beacons_sent) > beacons; }));
        run_for(milliseconds(3100));
        sent_by(1);
    }
    StartId start_of_a() { return node(1).status(now()).start; }

    /// Bytes that a sends to the victim in the next seconds because of these datagrams.
    std::size_t answered(const std::vector<Buffer>& datagrams) {
        std::size_t bytes = 0;
        const auto collect = [&] {
            for (const Transmit& transmit : sent_by(1)) {
                bytes += !transmit.is_beacon && transmit.to.same_address(kVictim)
                             ? transmit.bytes.size()
                             : 0;
            }
        };
        for (const Buffer& datagram : datagrams) {
            inject(1, kVictim, datagram);
            collect();
        }
        // Its handshakes repeat for three seconds. Nobody answers any more: for the last look only.
        for (int i = 0; i < 100; ++i) {
            Now later = now();
            later.monotonic += milliseconds(50 * i);
            node(1).handle_timeout(later);
            collect();
        }
        return bytes;
    }
};

Buffer several(const std::vector<Message>& messages) {
    Prng random = prng(5);
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random);
    for (const Message& message : messages) {
        builder.add(encode_message(message));
    }
    return std::move(builder).finish(nullptr, limits::kHelloBytes);
}

}  // namespace

TEST_CASE_FIXTURE(Pair, "node outside: a HELLO without its padding gets no answer") {
    Prng random = prng(3);
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random);
    builder.add(encode_message(hello_of(1)));
    const Buffer shorter = std::move(builder).finish(nullptr, limits::kHelloBytes - 1);
    inject(1, kVictim, shorter);
    CHECK(sent_by(1).empty());
    CHECK(count(1, Counter::drop_unpadded) == 1);
}

TEST_CASE_FIXTURE(Pair, "node outside: many messages in one datagram get no answer") {
    CHECK(answered({several({hello_of(1), hello_of(2), hello_of(3)})}) == 0);
    CHECK(count(1, Counter::drop_items) == 1);
}

TEST_CASE("node outside: nothing that a stranger sends comes back longer") {
    Hello other_mesh = hello_of(3);
    other_mesh.mesh = "other";
    Hello own_name = hello_of(4);
    own_name.from.node = id("a");
    const StartId start_of_a = Pair().start_of_a();
    const Offer offer{1, 1, kStranger, start_of_a, {}, 1};
    const Req req{1, "default", kStranger, start_of_a, {}, SessionId{5}, LinkReason::Fill};
    const Acc acc{kStranger, start_of_a, SessionId{4}, SessionId{5}, ""};
    const Acc refusal{kStranger, start_of_a, SessionId{4}, {}, "full"};
    for (const Message& message :
         std::vector<Message>{hello_of(1), other_mesh, own_name, offer, req, acc, refusal, Conf{},
                              Heartbeat{}, Close{}, Pull{}, Digest{}}) {
        const Buffer datagram = outside(message, static_cast<std::uint8_t>(message.index()));
        CAPTURE(message.index());
        CHECK(Pair().answered({datagram}) <= datagram.size());
    }
}

TEST_CASE_FIXTURE(Pair,
                  "node outside: a REQ with a valid cookie comes back no longer, and rarely") {
    inject(1, kVictim, outside(hello_of(1)));
    const auto sent = sent_by(1);
    REQUIRE(sent.size() == 1);
    const auto opened = open_datagram(sent[0].bytes);
    REQUIRE(opened);
    const auto offer = decode_message(opened->items[0].kind, opened->items[0].bytes);
    REQUIRE(offer);
    std::size_t sent_bytes = 0;
    std::vector<Buffer> reqs;
    for (std::uint8_t i = 0; i < 60; ++i) {
        const Req req{1,
                      "default",
                      hello_of(1).from,
                      std::get<Offer>(*offer).from.start,
                      std::get<Offer>(*offer).cookie,
                      SessionId{5U + i},
                      LinkReason::Fill};
        reqs.push_back(outside(req, i));
        sent_bytes += reqs.back().size();
    }
    CHECK(answered(reqs) <= sent_bytes);
    CHECK(count(1, Counter::drop_req_rate) == 50);
}

TEST_CASE_FIXTURE(Pair, "node outside: of a flood little is looked into, and the links live") {
    const auto looked_into = [&] { return count(1, Counter::drop_tag); };
    const Buffer garbage = [] {
        Buffer bytes = outside(hello_of(1));
        bytes.back() ^= 1;
        return bytes;
    }();
    // 200 000 in 10 s, each from an address of its own.
    std::uint64_t number = 0;
    for (int step = 0; step < 1000; ++step) {
        for (int i = 0; i < 200; ++i) {
            Endpoint from = kVictim;
            for (std::size_t byte = 0; byte < 4; ++byte) {
                from.address[12 + byte] = static_cast<std::uint8_t>(number >> (8 * byte));
            }
            ++number;
            inject(1, from, garbage);
        }
        run_for(milliseconds(10));
    }
    CHECK(looked_into() <= 51'000);
    CHECK(looked_into() + count(1, Counter::drop_outside_rate) == 200'000);
    CHECK(node(1).status(now()).nodes_alive == 2);
    CHECK(take<NodeEvent>(1).size() <= 1);
    CHECK(count(1, Counter::links_down) == 0);
}
