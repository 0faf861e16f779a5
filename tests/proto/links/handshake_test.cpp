// SPDX-License-Identifier: Apache-2.0
// The initiator's table, and each role against messages made by hand.
#include "proto/links/handshake.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/proto/links/links_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using State = Handshake::State;
using Input = Handshake::Input;
using Action = Handshake::Action;

const Identity kSelf = identity("self", 5, 50);
const Identity kPeer = identity("peer", 9, 90);
const Endpoint kPeerAt = box(2);
const Cookie kCookie{1, 2, 3};

Offer offer_of(const Identity& from) {
    return {1, 1, from, kSelf.start, kCookie};
}

Req req_of(const Identity& from, std::uint32_t session) {
    return {1, "default", from, kSelf.start, kCookie, SessionId{session}, LinkReason::Fill};
}

struct Fixture {
    Prng random = prng();
    Keyring ring;
    Handshake handshake{kSelf, "default", features::kAll, ring, random};
    SessionId asked;  ///< of the last REQ taken by sent()

    Acc acc_of(const Identity& from, std::uint32_t session, const std::string& why = "full") const {
        return {from, kSelf.start, asked, SessionId{session}, session == 0 ? why : ""};
    }
    template <class T>
    std::optional<T> sent(const Endpoint& to = kPeerAt) {
        const auto message = handshake.poll_message();
        if (!message || message->to != to || !std::holds_alternative<T>(message->message)) {
            return std::nullopt;
        }
        if (const auto* req = std::get_if<Req>(&message->message)) {
            asked = req->session;
        }
        return std::get<T>(message->message);
    }
    bool is_silent() { return !handshake.poll_message(); }
};

}  // namespace

TEST_CASE("handshake: the initiator's whole table") {
    struct Row {
        State state;
        Input input;
        Action action;
        Action on_last_attempt;
    };
    const Row table[] = {
        {State::HelloSent, Input::Offer, Action::SendReq, Action::SendReq},
        {State::HelloSent, Input::Accepted, Action::Ignore, Action::Ignore},
        {State::HelloSent, Input::Refused, Action::Ignore, Action::Ignore},
        {State::HelloSent, Input::CrossingWon, Action::Abandon, Action::Abandon},
        {State::HelloSent, Input::CrossingLost, Action::Abandon, Action::Abandon},
        {State::HelloSent, Input::Timeout, Action::Repeat, Action::Fail},
        {State::ReqSent, Input::Offer, Action::Ignore, Action::Ignore},
        {State::ReqSent, Input::Accepted, Action::Establish, Action::Establish},
        {State::ReqSent, Input::Refused, Action::Fail, Action::Fail},
        {State::ReqSent, Input::CrossingWon, Action::Ignore, Action::Ignore},
        {State::ReqSent, Input::CrossingLost, Action::Abandon, Action::Abandon},
        {State::ReqSent, Input::Timeout, Action::Repeat, Action::Fail},
    };
    CHECK(std::size(table) == 2 * 6);
    for (const Row& row : table) {
        CAPTURE(static_cast<int>(row.state));
        CAPTURE(static_cast<int>(row.input));
        CHECK(Handshake::step(row.state, row.input, false) == row.action);
        CHECK(Handshake::step(row.state, row.input, true) == row.on_last_attempt);
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "handshake: HELLO is repeated after 100, 200, 400 and 800 ms, then fails") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, std::nullopt);
    CHECK(sent<Hello>());
    for (const int ms : {100, 300, 700, 1500}) {
        CHECK(handshake.next_deadline() == at(ms));
        handshake.on_timeout(at(ms) - microseconds(1));
        CHECK(is_silent());
        handshake.on_timeout(at(ms));
        const auto hello = sent<Hello>();
        REQUIRE(hello);
        CHECK_FALSE(hello->address);
        CHECK(is_silent());
    }
    REQUIRE(handshake.next_deadline() == at(3100));
    handshake.on_timeout(at(3100));
    CHECK(is_silent());
    const auto failed = handshake.poll_failed();
    REQUIRE(failed);
    CHECK(failed->peer == kPeer.node);
    CHECK_FALSE(failed->refused);
    CHECK_FALSE(handshake.is_pending(kPeer));
    CHECK_FALSE(handshake.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "handshake: a fresh cookie saves HELLO and OFFER") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Bridge, kCookie);
    CHECK(handshake.is_bridge_pending());
    const auto req = sent<Req>();
    REQUIRE(req);
    CHECK(req->cookie == kCookie);
    CHECK(req->from == kSelf);
    CHECK(req->to == kPeer.start);
    CHECK(req->reason == LinkReason::Bridge);
    handshake.on_timeout(at(100));
    const auto again = sent<Req>();
    REQUIRE(again);
    CHECK(again->session == req->session);
}

