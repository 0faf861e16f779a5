// SPDX-License-Identifier: Apache-2.0
/// \file
/// From "I have heard of it" to a session on both ends: HELLO, OFFER, REQ, ACC, CONF
/// (PROTOCOL.md, "Handshake", has the state tables). Both roles: initiations, which ask, and slots,
/// which answered a REQ and wait 2 s for the first datagram of the session.
///
/// Invariants: nothing is remembered of a HELLO; a slot exists only behind a valid cookie; of two
/// crossing REQs exactly one survives, the one of the greater instance id; initiations and slots
/// count as links against the caps, so that neither side exceeds them by asking twice; a handshake
/// stays under the key (or in the open) under which it began.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/crypto/keyring.h"
#include "proto/crypto/noise.h"
#include "proto/links/cookie.h"
#include "proto/wire/features.h"
#include "proto/wire/limits.h"
#include "proto/wire/message.h"

namespace meshd {

/// A message outside any session.
struct OutsideMessage {
    Endpoint to;
    Message message;
    KeyId seal;  ///< the mesh key to seal it with; 0 = open
};

/// Both ends have agreed on a session; a link can be made of it.
struct Established {
    Identity peer;
    Endpoint endpoint;
    SessionId own_session;
    SessionId peer_session;
    bool initiator = false;  ///< has to send CONF
    KeyId seal{};            ///< the mesh key that the handshake was sealed with; 0 = open
    std::optional<SessionKeys> keys{};  ///< where sealed
    std::uint32_t features = 0;         ///< of the peer
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
    std::vector<Endpoint> others{};
    /// The mesh key to ask under; 0 = in the open.
    KeyId seal{};
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

    /// `ring` outlives this.
    Handshake(Identity self, std::string mesh, std::uint32_t features, const Keyring& ring,
              Prng& prng)
        : self_(std::move(self)),
          mesh_(std::move(mesh)),
          features_(features),
          ring_(&ring),
          prng_(&prng) {}

    /// Asks `peer` for a link; with a fresh cookie straight by REQ, else by HELLO.
    void initiate(TimePoint now, const Identity& peer, const Endpoint& endpoint, LinkReason reason,
                  const std::optional<Cookie>& cookie, InitiationExtras extras = {});
    /// Forgets the initiation with `peer`, if there is one.
    void abandon(const NodeId& peer) { initiations_.erase(peer); }
    /// `seal` here and below: the mesh key that the message came sealed with, 0 = open.
    void on_offer(TimePoint now, const Endpoint& from, const Offer& offer, KeyId seal);
    /// True where it ended the handshake as refused for the name's sake.
    bool on_acc(TimePoint now, const Endpoint& from, const Acc& acc, KeyId seal);
    enum class ReqResult : std::uint8_t {
        Answered,
        NoRoom,    ///< for a slot
        BadNoise,  ///< no Noise message of a holder of the key, or one where none belongs
    };
    /// A REQ with a valid cookie. `refusal` non-empty: answered with that; nothing is kept.
    ReqResult on_req(TimePoint now, const Endpoint& from, const Req& req,
                     const std::string& refusal, KeyId seal);
    /// A valid session datagram for a slot: takes the slot and returns what it has become.
    std::optional<Established> on_confirmed(SessionId session, const Endpoint& from);
    void on_timeout(TimePoint now);
    /// Forgets everything half-done.
    void clear();
    /// Forgets what is half-done under keys (0 = in the open) for which `is_void` says so.
    void drop_if(const std::function<bool(KeyId seal)>& is_void);

    /// In either role: to ask who has just been answered would make a second session.
    bool is_pending(const Identity& peer) const;
    bool is_bridge_pending() const;
    bool is_slot(SessionId session) const { return slots_.count(session) != 0; }
    /// What opens datagrams for a slot; nullptr where it is open.
    const SealKey* slot_key(SessionId session) const;
    /// Adds the sessions of all slots.
    void list_slots(std::vector<SessionId>& sessions) const;
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
        /// Of the REQ that is out, where it is sealed.
        std::optional<NoiseInitiator> noise;
        NoiseMessage noise_message{};
    };
    struct Slot {
        Identity peer;
        Endpoint endpoint;
        SessionId own_session;
        SessionId peer_session;
        TimePoint expires;
        KeyId seal;
        std::optional<NoiseResponder::Answer> noise;
        std::uint32_t features = 0;
    };

    void send_current(TimePoint now, Initiation& initiation);
    void begin_req(Initiation& initiation);
    bool answer_noise(const Req& req, const MeshKey& key, Slot& slot);
    void establish(const Initiation& initiation, const Acc& acc);
    void apply(TimePoint now, std::map<NodeId, Initiation>::iterator it, Input input,
               const Offer* offer, const Acc* acc);
    SessionId draw_session();
    bool has_room_for(const Endpoint& from) const;

    Identity self_;
    std::string mesh_;
    std::uint32_t features_;
    const Keyring* ring_;
    Prng* prng_;
    std::map<NodeId, Initiation> initiations_;
    std::map<SessionId, Slot> slots_;
    std::vector<OutsideMessage> messages_;
    std::vector<Established> established_;
    std::vector<InitiationFailed> failed_;
};

}  // namespace meshd
