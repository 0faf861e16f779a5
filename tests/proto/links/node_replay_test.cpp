// SPDX-License-Identifier: Apache-2.0
// What was recorded on a sealed network and is sent again later, by somebody without the key: it
// has no effect, and tells nobody what is not so.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "proto/links/name_conflict.h"
#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::uint8_t kA = 1;
constexpr std::uint8_t kB = 2;
constexpr std::uint8_t kOther = 3;

MeshKey key_of(std::uint8_t seed, std::uint32_t generation = 1) {
    Prng random = prng(seed);
    return make_mesh_key(random, generation);
}

const MeshKey kOld = key_of(1);
const MeshKey kNew = key_of(2, 2);

struct Fixture {
    NodePipe pipe;
    Keyring ring = [] {
        Keyring one;
        REQUIRE(one.add(kOld));
        return one;
    }();

    /// A box of a sealed mesh; its instance id is its number.
    void start(std::uint8_t number, std::string_view name) {
        NodeOptions options;
        options.node_id = id(name);
        options.instance = InstanceId{number};
        options.entropy[0] = ++seed_;
        options.version = "0.1.0";
        options.keyring = ring;
        Config config;
        config.security = SecurityMode::Sealed;
        pipe.start(number, std::move(options), config);
    }
    std::size_t links(std::uint8_t number) { return pipe.node(number).peers(pipe.now()).size(); }
    std::size_t conflicts(std::uint8_t number) {
        const auto events = pipe.take<NodeEvent>(number);
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(),
                          [](const auto& event) { return event.kind == NodeEventKind::Conflict; }));
    }
    std::uint64_t count(std::uint8_t number, Counter counter) {
        return pipe.count(number, counter);
    }

    /// What came outside any session to a node from a box so far, of one type and true to a
    /// condition: the datagrams, in order.
    template <class T, class Condition>
    std::vector<NodePipe::Datagram> recorded(std::uint8_t to, std::uint8_t from,
                                             const Condition& condition) const {
        std::vector<NodePipe::Datagram> found;
        for (const NodePipe::Datagram& one : pipe.arrived) {
            if (one.to != to || !one.from.same_address(box(from))) {
                continue;
            }
            const auto message = read(one.bytes);
            const auto* wanted = message ? std::get_if<T>(&*message) : nullptr;
            if (wanted != nullptr && condition(*wanted)) {
                found.push_back(one);
            }
        }
        return found;
    }
    template <class T>
    std::vector<NodePipe::Datagram> recorded(std::uint8_t to, std::uint8_t from) const {
        return recorded<T>(to, from, [](const T&) { return true; });
    }
    static std::optional<Message> read(Bytes datagram) {
        Buffer plain;
        const auto header = peek_header(datagram);
        if (!header || header->kind != DatagramKind::Outside) {
            return std::nullopt;
        }
        const auto opened = open_datagram(datagram, outside_key(kOld), plain);
        const auto message =
            opened && !opened->items.empty()
                ? decode_message(opened->items[0].kind, opened->items[0].bytes)
                : tl::expected<Message, DecodeError>(tl::unexpected(DecodeError::UnknownKind));
        return message ? std::optional(*message) : std::nullopt;
    }

    /// A datagram as a member makes it.
    Buffer sealed(const Message& message, const MeshKey& key) {
        DatagramHeader header;
        header.kind = DatagramKind::Outside;
        header.flags = key_hint(key_id(key));
        DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random_);
        REQUIRE(builder.add(encode_message(message)));
        const SealKey seal = outside_key(key);
        return std::move(builder).finish(
            &seal, std::holds_alternative<Hello>(message) ? limits::kHelloBytes : 0);
    }
    static Hello beacon_of(const Identity& who, const Endpoint& address) {
        Hello hello;
        hello.mesh = Config{}.mesh_name;
        hello.from = who;
        hello.address = address;
        hello.address->interface = 0;
        return hello;
    }

    /// a and b with a link, after all that belongs to making it.
    void link_a_and_b() {
        start(kA, "a");
        start(kB, "b");
        REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1 && links(kB) == 1; }));
        pipe.run_for(seconds(3));
    }

  private:
    std::uint8_t seed_ = 10;
    Prng random_ = prng(77);
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "replay: an OFFER of an earlier question has no effect") {
    link_a_and_b();
    const auto offers = recorded<Offer>(kA, kB);
    REQUIRE(!offers.empty());
    pipe.run_for(seconds(25));
    pipe.kill(kB);
    REQUIRE(pipe.run_until(seconds(10), [&] { return links(kA) == 0; }));
    // Now it looks for the lost one, and takes OFFERs from wherever they come.
    const auto beacons = count(kA, Counter::beacons_sent);
    REQUIRE(
        pipe.run_until(seconds(10), [&] { return count(kA, Counter::beacons_sent) > beacons; }));
    // Until an OFFER that was taken would have ended what silence had begun.
    pipe.run_for(milliseconds(50));
    const auto dropped = count(kA, Counter::drop_not_for_us);
    for (const auto& offer : offers) {
        pipe.inject(kA, offer.from, offer.bytes);
        CHECK(pipe.sent_by(kA).empty());
    }
    CHECK(count(kA, Counter::drop_not_for_us) == dropped + offers.size());
}

