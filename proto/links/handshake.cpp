// SPDX-License-Identifier: Apache-2.0
#include "proto/links/handshake.h"

#include <algorithm>

#include "proto/base/assert.h"

namespace meshd {
namespace {

template <class T>
std::optional<T> take_last(std::vector<T>& from) {
    if (from.empty()) {
        return std::nullopt;
    }
    T last = std::move(from.back());
    from.pop_back();
    return last;
}

/// What both ends of a sealed handshake must agree on: who speaks with whom, in which mesh and
/// version, and under which session.
Buffer prologue_of(std::string_view mesh, std::uint8_t version, const Identity& initiator,
                   const Identity& responder, SessionId session) {
    Buffer bytes;
    const auto add_text = [&](std::string_view text) {
        append_big_endian<1>(bytes, text.size());
        append(bytes, text);
    };
    add_text("meshd");
    append_big_endian<1>(bytes, version);
    add_text(mesh);
    for (const Identity* who : {&initiator, &responder}) {
        add_text(who->node.text());
        append_big_endian<8>(bytes, who->instance.value);
        append_big_endian<8>(bytes, who->start.value);
    }
    append_big_endian<4>(bytes, session.value);
    return bytes;
}

/// The random choice alone could not agree: both ends must let the same REQ survive.
bool own_req_wins(const Identity& self, const Identity& peer) {
    return self.instance != peer.instance ? self.instance > peer.instance : self.start > peer.start;
}

}  // namespace

Handshake::Action Handshake::step(State state, Input input, bool last_attempt) {
    switch (state) {
        case State::HelloSent:
            switch (input) {
                case Input::Offer:
                    return Action::SendReq;
                case Input::Accepted:
                    return Action::Ignore;
                case Input::Refused:
                    return Action::Ignore;
                case Input::CrossingWon:
                    return Action::Abandon;
                case Input::CrossingLost:
                    return Action::Abandon;
                case Input::Timeout:
                    return last_attempt ? Action::Fail : Action::Repeat;
            }
            break;
        case State::ReqSent:
            switch (input) {
                case Input::Offer:
                    return Action::Ignore;
                case Input::Accepted:
                    return Action::Establish;
                case Input::Refused:
                    return Action::Fail;
                case Input::CrossingWon:
                    return Action::Ignore;
                case Input::CrossingLost:
                    return Action::Abandon;
                case Input::Timeout:
                    return last_attempt ? Action::Fail : Action::Repeat;
            }
            break;
    }
    MESHD_ASSERT(false);
}

Hello Handshake::hello() const {
    Hello hello;
    hello.version_min = limits::kVersionMin;
    hello.version_max = limits::kVersionMax;
    hello.features = features_;
    hello.mesh = mesh_;
    hello.from = self_;
    return hello;
}

SessionId Handshake::draw_session() {
    SessionId id;
    do {
        id.value = static_cast<std::uint32_t>(prng_->next());
    } while (!id || is_session_used(id));
    return id;
}

void Handshake::initiate(TimePoint now, const Identity& peer, const Endpoint& endpoint,
                         LinkReason reason, const std::optional<Cookie>& cookie,
                         InitiationExtras extras) {
    if (is_pending(peer)) {
        return;
    }
    Initiation& initiation = initiations_[peer.node] = Initiation{};
    initiation.peer = peer;
    initiation.endpoint = endpoint;
    initiation.reason = reason;
    initiation.extras = std::move(extras);
    initiation.session = draw_session();
    if (cookie) {
        initiation.cookie = *cookie;
        begin_req(initiation);
    }
    send_current(now, initiation);
}

/// A new REQ under a new ephemeral key; its repetitions are the same bytes.
void Handshake::begin_req(Initiation& initiation) {
    initiation.state = State::ReqSent;
    const MeshKey* key = ring_->find(initiation.extras.seal);
    if (key != nullptr) {
        initiation.noise.emplace(
            psk_of(*key),
            prologue_of(mesh_, limits::kVersionMax, self_, initiation.peer, initiation.session),
            *prng_);
        initiation.noise_message = initiation.noise->write();
    }
}

void Handshake::send_current(TimePoint now, Initiation& initiation) {
    initiation.next_at = now + std::chrono::milliseconds(100) * (1U << initiation.attempts);
    initiation.attempts += 1;
    if (initiation.state == State::HelloSent) {
        messages_.push_back({initiation.endpoint, hello(), initiation.extras.seal});
        for (const Endpoint& other : initiation.extras.others) {
            messages_.push_back({other, hello(), initiation.extras.seal});
        }
        return;
    }
    Req req;
    req.version = limits::kVersionMax;
    req.mesh = mesh_;
    req.from = self_;
    req.to = initiation.peer.start;
    req.cookie = initiation.cookie;
    req.session = initiation.session;
    req.reason = initiation.reason;
    req.is_forced = initiation.extras.is_forced;
    req.features = features_;
    if (initiation.noise) {
        req.noise = initiation.noise_message;
    }
    messages_.push_back({initiation.endpoint, req, initiation.extras.seal});
}

void Handshake::establish(const Initiation& initiation, const Acc& acc) {
    Established established{initiation.peer, initiation.endpoint, initiation.session, acc.session,
                            true};
    established.seal = initiation.extras.seal;
    established.features = acc.features;
    if (initiation.noise) {
        established.keys = initiation.noise->read(*acc.noise);
    }
    established_.push_back(std::move(established));
}

void Handshake::apply(TimePoint now, std::map<NodeId, Initiation>::iterator it, Input input,
                      const Offer* offer, const Acc* acc) {
    Initiation& initiation = it->second;
    switch (step(initiation.state, input, initiation.attempts > kAttemptsMax)) {
        case Action::Ignore:
            return;
        case Action::SendReq:
            initiation.peer = offer->from;
            initiation.cookie = offer->cookie;
            initiation.attempts = 0;
            begin_req(initiation);
            send_current(now, initiation);
            return;
        case Action::Establish:
            establish(initiation, *acc);
            initiations_.erase(it);
            return;
        case Action::Fail:
            failed_.push_back({it->first, input == Input::Refused});
            initiations_.erase(it);
            return;
        case Action::Abandon:
            initiations_.erase(it);
            return;
        case Action::Repeat:
            send_current(now, initiation);
            return;
    }
}

void Handshake::on_offer(TimePoint now, const Endpoint& from, const Offer& offer, KeyId seal) {
    const auto it = initiations_.find(offer.from.node);
    if (it == initiations_.end() || it->second.extras.seal != seal) {
        return;
    }
    const auto& others = it->second.extras.others;
    const bool is_other = it->second.state == State::HelloSent &&
                          std::any_of(others.begin(), others.end(), [&](const Endpoint& other) {
                              return other.same_address(from);
                          });
    if (!is_other && !it->second.endpoint.same_address(from)) {
        return;
    }
    it->second.endpoint = from;
    if (it->second.state == State::ReqSent && it->second.peer != offer.from) {
        // Our REQ is for a former start and will never be answered.
        initiations_.erase(it);
        return;
    }
    apply(now, it, Input::Offer, &offer, nullptr);
}

bool Handshake::on_acc(TimePoint now, const Endpoint& from, const Acc& acc, KeyId seal) {
    const auto it = initiations_.find(acc.from.node);
    // An ACC of another start of that node answers a REQ that this one never got, and one of
    // another session an earlier REQ: a recording, which must not end this one.
    if (it == initiations_.end() || !it->second.endpoint.same_address(from) ||
        it->second.peer != acc.from || it->second.extras.seal != seal ||
        it->second.session != acc.asked) {
        return false;
    }
    const auto& noise = it->second.noise;
    // What is no answer to the own message must not end the handshake: the right one may come.
    if (acc.refused.empty() && noise.has_value() != acc.noise.has_value()) {
        return false;
    }
    if (noise && acc.refused.empty() && !noise->read(*acc.noise)) {
        return false;
    }
    const bool is_name = it->second.state == State::ReqSent && acc.refused == "name";
    apply(now, it, acc.refused.empty() ? Input::Accepted : Input::Refused, nullptr, &acc);
    return is_name;
}

bool Handshake::has_room_for(const Endpoint& from) const {
    const auto of_address = std::count_if(slots_.begin(), slots_.end(), [&](const auto& entry) {
        return entry.second.endpoint.address == from.address;
    });
    return slots_.size() < kSlotsMax && static_cast<std::size_t>(of_address) < kSlotsPerAddressMax;
}

bool Handshake::answer_noise(const Req& req, const MeshKey& key, Slot& slot) {
    NoiseResponder noise(psk_of(key), prologue_of(mesh_, req.version, req.from, self_, req.session),
                         *prng_);
    if (!noise.read(*req.noise)) {
        return false;
    }
    slot.noise = noise.write();
    return true;
}

Handshake::ReqResult Handshake::on_req(TimePoint now, const Endpoint& from, const Req& req,
                                       const std::string& refusal, KeyId seal) {
    if (static_cast<bool>(seal) != req.noise.has_value() ||
        (seal && ring_->find(seal) == nullptr)) {
        return ReqResult::BadNoise;
    }
    Acc acc;
    acc.from = self_;
    acc.to = req.from.start;
    acc.asked = req.session;
    if (!refusal.empty()) {
        acc.refused = refusal;
        messages_.push_back({from, acc, seal});
        return ReqResult::Answered;
    }
    const auto crossing = initiations_.find(req.from.node);
    if (crossing != initiations_.end()) {
        // A REQ to a former start of the peer is never answered: it must not win.
        const bool won = crossing->second.peer == req.from && own_req_wins(self_, req.from);
        const bool ignore = crossing->second.state == State::ReqSent && won;
        apply(now, crossing, won ? Input::CrossingWon : Input::CrossingLost, nullptr, nullptr);
        if (ignore) {
            return ReqResult::Answered;
        }
    }
    auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const auto& entry) {
        return entry.second.peer == req.from && entry.second.peer_session == req.session &&
               entry.second.endpoint == from && entry.second.seal == seal;
    });
    if (slot == slots_.end()) {
        if (!has_room_for(from)) {
            return ReqResult::NoRoom;
        }
        const SessionId id = draw_session();
        Slot fresh{req.from, from, id, req.session, now + kSlotLife, seal, {}, req.features};
        if (seal && !answer_noise(req, *ring_->find(seal), fresh)) {
            return ReqResult::BadNoise;
        }
        slot = slots_.emplace(id, std::move(fresh)).first;
    }
    acc.session = slot->second.own_session;
    acc.features = features_;
    if (slot->second.noise) {
        acc.noise = slot->second.noise->message;
    }
    messages_.push_back({from, acc, seal});
    return ReqResult::Answered;
}

