// SPDX-License-Identifier: Apache-2.0
// Two ends against each other, with a pipe between them that loses what the test says.
#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <vector>

#include "proto/links/handshake.h"
#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

const Cookie kCookie{1, 2, 3};

const MeshKey& mesh_key() {
    static const MeshKey kKey = [] {
        Prng random = prng(9);
        return make_mesh_key(random, 1);
    }();
    return kKey;
}

Keyring ring_of_one() {
    Keyring ring;
    REQUIRE(ring.add(mesh_key()));
    return ring;
}

/// One end with what a node does around a handshake: offers, and confirms what it established.
struct End {
    Identity self;
    Endpoint address;
    Prng random;
    Keyring ring = ring_of_one();
    Handshake handshake{self, "default", features::kAll, ring, random};
    std::vector<Established> sessions;

    End(const Identity& identity, const Endpoint& endpoint, std::uint8_t seed)
        : self(identity), address(endpoint), random(prng(seed)) {}
};

class Exchange {
  public:
    /// True where the message is lost.
    using Loss = std::function<bool(const Message&, const End& from)>;

    Exchange(std::uint64_t instance_a, std::uint64_t instance_b)
        : a(identity("a", instance_a, 50), box(1), 1),
          b(identity("b", instance_b, 90), box(2), 2) {}

    void initiate(End& from, bool with_cookie = true) {
        const End& to = from.self == a.self ? b : a;
        from.handshake.initiate(now, to.self, to.address, LinkReason::Fill,
                                with_cookie ? std::optional(kCookie) : std::nullopt,
                                {false, {}, seal});
    }

    void run_for(Duration duration) {
        const TimePoint end = now + duration;
        for (; now <= end; now += milliseconds(10)) {
            a.handshake.on_timeout(now);
            b.handshake.on_timeout(now);
            drain(a, b);
            drain(b, a);
            std::deque<std::function<void()>> arriving;
            arriving.swap(wire_);
            for (const auto& arrive : arriving) {
                arrive();
            }
        }
    }

    /// Both ends hold the same newest session, and where it is sealed its keys.
    bool agree() const {
        return !a.sessions.empty() && !b.sessions.empty() &&
               a.sessions.back().own_session == b.sessions.back().peer_session &&
               b.sessions.back().own_session == a.sessions.back().peer_session &&
               agree_on_keys(a.sessions.back(), b.sessions.back());
    }

    /// The mesh key that all of it goes under; 0 = in the open.
    KeyId seal = key_id(mesh_key());
    End a;
    End b;
    TimePoint now = at(0);
    Loss loss = [](const Message&, const End&) { return false; };
    std::vector<Message> log;

  private:
    bool agree_on_keys(const Established& one, const Established& other) const {
        return one.keys.has_value() == static_cast<bool>(seal) && one.seal == seal &&
               other.seal == seal &&
               (seal ? one.keys->send == other.keys->receive &&
                           one.keys->receive == other.keys->send &&
                           one.keys->send != one.keys->receive
                     : !other.keys);
    }
    void drain(End& from, End& to) {
        while (const auto message = from.handshake.poll_message()) {
            send(from, to, message->message);
        }
        while (const auto established = from.handshake.poll_established()) {
            from.sessions.push_back(*established);
            confirm(from, to, established->peer_session);
        }
    }
    void send(End& from, End& to, const Message& message) {
        log.push_back(message);
        if (loss(message, from)) {
            return;
        }
        wire_.push_back([this, &from, &to, message] { receive(from, to, message); });
    }
    void confirm(End& from, End& to, SessionId session) {
        log.push_back(Conf{});
        if (loss(Conf{}, from)) {
            wire_.push_back([this, &from, &to, session] { confirm(from, to, session); });
            return;
        }
        wire_.push_back([&from, &to, session] {
            if (const auto established = to.handshake.on_confirmed(session, from.address)) {
                to.sessions.push_back(*established);
            }
        });
    }
    void receive(End& from, End& to, const Message& message) {
        if (const auto* hello = std::get_if<Hello>(&message)) {
            send(to, from, Offer{1, 1, to.self, hello->from.start, kCookie, 1});
        } else if (const auto* offer = std::get_if<Offer>(&message)) {
            to.handshake.on_offer(now, from.address, *offer, seal);
        } else if (const auto* req = std::get_if<Req>(&message)) {
            CHECK(req->cookie == kCookie);
            to.handshake.on_req(now, from.address, *req, "", seal);
        } else if (const auto* acc = std::get_if<Acc>(&message)) {
            to.handshake.on_acc(now, from.address, *acc, seal);
        }
    }

    std::deque<std::function<void()>> wire_;
};

}  // namespace

TEST_CASE("handshake: HELLO, OFFER, REQ, ACC, CONF make one session of two ids") {
    Exchange exchange(1, 2);
    exchange.initiate(exchange.a, false);
    exchange.run_for(milliseconds(200));
    CHECK(exchange.agree());
    CHECK(exchange.a.sessions.size() == 1);
    CHECK(exchange.b.sessions.size() == 1);
    CHECK(exchange.a.sessions[0].peer == exchange.b.self);
    CHECK(exchange.b.sessions[0].peer == exchange.a.self);
    CHECK(exchange.log.size() == 5);
    CHECK_FALSE(exchange.a.handshake.next_deadline());
    CHECK_FALSE(exchange.b.handshake.next_deadline());
}

