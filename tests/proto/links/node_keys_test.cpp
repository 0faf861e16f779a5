// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/proto/links/node_pipe.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::uint8_t kA = 1;
constexpr std::uint8_t kB = 2;
constexpr std::uint8_t kC = 3;

MeshKey key_of(std::uint8_t seed, std::uint32_t generation = 1) {
    Prng random = prng(seed);
    return make_mesh_key(random, generation);
}

Keyring ring_of(std::initializer_list<MeshKey> keys) {
    Keyring ring;
    for (const MeshKey& key : keys) {
        REQUIRE(ring.add(key));
    }
    return ring;
}

struct Fixture {
    NodePipe pipe;

    void start(std::uint8_t number, Keyring ring, SecurityMode mode = SecurityMode::Sealed,
               std::uint32_t features = features::kAll) {
        NodeOptions options;
        options.node_id = id(std::string("yard-camera-") + static_cast<char>('a' + number - 1));
        options.instance = InstanceId{number};
        options.entropy[0] = ++seed_;
        options.version = "0.1.0";
        options.keyring = std::move(ring);
        options.features = features;
        Config config;
        config.mesh_name = "greenhouse";
        config.security = mode;
        pipe.start(number, std::move(options), config);
    }
    SecurityView security(std::uint8_t number) {
        return pipe.node(number).status(pipe.now()).security;
    }
    std::size_t links(std::uint8_t number) { return pipe.node(number).peers(pipe.now()).size(); }
    std::size_t alive(std::uint8_t number) {
        return pipe.node(number).status(pipe.now()).nodes_alive;
    }
    /// All links of a node are sealed under that key; 0 = they are open.
    bool are_under(std::uint8_t number, KeyId key, std::size_t peers) {
        const auto all = pipe.node(number).peers(pipe.now());
        return all.size() == peers && std::all_of(all.begin(), all.end(), [&](const auto& peer) {
                   return peer.seal == key;
               });
    }
    bool is_on_wire(std::string_view text) const {
        return std::any_of(pipe.arrived.begin(), pipe.arrived.end(), [&](const auto& datagram) {
            return std::search(datagram.bytes.begin(), datagram.bytes.end(), text.begin(),
                               text.end()) != datagram.bytes.end();
        });
    }
    void raise_alert(std::uint8_t number, std::string_view alert) {
        REQUIRE(pipe.command(number, RaiseAlert{std::string(alert)}));
    }
    std::size_t alerts(std::uint8_t number) { return pipe.node(number).alerts(pipe.now()).size(); }

  private:
    std::uint8_t seed_ = 10;
};

const MeshKey kOld = key_of(1);
const MeshKey kNew = key_of(2, 2);

}  // namespace

TEST_CASE_FIXTURE(Fixture, "keys: nodes of one key link, and nothing they say is readable") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return are_under(kA, key_id(kOld), 1); }));
    raise_alert(kA, R"({"what":"broken window"})");
    REQUIRE(pipe.run_until(seconds(5), [&] { return alerts(kB) == 1; }));
    for (const std::string_view text :
         {"yard-camera", "greenhouse", "broken window", "hello", "node"}) {
        CHECK_FALSE(is_on_wire(text));
    }
    CHECK(security(kA).links_sealed == 1);
    CHECK(security(kA).without_newest.empty());
    CHECK(security(kA).not_sealed.empty());
}

TEST_CASE_FIXTURE(Fixture, "keys: in the open all of it is") {
    start(kA, {}, SecurityMode::Open);
    start(kB, {}, SecurityMode::Open);
    REQUIRE(pipe.run_until(seconds(5), [&] { return are_under(kA, KeyId{}, 1); }));
    CHECK(is_on_wire("yard-camera"));
}

TEST_CASE_FIXTURE(Fixture, "keys: without a key a node is silent until it gets one") {
    start(kA, ring_of({kOld}));
    start(kB, {});
    pipe.run_for(seconds(10));
    CHECK(security(kB).is_silent);
    CHECK(links(kA) == 0);
    CHECK(std::none_of(pipe.arrived.begin(), pipe.arrived.end(),
                       [](const auto& datagram) { return datagram.from.same_address(box(kB)); }));
    CHECK(pipe.count(kB, Counter::drop_other_key) > 0);
    pipe.node(kB).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld}));
    CHECK(pipe.run_until(seconds(3), [&] { return links(kB) == 1; }));
}

