// SPDX-License-Identifier: Apache-2.0
#include "proto/links/neighbours.h"

#include <algorithm>

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// How long a heard node must be missing from the topology before it is bridged to: its record may
/// be on its way.
constexpr Duration kBridgeHold = milliseconds(400);
/// While something is left to do, look again this soon.
constexpr Duration kTickAgain = milliseconds(250);

}  // namespace

/// Links are few and handshakes bounded, so that this passes over few nodes that stay.
bool Neighbours::make_room() {
    for (auto oldest = by_last_heard_.begin(); oldest != by_last_heard_.end(); ++oldest) {
        const auto it = heard_.find(oldest->second);
        if (!it->second.is_linked_or_pending) {
            heard_.erase(it);
            by_last_heard_.erase(oldest);
            return true;
        }
    }
    return false;
}

bool Neighbours::on_heard(TimePoint now, const Identity& identity, const Endpoint& endpoint,
                          const std::optional<Cookie>& cookie) {
    auto it = heard_.find(identity.node);
    if (it == heard_.end()) {
        if (heard_.size() >= kHeardMax && !make_room()) {
            return false;
        }
        it = heard_.emplace(identity.node, HeardNode{}).first;
    }
    HeardNode& heard = it->second;
    by_last_heard_.erase({heard.last_heard, identity.node});
    by_last_heard_.emplace(now, identity.node);
    const bool is_new = heard.identity != identity;
    if (is_new) {
        heard = HeardNode{};
        heard.identity = identity;
    }
    heard.endpoint = endpoint;
    heard.last_heard = now;
    if (cookie) {
        heard.cookie = cookie;
        heard.cookie_at = now;
        if (heard.was_silent) {
            heard.avoid_until = now;
        }
    }
    return is_new;
}

void Neighbours::on_failed(TimePoint now, const NodeId& peer, bool refused) {
    const auto it = heard_.find(peer);
    if (it != heard_.end()) {
        it->second.avoid_until =
            now + (refused ? prng_->between(milliseconds(1000), milliseconds(3000))
                           : prng_->between(milliseconds(2000), milliseconds(5000)));
        it->second.cookie.reset();
        it->second.was_silent = !refused;
    }
    on_change(now, false);
}

void Neighbours::on_change(TimePoint now, bool urgent) {
    const TimePoint at = urgent ? now : now + prng_->between(milliseconds(20), milliseconds(200));
    if (!tick_at_ || at < *tick_at_) {
        tick_at_ = at;
    }
}

Neighbours::Want Neighbours::want(TimePoint now, const HeardNode& heard, LinkReason reason) const {
    const bool fresh = heard.cookie && now - heard.cookie_at < kCookieLife;
    return {heard.identity, heard.endpoint, reason, fresh ? heard.cookie : std::nullopt};
}

std::optional<Neighbours::Want> Neighbours::choose_fill(TimePoint now, const Facts& facts,
                                                        const std::vector<Want>& chosen) {
    std::vector<const HeardNode*> candidates;
    for (const auto& entry : heard_) {
        const NodeId& node = entry.first;
        const HeardNode& heard = entry.second;
        const bool taken = std::any_of(chosen.begin(), chosen.end(),
                                       [&](const Want& w) { return w.peer.node == node; });
        if (!taken && now >= heard.avoid_until && !facts.is_linked_or_pending(node)) {
            candidates.push_back(&heard);
        }
    }
    if (candidates.empty()) {
        return std::nullopt;
    }
    // The lower degree of two random candidates evens degrees out (Mitzenmacher, "The Power of Two
    // Choices", 2001).
    const HeardNode* first = candidates[prng_->below(candidates.size())];
    const HeardNode* second = candidates[prng_->below(candidates.size())];
    const bool second_has_fewer =
        facts.degree(second->identity.node) < facts.degree(first->identity.node);
    return want(now, second_has_fewer ? *second : *first, LinkReason::Fill);
}

std::optional<Neighbours::Want> Neighbours::choose_bridge(TimePoint now, const Facts& facts) {
    std::vector<const HeardNode*> apart;
    for (auto& [node, heard] : heard_) {
        if (facts.is_reachable(node)) {
            heard.unreachable_since.reset();
            continue;
        }
        if (!heard.unreachable_since) {
            heard.unreachable_since = now;
        }
        const bool held = facts.links == 0 || now - *heard.unreachable_since >= kBridgeHold;
        if (held && now >= heard.avoid_until && !facts.is_linked_or_pending(node)) {
            apart.push_back(&heard);
        }
    }
    if (apart.empty() || facts.bridge_pending || facts.links >= options_.bridges_max) {
        bridge_at_.reset();
        return std::nullopt;
    }
    // Everybody on this side sees the same gap; who is first closes it for all.
    if (!bridge_at_) {
        const Duration spread = std::min<Duration>(
            std::chrono::seconds(1), milliseconds(50) + heard_.size() * milliseconds(2));
        bridge_at_ = now + milliseconds(150) + prng_->between(Duration{}, spread);
    }
    if (now < *bridge_at_) {
        return std::nullopt;
    }
    bridge_at_.reset();
    return want(now, *apart[prng_->below(apart.size())], LinkReason::Bridge);
}

std::vector<Neighbours::Want> Neighbours::on_timeout(TimePoint now, const Facts& facts) {
    if (!tick_at_ || now < *tick_at_) {
        return {};
    }
    tick_at_.reset();
    for (auto it = heard_.begin(); it != heard_.end();) {
        const auto current = it++;
        auto& [node, heard] = *current;
        heard.is_linked_or_pending = facts.is_linked_or_pending(node);
        if (now - heard.last_heard > options_.heard_for && !heard.is_linked_or_pending) {
            by_last_heard_.erase({heard.last_heard, node});
            heard_.erase(current);
        }
    }
    std::vector<Want> wants;
    const std::size_t target =
        is_full_mesh() ? heard_.size() : std::min(kTarget, options_.max_peers);
    while (facts.links + facts.pending + wants.size() < target) {
        auto fill = choose_fill(now, facts, wants);
        if (!fill) {
            break;
        }
        wants.push_back(std::move(*fill));
    }
    bool waiting = facts.links + facts.pending + wants.size() < target;
    if (wants.empty()) {
        if (auto bridge = choose_bridge(now, facts)) {
            wants.push_back(std::move(*bridge));
        }
        waiting = waiting || bridge_at_.has_value() ||
                  std::any_of(heard_.begin(), heard_.end(), [](const auto& entry) {
                      return entry.second.unreachable_since.has_value();
                  });
    }
    if (waiting || !wants.empty()) {
        tick_at_ = now + kTickAgain;
        if (bridge_at_ && *bridge_at_ < *tick_at_) {
            tick_at_ = std::max(*bridge_at_, now + milliseconds(1));
        }
    }
    return wants;
}

bool Neighbours::accepts(LinkReason reason, std::size_t links, bool requester_reachable) const {
    const std::size_t target = std::min(kTarget, options_.max_peers);
    switch (reason) {
        case LinkReason::Fill:
            return links <
                   (is_full_mesh() ? options_.max_peers : std::min(kSoftMax, options_.max_peers));
        case LinkReason::Ring:
            return links < options_.max_peers;
        case LinkReason::Bridge:
            if (requester_reachable) {
                return links < target;
            }
            return links < options_.bridges_max;
    }
    return false;
}

const HeardNode* Neighbours::find(const NodeId& node) const {
    const auto it = heard_.find(node);
    return it == heard_.end() ? nullptr : &it->second;
}

}  // namespace meshd