TEST_CASE("handshake: in the open the same five messages make a session without keys") {
    Exchange exchange(1, 2);
    exchange.seal = KeyId{};
    exchange.initiate(exchange.a, false);
    exchange.run_for(milliseconds(200));
    CHECK(exchange.agree());
    CHECK(exchange.log.size() == 5);
}

TEST_CASE("handshake: keys are other ones each time") {
    Exchange exchange(1, 2);
    for (int i = 0; i < 3; ++i) {
        exchange.initiate(exchange.a);
        exchange.run_for(milliseconds(200));
    }
    REQUIRE(exchange.a.sessions.size() == 3);
    CHECK(exchange.a.sessions[0].keys != exchange.a.sessions[1].keys);
    CHECK(exchange.a.sessions[1].keys != exchange.a.sessions[2].keys);
}

TEST_CASE("handshake: each message may be lost twice") {
    for (const std::size_t lost_index : {0U, 1U, 2U, 3U, 4U}) {
        CAPTURE(lost_index);
        Exchange exchange(1, 2);
        std::size_t losses = 0;
        exchange.loss = [&](const Message& message, const End&) {
            const bool matches = (lost_index == 0 && std::holds_alternative<Hello>(message)) ||
                                 (lost_index == 1 && std::holds_alternative<Offer>(message)) ||
                                 (lost_index == 2 && std::holds_alternative<Req>(message)) ||
                                 (lost_index == 3 && std::holds_alternative<Acc>(message)) ||
                                 (lost_index == 4 && std::holds_alternative<Conf>(message));
            return matches && losses++ < 2;
        };
        exchange.initiate(exchange.a, false);
        exchange.run_for(seconds(1));
        CHECK(losses >= 2);
        CHECK(exchange.agree());
        CHECK(exchange.a.sessions.size() == 1);
        CHECK(exchange.b.sessions.size() == 1);
        CHECK_FALSE(exchange.a.handshake.poll_failed());
    }
}

TEST_CASE("handshake: crossing REQs leave one session, that of the greater instance") {
    for (const bool a_is_greater : {false, true}) {
        for (const bool b_first : {false, true}) {
            CAPTURE(a_is_greater);
            CAPTURE(b_first);
            Exchange exchange(a_is_greater ? 7 : 3, 5);
            exchange.initiate(b_first ? exchange.b : exchange.a);
            exchange.initiate(b_first ? exchange.a : exchange.b);
            exchange.run_for(seconds(4));
            CHECK(exchange.agree());
            REQUIRE(exchange.a.sessions.size() == 1);
            REQUIRE(exchange.b.sessions.size() == 1);
            CHECK(exchange.a.sessions[0].initiator == a_is_greater);
            CHECK(exchange.b.sessions[0].initiator == !a_is_greater);
            CHECK(exchange.a.handshake.peers().size() == 0);
            CHECK(exchange.b.handshake.peers().size() == 0);
        }
    }
}

TEST_CASE("handshake: of clones of one instance the greater start wins a crossing") {
    Exchange exchange(5, 5);
    exchange.initiate(exchange.a);
    exchange.initiate(exchange.b);
    exchange.run_for(seconds(4));
    CHECK(exchange.agree());
    REQUIRE(exchange.b.sessions.size() == 1);
    CHECK(exchange.b.sessions[0].initiator);
}

TEST_CASE("handshake: crossing REQs of which any are lost still end in one session") {
    for (const bool lose_of_a : {false, true}) {
        for (const std::size_t lost_max : {1U, 2U, 3U}) {
            CAPTURE(lose_of_a);
            CAPTURE(lost_max);
            Exchange exchange(3, 5);
            std::size_t losses = 0;
            exchange.loss = [&](const Message& message, const End& from) {
                return std::holds_alternative<Req>(message) &&
                       (from.self.node == id("a")) == lose_of_a && losses++ < lost_max;
            };
            exchange.initiate(exchange.a);
            exchange.initiate(exchange.b);
            exchange.run_for(seconds(4));
            CHECK(exchange.agree());
            CHECK(exchange.a.sessions.size() == 1);
            CHECK(exchange.b.sessions.size() == 1);
        }
    }
}

TEST_CASE("handshake: a HELLO on its way yields to a REQ that arrives") {
    for (const bool a_is_greater : {false, true}) {
        CAPTURE(a_is_greater);
        Exchange exchange(a_is_greater ? 7 : 3, 5);
        exchange.initiate(exchange.a, false);
        exchange.initiate(exchange.b);
        exchange.run_for(seconds(4));
        CHECK(exchange.agree());
        REQUIRE(exchange.a.sessions.size() == 1);
        REQUIRE(exchange.b.sessions.size() == 1);
        CHECK(exchange.b.sessions[0].initiator);
    }
}

TEST_CASE("handshake: under random loss of a third both ends agree or neither holds on") {
    for (std::uint8_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(static_cast<int>(seed));
        Exchange exchange(seed % 2 == 0 ? 7 : 3, 5);
        Prng random = prng(seed);
        exchange.loss = [&](const Message&, const End&) { return random.unit() < 0.33; };
        exchange.initiate(exchange.a, seed % 3 == 0);
        exchange.initiate(exchange.b, seed % 5 == 0);
        exchange.run_for(seconds(8));
        CHECK(exchange.a.handshake.peers().size() == 0);
        CHECK(exchange.b.handshake.peers().size() == 0);
        // A CONF that comes after its slot expired leaves a link at one end, which liveness ends.
        if (!exchange.a.sessions.empty() && !exchange.b.sessions.empty()) {
            CHECK(exchange.agree());
        }
    }
}