TEST_CASE_FIXTURE(Fixture, "keys: nodes of two keys do not meet, and each says what it hears") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({key_of(7)}));
    start(kC, {}, SecurityMode::Open);
    pipe.run_for(seconds(10));
    for (const std::uint8_t number : {kA, kB, kC}) {
        CAPTURE(number);
        CHECK(links(number) == 0);
        CHECK(security(number).foreigners.size() == 2);
    }
    CHECK(pipe.count(kA, Counter::drop_other_key) > 0);
    CHECK(pipe.count(kA, Counter::drop_unsealed) > 0);
    CHECK(pipe.node(kA).nodes(pipe.now()).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "keys: what is changed or sent again has no effect") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1 && links(kB) == 1; }));
    pipe.run_for(seconds(2));
    const auto session = std::find_if(
        pipe.arrived.rbegin(), pipe.arrived.rend(),
        [](const auto& datagram) { return datagram.to == kB && datagram.bytes[1] == 2; });
    REQUIRE(session != pipe.arrived.rend());
    const NodePipe::Datagram old = *session;
    pipe.inject(kB, old.from, old.bytes);
    CHECK(pipe.count(kB, Counter::drop_replay) == 1);
    Buffer fresh = old.bytes;
    fresh[15] = 0xfe;  // a counter that has not been
    pipe.inject(kB, old.from, fresh);
    CHECK(pipe.count(kB, Counter::drop_tag) == 1);
    for (std::size_t at = 16; at < old.bytes.size(); ++at) {
        Buffer changed = old.bytes;
        changed[at] ^= 1;
        pipe.inject(kB, old.from, changed);
    }
    CHECK(pipe.count(kB, Counter::drop_tag) == 1 + old.bytes.size() - 16);
    CHECK(links(kB) == 1);
}

TEST_CASE_FIXTURE(Fixture, "keys: a recorded handshake makes no second session") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1 && links(kB) == 1; }));
    pipe.run_for(seconds(3));
    const std::vector<NodePipe::Datagram> recorded = pipe.arrived;
    const std::uint64_t up = pipe.count(kB, Counter::links_up);
    for (const NodePipe::Datagram& datagram : recorded) {
        if (datagram.to == kB) {
            pipe.inject(kB, datagram.from, datagram.bytes);
        }
    }
    pipe.run_for(seconds(5));
    CHECK(pipe.count(kB, Counter::links_up) == up);
    CHECK(pipe.count(kB, Counter::links_down) == 0);
    CHECK(links(kB) == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: a new key reaches all, is used once all have it, and no alert is lost") {
    pipe.hears = [](std::uint8_t from, std::uint8_t to) {
        return std::max(from, to) - std::min(from, to) <= 1;  // a - b - c
    };
    for (const std::uint8_t number : {kA, kB, kC}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(10), [&] {
        return pipe.node(kA).nodes(pipe.now()).size() == 3 && links(kB) == 2;
    }));
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    CHECK(security(kA).active == key_id(kOld));
    std::size_t raised = 0;
    const auto is_done = [&] {
        return are_under(kA, key_id(kNew), 1) && are_under(kB, key_id(kNew), 2) &&
               are_under(kC, key_id(kNew), 1);
    };
    for (int step = 0; step < 100 && !is_done(); ++step) {
        raise_alert(kA, R"({"n":)" + std::to_string(++raised) + "}");
        pipe.run_for(milliseconds(100));
    }
    REQUIRE(is_done());
    pipe.run_for(seconds(2));
    for (const std::uint8_t number : {kA, kB, kC}) {
        CAPTURE(number);
        CHECK(security(number).active == key_id(kNew));
        CHECK(security(number).without_newest.empty());
        CHECK(alerts(number) == raised);
        CHECK(pipe.count(number, Counter::links_down) == 0);
    }
    pipe.node(kB).handle_security(pipe.now(), SecurityMode::Sealed, [&] {
        Keyring ring = pipe.node(kB).keyring();
        CHECK(ring.remove(key_id(kOld)));
        return ring;
    }());
    pipe.run_for(seconds(5));
    CHECK(links(kB) == 2);
    CHECK(pipe.count(kB, Counter::links_down) == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: a node whose disk is full does not confirm, and nobody moves on") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1; }));
    pipe.keeps_rings = false;
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    pipe.run_for(seconds(30));
    CHECK(security(kA).active == key_id(kOld));
    CHECK(security(kA).without_newest == std::vector{id("yard-camera-b")});
    CHECK(pipe.take<KeyringWanted>(kB).size() >= 2);
    pipe.keeps_rings = true;
    CHECK(pipe.run_until(seconds(30), [&] { return are_under(kB, key_id(kNew), 1); }));
}