TEST_CASE_FIXTURE(Fixture, "handshake: who is asked already is not asked twice") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, std::nullopt);
    CHECK(sent<Hello>());
    handshake.initiate(at(1), kPeer, kPeerAt, LinkReason::Bridge, kCookie);
    CHECK(is_silent());
    CHECK_FALSE(handshake.is_bridge_pending());
    CHECK(handshake.peers().size() == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "handshake: an OFFER restarts the attempts and brings the peer's start") {
    const Identity restarted = identity("peer", 9, 91);
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, std::nullopt);
    handshake.on_timeout(at(100));
    handshake.on_timeout(at(300));
    while (!is_silent()) {
    }
    handshake.on_offer(at(310), kPeerAt, offer_of(restarted), KeyId{});
    const auto req = sent<Req>();
    REQUIRE(req);
    CHECK(req->to == restarted.start);
    CHECK(handshake.next_deadline() == at(410));
    handshake.on_acc(at(320), kPeerAt, acc_of(restarted, 77), KeyId{});
    const auto established = handshake.poll_established();
    REQUIRE(established);
    CHECK(established->peer == restarted);
    CHECK(established->own_session == req->session);
    CHECK(established->peer_session == SessionId{77});
    CHECK(established->initiator);
    CHECK_FALSE(handshake.is_pending(kPeer));
}