TEST_CASE_FIXTURE(Fixture, "replay: an OFFER in the own name tells of nobody") {
    start(kA, "a");
    start(kOther, "a");
    REQUIRE(pipe.run_until(seconds(5), [&] { return conflicts(kA) == 1; }));
    const auto all = pipe.arrived;
    pipe.kill(kOther);
    pipe.run_for(NameConflict::kForgottenAfter + seconds(60));
    const auto beacons = count(kA, Counter::beacons_sent);
    REQUIRE(
        pipe.run_until(seconds(60), [&] { return count(kA, Counter::beacons_sent) > beacons; }));
    for (const auto& one : all) {
        if (one.to == kA) {
            pipe.inject(kA, one.from, one.bytes);
        }
    }
    pipe.run_for(seconds(5));
    CHECK(conflicts(kA) == 0);
}

TEST_CASE_FIXTURE(Fixture, "replay: two boxes of one name both learn of it") {
    for (const bool hears_both : {true, false}) {
        CAPTURE(hears_both);
        Fixture fresh;
        bool is_apart = true;
        // One hears the other's beacons only by their answers, or both do.
        fresh.pipe.hears = [&](std::uint8_t from, std::uint8_t) {
            return hears_both || !is_apart || from == kOther;
        };
        fresh.start(kA, "a");
        fresh.start(kOther, "a");
        is_apart = false;
        fresh.pipe.run_for(seconds(4));
        CHECK(fresh.conflicts(kA) == 1);
        CHECK(fresh.conflicts(kOther) == 1);
    }
}

TEST_CASE_FIXTURE(Fixture, "replay: an ACC that once refused the name refuses no later REQ") {
    pipe.hears = [](std::uint8_t from, std::uint8_t to) {
        return std::min(from, to) != kA || std::max(from, to) != kOther;
    };
    start(kB, "b");
    start(kOther, "a");
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kB) == 1; }));
    start(kA, "a");
    pipe.run_for(seconds(10));
    const auto refusals =
        recorded<Acc>(kA, kB, [](const Acc& acc) { return acc.refused == "name"; });
    REQUIRE(!refusals.empty());
    pipe.kill(kOther);
    REQUIRE(pipe.run_until(seconds(30), [&] { return links(kA) == 1; }));
    pipe.run_for(NameConflict::kForgottenAfter + seconds(60));
    CHECK(conflicts(kA) <= 1);
    REQUIRE(links(kA) == 1);
    // It loses its link, and asks for it again.
    pipe.hears = [](auto, auto) { return false; };
    for (int step = 0; step < 300; ++step) {
        pipe.run_for(milliseconds(100));
        for (const auto& refusal : refusals) {
            pipe.inject(kA, refusal.from, refusal.bytes);
        }
    }
    CHECK(conflicts(kA) == 0);
    pipe.hears = [](auto, auto) { return true; };
    CHECK(pipe.run_until(seconds(70), [&] { return links(kA) == 1; }));
}

TEST_CASE_FIXTURE(Fixture, "replay: OFFERs and ACCs of a former start are not for the new one") {
    link_a_and_b();
    auto all = recorded<Offer>(kA, kB);
    const auto accs = recorded<Acc>(kA, kB);
    const auto to_b = recorded<Acc>(kB, kA);
    all.insert(all.end(), accs.begin(), accs.end());
    REQUIRE(accs.size() + to_b.size() > 0);
    REQUIRE(!all.empty());
    pipe.kill(kA);
    start(kA, "a");
    for (const auto& one : all) {
        const auto dropped = count(kA, Counter::drop_not_for_us);
        pipe.inject(kA, one.from, one.bytes);
        CHECK(count(kA, Counter::drop_not_for_us) == dropped + 1);
    }
    CHECK(pipe.run_until(seconds(5), [&] { return links(kA) == 1; }));
}