TEST_CASE_FIXTURE(Fixture, "keys: who was away comes back by the old key while it is held") {
    for (const std::uint8_t number : {kA, kB, kC}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 2 && links(kC) == 2; }));
    pipe.kill(kC);
    REQUIRE(pipe.run_until(seconds(10), [&] { return links(kA) == 1; }));
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    REQUIRE(pipe.run_until(seconds(10), [&] { return are_under(kB, key_id(kNew), 1); }));
    CHECK(security(kA).without_newest == std::vector{id("yard-camera-c")});
    start(kC, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(15), [&] { return are_under(kC, key_id(kNew), 2); }));
    CHECK(pipe.node(kC).keyring().find(key_id(kNew)) != nullptr);
    CHECK(security(kA).without_newest.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: who comes back after the old key is gone stays out, and is seen") {
    for (const std::uint8_t number : {kA, kC}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(5), [&] { return alive(kA) == 2; }));
    pipe.kill(kC);
    REQUIRE(pipe.run_until(seconds(10), [&] { return links(kA) == 0; }));
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kNew}));
    start(kC, ring_of({kOld}));
    pipe.run_for(seconds(10));
    CHECK(links(kC) == 0);
    CHECK(security(kA).foreigners.size() == 1);
    CHECK(security(kA).without_newest == std::vector{id("yard-camera-c")});
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: a key that is replaced ends the links of those who lack the new one") {
    for (const std::uint8_t number : {kA, kB}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1 && links(kB) == 1; }));
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kNew}));
    pipe.run_for(seconds(5));
    CHECK(links(kA) == 0);
    CHECK(links(kB) == 0);
    CHECK(pipe.node(kB).keyring().find(key_id(kNew)) == nullptr);
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: an open mesh moves to a key step by step, and is whole all the time") {
    const std::vector<std::uint8_t> all = {kA, kB, kC};
    for (const std::uint8_t number : all) {
        start(number, {}, SecurityMode::Open);
    }
    const auto is_whole = [&] {
        return std::all_of(all.begin(), all.end(), [&](auto number) { return alive(number) == 3; });
    };
    REQUIRE(pipe.run_until(seconds(5), is_whole));
    for (const std::uint8_t number : all) {
        pipe.node(number).handle_security(pipe.now(), SecurityMode::Mixed, ring_of({kOld}));
        for (int step = 0; step < 20; ++step) {
            pipe.run_for(milliseconds(500));
            CHECK(is_whole());
        }
    }
    CHECK(are_under(kA, key_id(kOld), 2));
    CHECK(are_under(kB, key_id(kOld), 2));
    CHECK(security(kA).not_sealed.size() == 2);
    for (const std::uint8_t number : all) {
        pipe.node(number).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld}));
        pipe.run_for(seconds(3));
        CHECK(is_whole());
    }
    CHECK(security(kA).not_sealed.empty());
    for (const std::uint8_t number : all) {
        CHECK(pipe.count(number, Counter::links_down) == 0);
    }
}

TEST_CASE_FIXTURE(Fixture, "keys: a session of a day is replaced by a fresh one") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return links(kA) == 1; }));
    pipe.run_for(std::chrono::hours(26));
    CHECK(pipe.count(kA, Counter::links_rekeyed) + pipe.count(kB, Counter::links_rekeyed) == 1);
    CHECK(pipe.count(kA, Counter::links_down) == 0);
    CHECK(links(kA) == 1);
}

TEST_CASE_FIXTURE(Fixture, "keys: a version that takes no keys works beside this one") {
    start(kA, ring_of({kOld}));
    start(kB, ring_of({kOld}), SecurityMode::Sealed, 0);
    start(kC, ring_of({kOld}));
    REQUIRE(pipe.run_until(seconds(5), [&] { return alive(kA) == 3 && links(kB) == 2; }));
    raise_alert(kA, R"({"n":1})");
    raise_alert(kB, R"({"n":2})");
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    pipe.run_for(seconds(20));
    for (const std::uint8_t number : {kA, kB, kC}) {
        CHECK(alerts(number) == 2);
        CHECK(links(number) == 2);
    }
    CHECK(pipe.count(kB, Counter::drop_unknown_kind) == 0);
    CHECK(pipe.count(kB, Counter::drop_not_allowed_here) == 0);
    CHECK(pipe.node(kC).keyring().find(key_id(kNew)) != nullptr);
    CHECK(security(kA).active == key_id(kOld));
    CHECK(security(kA).without_newest == std::vector{id("yard-camera-b")});
}