TEST_CASE_FIXTURE(Fixture,
                  "handshake: an OFFER or ACC that was not asked for, or not there, is ignored") {
    handshake.on_offer(at(0), kPeerAt, offer_of(kPeer), KeyId{});
    handshake.on_acc(at(0), kPeerAt, acc_of(kPeer, 77), KeyId{});
    CHECK(is_silent());
    CHECK_FALSE(handshake.poll_established());

    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, std::nullopt);
    CHECK(sent<Hello>());
    handshake.on_offer(at(1), box(3), offer_of(kPeer), KeyId{});
    handshake.on_offer(at(1), box(2, 10'000), offer_of(kPeer), KeyId{});
    handshake.on_offer(at(1), kPeerAt, offer_of(identity("other", 9, 90)), KeyId{});
    CHECK(is_silent());
    handshake.on_offer(at(2), kPeerAt, offer_of(kPeer), KeyId{});
    CHECK(sent<Req>());
    handshake.on_offer(at(3), kPeerAt, offer_of(kPeer), KeyId{});
    CHECK(is_silent());

    handshake.on_acc(at(4), box(3), acc_of(kPeer, 77), KeyId{});
    handshake.on_acc(at(4), kPeerAt, acc_of(identity("peer", 9, 91), 77), KeyId{});
    handshake.on_acc(at(4), kPeerAt, acc_of(identity("peer", 8, 90), 77), KeyId{});
    handshake.on_acc(at(4), kPeerAt, acc_of(identity("peer", 9, 91), 0), KeyId{});
    CHECK_FALSE(handshake.poll_established());
    CHECK_FALSE(handshake.poll_failed());
    handshake.on_acc(at(5), kPeerAt, acc_of(kPeer, 77), KeyId{});
    CHECK(handshake.poll_established());
    handshake.on_acc(at(6), kPeerAt, acc_of(kPeer, 77), KeyId{});
    CHECK_FALSE(handshake.poll_established());
}

TEST_CASE_FIXTURE(Fixture, "handshake: a refusal ends the initiation at once") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    CHECK(sent<Req>());
    CHECK_FALSE(handshake.on_acc(at(1), kPeerAt, acc_of(kPeer, 0), KeyId{}));
    const auto failed = handshake.poll_failed();
    REQUIRE(failed);
    CHECK(failed->refused);
    CHECK_FALSE(handshake.is_pending(kPeer));
    CHECK_FALSE(handshake.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "handshake: an ACC that repeats another session ends nothing") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    REQUIRE(sent<Req>());
    const Acc refusal = acc_of(kPeer, 0, "name");
    const Acc acceptance = acc_of(kPeer, 77);
    handshake.abandon(kPeer.node);
    handshake.initiate(at(1), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    REQUIRE(sent<Req>());
    CHECK(asked != refusal.asked);
    CHECK_FALSE(handshake.on_acc(at(2), kPeerAt, refusal, KeyId{}));
    CHECK_FALSE(handshake.on_acc(at(2), kPeerAt, acceptance, KeyId{}));
    CHECK(handshake.is_pending(kPeer));
    CHECK_FALSE(handshake.poll_failed());
    CHECK_FALSE(handshake.poll_established());
    CHECK(handshake.on_acc(at(3), kPeerAt, acc_of(kPeer, 0, "name"), KeyId{}));
    CHECK(handshake.poll_failed());
    CHECK_FALSE(handshake.on_acc(at(4), kPeerAt, acc_of(kPeer, 0, "name"), KeyId{}));
}

TEST_CASE_FIXTURE(Fixture, "handshake: who refuses a REQ keeps nothing") {
    handshake.on_req(at(0), kPeerAt, req_of(kPeer, 77), "full", KeyId{});
    const auto acc = sent<Acc>();
    REQUIRE(acc);
    CHECK(acc->asked == SessionId{77});
    CHECK(acc->refused == "full");
    CHECK_FALSE(acc->session);
    CHECK(acc->to == kPeer.start);
    CHECK(handshake.peers().size() == 0);
    CHECK_FALSE(handshake.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "handshake: a repeated REQ gets the same session, another one another") {
    handshake.on_req(at(0), kPeerAt, req_of(kPeer, 77), "", KeyId{});
    const auto first = sent<Acc>();
    REQUIRE(first);
    CHECK(handshake.is_slot(first->session));
    handshake.on_req(at(100), kPeerAt, req_of(kPeer, 77), "", KeyId{});
    const auto again = sent<Acc>();
    REQUIRE(again);
    CHECK(again->session == first->session);
    CHECK(handshake.peers().size() == 1);
    handshake.on_req(at(200), kPeerAt, req_of(kPeer, 78), "", KeyId{});
    const auto other = sent<Acc>();
    REQUIRE(other);
    CHECK(other->session != first->session);
    handshake.on_req(at(300), box(3), req_of(kPeer, 77), "", KeyId{});
    const auto elsewhere = sent<Acc>(box(3));
    REQUIRE(elsewhere);
    CHECK(elsewhere->session != first->session);
}

TEST_CASE_FIXTURE(Fixture, "handshake: a slot is taken once, from its own address, within 2 s") {
    handshake.on_req(at(0), kPeerAt, req_of(kPeer, 77), "", KeyId{});
    const SessionId session = sent<Acc>()->session;
    CHECK_FALSE(handshake.on_confirmed(session, box(3)));
    CHECK_FALSE(handshake.on_confirmed(SessionId{session.value + 1}, kPeerAt));

    SUBCASE("taken") {
        handshake.on_timeout(at(1999));
        const auto established = handshake.on_confirmed(session, kPeerAt);
        REQUIRE(established);
        CHECK(established->peer == kPeer);
        CHECK(established->own_session == session);
        CHECK(established->peer_session == SessionId{77});
        CHECK_FALSE(established->initiator);
        CHECK_FALSE(handshake.on_confirmed(session, kPeerAt));
    }
    SUBCASE("expired") {
        CHECK(handshake.next_deadline() == at(0) + Handshake::kSlotLife);
        handshake.on_timeout(at(0) + Handshake::kSlotLife);
        CHECK_FALSE(handshake.is_slot(session));
        CHECK_FALSE(handshake.on_confirmed(session, kPeerAt));
        CHECK_FALSE(handshake.next_deadline());
    }
}

TEST_CASE_FIXTURE(Fixture, "handshake: who asked and was answered is not asked back") {
    handshake.on_req(at(0), kPeerAt, req_of(kPeer, 77), "", KeyId{});
    CHECK(sent<Acc>());
    CHECK(handshake.is_pending(kPeer));
    handshake.initiate(at(1), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    CHECK(is_silent());
    handshake.on_timeout(at(0) + Handshake::kSlotLife);
    CHECK_FALSE(handshake.is_pending(kPeer));
    handshake.initiate(at(2001), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    CHECK(sent<Req>());
}

TEST_CASE_FIXTURE(Fixture, "handshake: slots are bounded and make room by expiring") {
    for (std::uint8_t i = 1; i <= Handshake::kSlotsMax; ++i) {
        CHECK(handshake.on_req(at(0), box(i), req_of(kPeer, i), "", KeyId{}) ==
              Handshake::ReqResult::Answered);
        CHECK(sent<Acc>(box(i)));
    }
    CHECK(handshake.on_req(at(1), box(200), req_of(kPeer, 1000), "", KeyId{}) ==
          Handshake::ReqResult::NoRoom);
    CHECK(is_silent());
    CHECK(handshake.on_req(at(1), box(1), req_of(kPeer, 1), "", KeyId{}) ==
          Handshake::ReqResult::Answered);
    CHECK(sent<Acc>(box(1)));
    handshake.on_timeout(at(0) + Handshake::kSlotLife);
    CHECK(handshake.on_req(at(2001), box(200), req_of(kPeer, 1000), "", KeyId{}) ==
          Handshake::ReqResult::Answered);
    CHECK(sent<Acc>(box(200)));
}

TEST_CASE_FIXTURE(Fixture, "handshake: one address fills 4 slots, by whatever names and ports") {
    for (std::uint16_t i = 1; i <= Handshake::kSlotsPerAddressMax; ++i) {
        CHECK(handshake.on_req(at(0), box(2, i), req_of(identity("x" + std::to_string(i), i, i), i),
                               "", KeyId{}) == Handshake::ReqResult::Answered);
        CHECK(sent<Acc>(box(2, i)));
    }
    CHECK(handshake.on_req(at(0), box(2, 99), req_of(identity("x99", 99, 99), 99), "", KeyId{}) ==
          Handshake::ReqResult::NoRoom);
    CHECK(is_silent());
    CHECK(handshake.peers().size() == Handshake::kSlotsPerAddressMax);
    CHECK(handshake.on_req(at(0), box(2, 1), req_of(identity("x1", 1, 1), 1), "", KeyId{}) ==
          Handshake::ReqResult::Answered);
    CHECK(sent<Acc>(box(2, 1)));
    CHECK(handshake.on_req(at(0), box(3), req_of(kPeer, 77), "", KeyId{}) ==
          Handshake::ReqResult::Answered);
    CHECK(sent<Acc>(box(3)));
}

TEST_CASE_FIXTURE(Fixture,
                  "handshake: a REQ of a restarted peer ends what its former start was asked") {
    const Identity small = identity("peer", 1, 10);
    const Identity restarted = identity("peer", 1, 11);
    handshake.initiate(at(0), small, kPeerAt, LinkReason::Fill, kCookie);
    CHECK(sent<Req>());
    CHECK(handshake.on_req(at(1), kPeerAt, req_of(restarted, 77), "", KeyId{}) ==
          Handshake::ReqResult::Answered);
    const auto acc = sent<Acc>();
    REQUIRE(acc);
    CHECK(acc->to == restarted.start);
    CHECK(acc->session);
    handshake.on_timeout(at(100));
    CHECK(is_silent());
    CHECK_FALSE(handshake.poll_failed());
    CHECK(handshake.peers().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "handshake: clear forgets initiations and slots") {
    handshake.initiate(at(0), kPeer, kPeerAt, LinkReason::Fill, kCookie);
    handshake.on_req(at(0), box(3), req_of(identity("third", 3, 30), 77), "", KeyId{});
    CHECK(handshake.peers().size() == 2);
    handshake.clear();
    CHECK(handshake.peers().size() == 0);
    CHECK_FALSE(handshake.next_deadline());
}

TEST_CASE_FIXTURE(Fixture, "handshake: no session id is given twice at a time") {
    std::vector<SessionId> ids;
    for (std::uint32_t i = 1; i <= Handshake::kSlotsMax; ++i) {
        const Endpoint from = box(static_cast<std::uint8_t>(i));
        handshake.on_req(at(0), from, req_of(identity("peer", 100 + i, 90), i), "", KeyId{});
        const auto acc = sent<Acc>(from);
        REQUIRE(acc);
        CHECK(acc->session);
        CHECK(handshake.is_session_used(acc->session));
        CHECK(std::find(ids.begin(), ids.end(), acc->session) == ids.end());
        ids.push_back(acc->session);
    }
}
