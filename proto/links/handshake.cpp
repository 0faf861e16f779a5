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
        initiation.state = State::ReqSent;
        initiation.cookie = *cookie;
    }
    send_current(now, initiation);
}

void Handshake::send_current(TimePoint now, Initiation& initiation) {
    initiation.next_at = now + std::chrono::milliseconds(100) * (1U << initiation.attempts);
    initiation.attempts += 1;
    if (initiation.state == State::HelloSent) {
        messages_.push_back({initiation.endpoint, hello()});
        for (const Endpoint& other : initiation.extras.others) {
            messages_.push_back({other, hello()});
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
    messages_.push_back({initiation.endpoint, req});
}

void Handshake::apply(TimePoint now, std::map<NodeId, Initiation>::iterator it, Input input,
                      const Offer* offer, const Acc* acc) {
    Initiation& initiation = it->second;
    switch (step(initiation.state, input, initiation.attempts > kAttemptsMax)) {
        case Action::Ignore:
            return;
        case Action::SendReq:
            initiation.state = State::ReqSent;
            initiation.peer = offer->from;
            initiation.cookie = offer->cookie;
            initiation.attempts = 0;
            send_current(now, initiation);
            return;
        case Action::Establish:
            established_.push_back(
                {initiation.peer, initiation.endpoint, initiation.session, acc->session, true});
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

void Handshake::on_offer(TimePoint now, const Endpoint& from, const Offer& offer) {
    const auto it = initiations_.find(offer.from.node);
    if (it == initiations_.end()) {
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

void Handshake::on_acc(TimePoint now, const Endpoint& from, const Acc& acc) {
    const auto it = initiations_.find(acc.from.node);
    // An ACC of another start of that node answers a REQ that this one never got.
    if (it == initiations_.end() || !it->second.endpoint.same_address(from) ||
        it->second.peer != acc.from) {
        return;
    }
    apply(now, it, acc.refused.empty() ? Input::Accepted : Input::Refused, nullptr, &acc);
}

bool Handshake::has_room_for(const Endpoint& from) const {
    const auto of_address = std::count_if(slots_.begin(), slots_.end(), [&](const auto& entry) {
        return entry.second.endpoint.address == from.address;
    });
    return slots_.size() < kSlotsMax && static_cast<std::size_t>(of_address) < kSlotsPerAddressMax;
}

bool Handshake::on_req(TimePoint now, const Endpoint& from, const Req& req,
                       const std::string& refusal) {
    Acc acc;
    acc.from = self_;
    acc.to = req.from.start;
    if (!refusal.empty()) {
        acc.refused = refusal;
        messages_.push_back({from, acc});
        return true;
    }
    const auto crossing = initiations_.find(req.from.node);
    if (crossing != initiations_.end()) {
        // A REQ to a former start of the peer is never answered: it must not win.
        const bool won = crossing->second.peer == req.from && own_req_wins(self_, req.from);
        const bool ignore = crossing->second.state == State::ReqSent && won;
        apply(now, crossing, won ? Input::CrossingWon : Input::CrossingLost, nullptr, nullptr);
        if (ignore) {
            return true;
        }
    }
    auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const auto& entry) {
        return entry.second.peer == req.from && entry.second.peer_session == req.session &&
               entry.second.endpoint == from;
    });
    if (slot == slots_.end()) {
        if (!has_room_for(from)) {
            return false;
        }
        const SessionId id = draw_session();
        slot = slots_.emplace(id, Slot{req.from, from, id, req.session, now + kSlotLife}).first;
    }
    acc.session = slot->second.own_session;
    messages_.push_back({from, acc});
    return true;
}

std::optional<Established> Handshake::on_confirmed(SessionId session, const Endpoint& from) {
    const auto it = slots_.find(session);
    if (it == slots_.end() || it->second.endpoint != from) {
        return std::nullopt;
    }
    const Slot& slot = it->second;
    Established established{slot.peer, slot.endpoint, slot.own_session, slot.peer_session, false};
    slots_.erase(it);
    return established;
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

bool Handshake::is_pending(const Identity& peer) const {
    const auto initiation = initiations_.find(peer.node);
    return (initiation != initiations_.end() && initiation->second.peer == peer) ||
           std::any_of(slots_.begin(), slots_.end(),
                       [&](const auto& entry) { return entry.second.peer == peer; });
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