TEST_CASE_FIXTURE(Fixture, "keys: of two rotations begun at once one wins on all nodes") {
    for (const std::uint8_t number : {kA, kB, kC}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(5), [&] { return alive(kA) == 3 && alive(kC) == 3; }));
    const MeshKey other = key_of(3, 2);
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    pipe.node(kC).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, other}));
    const KeyId winner = std::max(key_id(kNew), key_id(other));
    CHECK(pipe.run_until(seconds(60), [&] {
        return are_under(kA, winner, 2) && are_under(kB, winner, 2) && are_under(kC, winner, 2);
    }));
    for (const std::uint8_t number : {kA, kB, kC}) {
        CHECK(pipe.node(number).keyring().keys.size() == 2);
    }
}

TEST_CASE_FIXTURE(Fixture, "keys: in mixed mode nobody takes a sealed link over in the open") {
    start(kA, ring_of({kOld}), SecurityMode::Mixed);
    start(kB, ring_of({kOld}), SecurityMode::Mixed);
    REQUIRE(pipe.run_until(seconds(5), [&] { return are_under(kA, key_id(kOld), 1); }));
    pipe.run_for(seconds(2));
    // Somebody else speaks in b's name, in the open, from an address of its own.
    const auto view = *pipe.node(kA).node(pipe.now(), id("yard-camera-b"));
    Hello hello;
    hello.mesh = "greenhouse";
    hello.from = {view.node_id, view.instance, pipe.node(kB).status(pipe.now()).start};
    pipe.inject(kA, box(9), outside(hello));
    Req req;
    req.mesh = hello.mesh;
    req.from = hello.from;
    req.to = pipe.node(kA).status(pipe.now()).start;
    req.session = SessionId{7};
    for (const Transmit& sent : pipe.sent_by(kA)) {
        const auto opened = open_datagram(sent.bytes);
        if (!sent.to.same_address(box(9)) || !opened || opened->items.empty()) {
            continue;
        }
        const auto message = decode_message(opened->items[0].kind, opened->items[0].bytes);
        if (const auto* offer = message ? std::get_if<Offer>(&*message) : nullptr) {
            req.cookie = offer->cookie;
        }
    }
    REQUIRE(req.cookie != Cookie{});
    pipe.inject(kA, box(9), outside(req, 2));
    CHECK(pipe.count(kA, Counter::drop_unsealed) == 1);
    for (const Transmit& sent : pipe.sent_by(kA)) {
        CHECK_FALSE(sent.to.same_address(box(9)));
    }
    CHECK(are_under(kA, key_id(kOld), 1));
}

TEST_CASE_FIXTURE(Fixture, "keys: a full keyring makes room for the next key by its oldest") {
    const MeshKey first = key_of(1);
    const MeshKey last = key_of(4, 4);
    const MeshKey next = key_of(5, 5);
    Keyring full = ring_of({first, key_of(2, 2), key_of(3, 3), last});
    REQUIRE(full.activate(key_id(last)));
    Keyring rotated = ring_of({key_of(2, 2), key_of(3, 3), last, next});
    REQUIRE(rotated.activate(key_id(last)));
    start(kA, full);
    start(kB, full);
    REQUIRE(pipe.run_until(seconds(5), [&] { return alive(kA) == 2 && alive(kB) == 2; }));
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, rotated);
    CHECK(pipe.run_until(seconds(30), [&] { return are_under(kB, key_id(next), 1); }));
    CHECK(pipe.node(kB).keyring().find(key_id(first)) == nullptr);
    CHECK(pipe.node(kB).keyring().find(key_id(last)) != nullptr);
}

TEST_CASE_FIXTURE(Fixture,
                  "keys: of rotations that overtake each other the newest wins on all nodes") {
    for (const std::uint8_t number : {kA, kB, kC}) {
        start(number, ring_of({kOld}));
    }
    REQUIRE(pipe.run_until(seconds(5), [&] { return alive(kA) == 3 && alive(kC) == 3; }));
    const MeshKey newest = key_of(4, 3);
    pipe.node(kA).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, kNew}));
    pipe.node(kC).handle_security(pipe.now(), SecurityMode::Sealed, ring_of({kOld, newest}));
    CHECK(pipe.run_until(seconds(60), [&] {
        return are_under(kA, key_id(newest), 2) && are_under(kB, key_id(newest), 2);
    }));
}