std::optional<Established> Handshake::on_confirmed(SessionId session, const Endpoint& from) {
    const auto it = slots_.find(session);
    if (it == slots_.end() || it->second.endpoint != from) {
        return std::nullopt;
    }
    const Slot& slot = it->second;
    Established established{slot.peer, slot.endpoint, slot.own_session, slot.peer_session, false};
    established.seal = slot.seal;
    established.features = slot.features;
    if (slot.noise) {
        established.keys = slot.noise->keys;
    }
    slots_.erase(it);
    return established;
}

const SealKey* Handshake::slot_key(SessionId session) const {
    const auto it = slots_.find(session);
    return it == slots_.end() || !it->second.noise ? nullptr : &it->second.noise->keys.receive;
}

void Handshake::on_timeout(TimePoint now) {
    for (auto it = initiations_.begin(); it != initiations_.end();) {
        const auto current = it++;
        if (current->second.next_at <= now) {
            apply(now, current, Input::Timeout, nullptr, nullptr);
        }
    }
    std::erase_if(slots_, [now](const auto& entry) { return entry.second.expires <= now; });
}

void Handshake::clear() {
    initiations_.clear();
    slots_.clear();
}

void Handshake::drop_if(const std::function<bool(KeyId seal)>& is_void) {
    std::erase_if(initiations_,
                  [&](const auto& entry) { return is_void(entry.second.extras.seal); });
    std::erase_if(slots_, [&](const auto& entry) { return is_void(entry.second.seal); });
}

