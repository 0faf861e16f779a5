// SPDX-License-Identifier: Apache-2.0
/// \file
/// From "I have heard of it" to a session on both ends: HELLO, OFFER, REQ, ACC, CONF
/// (PROTOCOL.md, "Handshake", has the state tables). Both roles: initiations, which ask, and slots,
/// which answered a REQ and wait 2 s for the first datagram of the session.
///
/// Invariants: nothing is remembered of a HELLO; a slot exists only behind a valid cookie; of two
/// crossing REQs exactly one survives, the one of the greater instance id; initiations and slots
/// count as links against the caps, so that neither side exceeds them by asking twice.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/links/cookie.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// A message outside any session.
struct OutsideMessage {
    Endpoint to;
    Message message;
};

/// Both ends have agreed on a session; a link can be made of it.
struct Established {
    Identity peer;
    Endpoint endpoint;
    SessionId own_session;
    SessionId peer_session;
    bool initiator = false;  ///< has to send CONF
};

/// An initiation came to nothing.
struct InitiationFailed {
    NodeId peer;
    bool refused = false;  ///< else nobody answered
};

/// What an initiation may have besides.
struct InitiationExtras {
    /// Of the REQ: the asker is refused by others.
    bool is_forced = false;
    /// Other ways to the peer: HELLOs go there too, and the first OFFER decides.
    std::vector<Endpoint> others;
};

class Handshake {
  public:
    enum class State : std::uint8_t { HelloSent, ReqSent };
    enum class Input : std::uint8_t {
        Offer,
        Accepted,
        Refused,
        CrossingWon,
        CrossingLost,
        Timeout
    };
    enum class Action : std::uint8_t { Ignore, SendReq, Establish, Fail, Abandon, Repeat };
    /// The initiator's whole table; `last_attempt`: the Timeout input finds no attempts left.
    static Action step(State state, Input input, bool last_attempt);

    /// Longer than two round trips of a bad uplink; a slot costs only memory, and few at once.
    static constexpr Duration kSlotLife = std::chrono::seconds(2);
    /// Half-open slots: more than a node may have links, less than would matter as memory.
    static constexpr std::size_t kSlotsMax = 64;
    /// Of one address: a slot lives for a round trip, so that a host of several nodes gets by, and
    /// who collects cookies cannot fill the table alone.
    static constexpr std::size_t kSlotsPerAddressMax = 4;
    /// Repetitions after 100, 200, 400 and 800 ms; then it failed.
    static constexpr unsigned kAttemptsMax = 4;

    Handshake(Identity self, std::string mesh, Prng& prng)
        : self_(std::move(self)), mesh_(std::move(mesh)), prng_(&prng) {}

    /// Asks `peer` for a link; with a fresh cookie straight by REQ, else by HELLO.
    void initiate(TimePoint now, const Identity& peer, const Endpoint& endpoint, LinkReason reason,
                  const std::optional<Cookie>& cookie, InitiationExtras extras = {});
    /// Forgets the initiation with `peer`, if there is one.
    void abandon(const NodeId& peer) { initiations_.erase(peer); }
    void on_offer(TimePoint now, const Endpoint& from, const Offer& offer);
    void on_acc(TimePoint now, const Endpoint& from, const Acc& acc);
    /// A REQ with a valid cookie. `refusal` non-empty: answered with that; nothing is kept. False
    /// where there is no room for a slot: it gets no answer.
    bool on_req(TimePoint now, const Endpoint& from, const Req& req, const std::string& refusal);
    /// A valid session datagram for a slot: takes the slot and returns what it has become.
    std::optional<Established> on_confirmed(SessionId session, const Endpoint& from);
    void on_timeout(TimePoint now);
    /// Forgets everything half-done.
    void clear();

    /// In either role: to ask who has just been answered would make a second session.
    bool is_pending(const Identity& peer) const;
    bool is_bridge_pending() const;
    bool is_slot(SessionId session) const { return slots_.count(session) != 0; }
    bool is_session_used(SessionId session) const;
    /// Other ends of initiations and slots; one may be there twice.
    std::vector<Identity> peers() const;

    std::optional<OutsideMessage> poll_message();
    std::optional<Established> poll_established();
    std::optional<InitiationFailed> poll_failed();
    std::optional<TimePoint> next_deadline() const;

    Hello hello() const;

  private:
    struct Initiation {
        State state = State::HelloSent;
        Identity peer;
        Endpoint endpoint;
        LinkReason reason = LinkReason::Fill;
        Cookie cookie{};
        InitiationExtras extras;
        SessionId session;
        unsigned attempts = 0;
        TimePoint next_at;
    };
    struct Slot {
        Identity peer;
        Endpoint endpoint;
        SessionId own_session;
        SessionId peer_session;
        TimePoint expires;
    };

    void send_current(TimePoint now, Initiation& initiation);
    void apply(TimePoint now, std::map<NodeId, Initiation>::iterator it, Input input,
               const Offer* offer, const Acc* acc);
    SessionId draw_session();
    bool has_room_for(const Endpoint& from) const;

    Identity self_;
    std::string mesh_;
    Prng* prng_;
    std::map<NodeId, Initiation> initiations_;
    std::map<SessionId, Slot> slots_;
    std::vector<OutsideMessage> messages_;
    std::vector<Established> established_;
    std::vector<InitiationFailed> failed_;
};

}  // namespace meshd