TEST_CASE_FIXTURE(Fixture, "replay: ACCs after twenty seconds make no session and end none") {
    link_a_and_b();
    pipe.run_for(seconds(20));
    const std::uint64_t up = count(kA, Counter::links_up) + count(kB, Counter::links_up);
    for (const std::uint8_t to : {kA, kB}) {
        for (const auto& acc : recorded<Acc>(to, to == kA ? kB : kA)) {
            pipe.inject(to, acc.from, acc.bytes);
        }
        CHECK(pipe.sent_by(to).empty());
    }
    pipe.run_for(seconds(5));
    CHECK(count(kA, Counter::links_up) + count(kB, Counter::links_up) == up);
    CHECK(count(kA, Counter::links_down) + count(kB, Counter::links_down) == 0);
}

TEST_CASE_FIXTURE(Fixture, "replay: beacons of the own former start are no other box") {
    link_a_and_b();
    const auto former = recorded<Hello>(kB, kA);
    REQUIRE(!former.empty());
    pipe.kill(kA);
    start(kA, "a");
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1; }));
    pipe.run_for(seconds(5));
    for (const auto& hello : former) {
        // From where a is, and from somebody else who has that address now.
        pipe.inject(kA, hello.from, hello.bytes);
        pipe.run_for(seconds(2));
    }
    CHECK(conflicts(kA) == 0);
    CHECK(links(kA) == 1);
}

TEST_CASE_FIXTURE(Fixture, "replay: a living box is not taken for any of its former starts") {
    link_a_and_b();
    const Identity now_b{id("b"), InstanceId{kB}, pipe.node(kB).status(pipe.now()).start};
    Identity first = now_b;
    first.start = StartId{now_b.start.value ^ 1};
    Identity second = now_b;
    second.start = StartId{now_b.start.value ^ 2};
    const auto replay = [&](const Identity& who) {
        pipe.inject(kA, box(kB), sealed(beacon_of(who, box(kB)), kOld));
    };
    for (int round = 0; round < 2; ++round) {
        for (const Identity& who : {first, second}) {
            replay(who);
            pipe.run_for(milliseconds(250));
        }
    }
    // Silence, though not for long, is no proof any more of what was found wrong.
    pipe.hears = [](std::uint8_t from, std::uint8_t) { return from == kA; };
    const auto dropped = count(kA, Counter::drop_name_conflict);
    for (int round = 0; round < 2; ++round) {
        replay(first);
        pipe.run_for(milliseconds(260));
    }
    pipe.hears = [](auto, auto) { return true; };
    CHECK(count(kA, Counter::drop_name_conflict) == dropped + 2);
    pipe.run_for(seconds(5));
    CHECK(count(kA, Counter::links_down) == 0);
    CHECK(links(kA) == 1);
}

TEST_CASE_FIXTURE(Fixture, "replay: who was heard under the new key is not asked under the old") {
    REQUIRE(ring.add(kNew));
    REQUIRE(ring.activate(key_id(kNew)));
    start(kA, "a");
    pipe.run_for(seconds(1));
    const Identity b = identity("b", kB, 20);
    pipe.inject(kA, box(kB), sealed(beacon_of(b, box(kB)), kNew));
    pipe.run_for(milliseconds(1));
    pipe.inject(kA, box(kB), sealed(beacon_of(b, box(kB)), kOld));
    start(kB, "c");  // who hears what a says to that address
    pipe.run_for(seconds(3));
    std::size_t asked = 0;
    for (const auto& one : pipe.arrived) {
        const auto header = peek_header(one.bytes);
        if (one.to != kB || header->kind != DatagramKind::Outside) {
            continue;
        }
        if (header->flags == key_hint(key_id(kNew))) {
            asked += 1;
        } else {  // the answer to the recording, which is asked no more
            const auto message = read(one.bytes);
            REQUIRE(message);
            CHECK(std::holds_alternative<Offer>(*message));
        }
    }
    CHECK(asked > 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "replay: who floods in the name of a box's address does not keep it out") {
    start(kA, "a");
    pipe.run_for(seconds(1));
    Buffer forged = sealed(beacon_of(identity("x", 8, 80), box(kB)), kOld);
    forged.back() ^= 1;
    bool is_started = false;
    for (int step = 0; step < 400; ++step) {
        for (int i = 0; i < 20; ++i) {
            pipe.inject(kA, box(kB), forged);
        }
        pipe.run_for(milliseconds(10));
        if (step == 100) {
            start(kB, "b");
            is_started = true;
        }
    }
    REQUIRE(is_started);
    CHECK(links(kA) == 1);
    CHECK(count(kA, Counter::drop_tag) > 0);
}