bool Handshake::is_pending(const Identity& peer) const {
    const auto initiation = initiations_.find(peer.node);
    return (initiation != initiations_.end() && initiation->second.peer == peer) ||
           std::any_of(slots_.begin(), slots_.end(),
                       [&](const auto& entry) { return entry.second.peer == peer; });
}

void Handshake::list_slots(std::vector<SessionId>& sessions) const {
    for (const auto& [session, slot] : slots_) {
        sessions.push_back(session);
    }
}

bool Handshake::is_bridge_pending() const {
    return std::any_of(initiations_.begin(), initiations_.end(),
                       [](const auto& entry) { return entry.second.reason == LinkReason::Bridge; });
}

bool Handshake::is_session_used(SessionId session) const {
    return slots_.count(session) != 0 ||
           std::any_of(initiations_.begin(), initiations_.end(),
                       [&](const auto& entry) { return entry.second.session == session; });
}

std::vector<Identity> Handshake::peers() const {
    std::vector<Identity> peers;
    for (const auto& [node, initiation] : initiations_) {
        peers.push_back(initiation.peer);
    }
    for (const auto& [id, slot] : slots_) {
        peers.push_back(slot.peer);
    }
    return peers;
}

std::optional<OutsideMessage> Handshake::poll_message() {
    return take_last(messages_);
}
std::optional<Established> Handshake::poll_established() {
    return take_last(established_);
}
std::optional<InitiationFailed> Handshake::poll_failed() {
    return take_last(failed_);
}

std::optional<TimePoint> Handshake::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [node, initiation] : initiations_) {
        next = next ? std::min(*next, initiation.next_at) : initiation.next_at;
    }
    for (const auto& [id, slot] : slots_) {
        next = next ? std::min(*next, slot.expires) : slot.expires;
    }
    return next;
}

}  // namespace meshd
