// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

/// While something is on its way: keys to peers, links to another key.
constexpr Duration kKeysInterval = std::chrono::milliseconds(500);
/// A peer that does not take a key (its disk is full) is given it again so often.
constexpr Duration kGrantInterval = std::chrono::seconds(10);
constexpr Duration kRingInterval = std::chrono::seconds(10);
/// Rotations that a box may have missed. A member that grants what nobody made gets no further at
/// once, so that generations do not come to their end.
constexpr std::uint32_t kGenerationLeapMax = 64;
/// A new key rests for so long: by then a node that has just started knows whom it has to wait for.
constexpr Duration kActivationHold = std::chrono::seconds(5);
/// A session's key lives a day, and up to an hour more, so that links do not all change at once.
constexpr Duration kSessionLife = std::chrono::hours(24);
constexpr Duration kSessionJitter = std::chrono::hours(1);

bool holds(const SecurityClaim& claim, KeyId key) {
    return std::binary_search(claim.keys.begin(), claim.keys.end(), key);
}

}  // namespace

void Node::Impl::handle_security(Now now, SecurityMode mode, Keyring ring) {
    at(now);
    const bool was_silent = sealing_.is_silent();
    const KeyId former = sealing_.active();
    if (sealing_.ring().newest_generation() != ring.newest_generation()) {
        newest_key_since_ = now.monotonic;
    }
    sealing_.set(mode, std::move(ring));
    ring_wanted_at_.reset();
    handshake_.drop_if([this](KeyId seal) { return !sealing_.is_usable(seal); });
    std::vector<NodeId> ended;
    for (auto& [peer, link] : links_) {
        if (sealing_.is_usable(link.seal())) {
            link.keys_granted_at.reset();
            continue;
        }
        link.egress.send(share_message(Close{CloseReason::Replaced}), TrafficClass::Control, false);
        while (auto bytes = link.poll_datagram(now.monotonic)) {
            transmits_.push_back({link.endpoint(), false, std::move(*bytes)});
        }
        ended.push_back(peer);
    }
    for (const NodeId& peer : ended) {
        close_link(now.monotonic, peer);
    }
    keys_due_ = now.monotonic;
    publish_node_soon(now.monotonic);
    if ((was_silent || former != sealing_.active()) && !has_left_ && !leaving_) {
        discovery_.start(now.monotonic);
    }
    settle(now);
}

/// What a node was heard under outside a link.
void Node::Impl::note_seal(TimePoint now, const NodeId& node, KeyId seal) {
    const MeshKey* key = sealing_.ring().find(seal);
    neighbours_.on_seal(now, node, seal, key != nullptr ? key->generation : 0);
}

/// Under what to ask a node: as it was heard last, else as whoever is not known.
KeyId Node::Impl::seal_for(const NodeId& node) const {
    const HeardNode* heard = neighbours_.find(node);
    if (heard != nullptr && sealing_.is_usable(heard->seal)) {
        return heard->seal;
    }
    return sealing_.active();
}

SecurityClaim Node::Impl::security_claim() const {
    SecurityClaim claim;
    claim.mode = sealing_.mode();
    if (claim.mode == SecurityMode::Open) {
        return claim;
    }
    claim.active = sealing_.ring().active;
    for (const MeshKey& key : sealing_.ring().keys) {
        claim.keys.push_back(key_id(key));
    }
    std::sort(claim.keys.begin(), claim.keys.end());
    return claim;
}

SecurityView Node::Impl::security_view(TimePoint now) const {
    SecurityView view;
    view.mode = sealing_.mode();
    view.active = sealing_.active();
    for (const MeshKey& key : sealing_.ring().keys) {
        view.keys.push_back(key_id(key));
    }
    view.is_silent = sealing_.is_silent();
    for (const auto& [peer, link] : links_) {
        (link.seal() ? view.links_sealed : view.links_open) += 1;
    }
    for (const auto& [node, member] : membership_.members()) {
        const HeldRecord* held = store_.node_record(node);
        if (held == nullptr || member.status == NodeStatus::Left) {
            continue;
        }
        const SecurityClaim& claim = held->record.node->security;
        if (!view.keys.empty() && !holds(claim, view.keys.back())) {
            view.without_newest.push_back(node);
        }
        if (claim.mode != SecurityMode::Sealed && member.status == NodeStatus::Alive) {
            view.not_sealed.push_back(node);
        }
    }
    for (const Sealing::Foreigner& one : sealing_.foreigners(now)) {
        view.foreigners.push_back({one.from, one.hint != 0, now - one.last_heard});
    }
    return view;
}

void Node::Impl::run_keys(TimePoint now) {
    if (now < keys_due_ || sealing_.active() == KeyId{}) {
        return;
    }
    keys_due_ = now + kSessionJitter;
    activate_newest(now);
    bool is_rekeyed = false;
    for (auto& [peer, link] : links_) {
        grant_keys(now, link);
        is_rekeyed = rekey(now, link) || is_rekeyed;
    }
    const bool is_pending = is_rekeyed || ring_wanted_at_ ||
                            sealing_.ring().active != key_id(sealing_.ring().keys.back());
    if (is_pending) {
        keys_due_ = now + kKeysInterval;
    }
}

/// Keys as new as the own active one, or newer: an older one is on its way out.
void Node::Impl::grant_keys(TimePoint now, Link& link) {
    const HeldRecord* held = store_.node_record(link.peer().node);
    if (!link.seal() || !link.has_feature(features::kKeyGrant) || held == nullptr) {
        return;
    }
    const bool is_told = link.keys_granted_at && now - *link.keys_granted_at < kGrantInterval;
    const std::uint32_t oldest = sealing_.ring().active_key()->generation;
    bool is_lacking = false;
    for (const MeshKey& key : sealing_.ring().keys) {
        // What is neither in use nor the next to be is not taken.
        const bool is_wanted = key.generation == oldest || key == sealing_.ring().keys.back();
        if (!is_wanted || holds(held->record.node->security, key_id(key))) {
            continue;
        }
        is_lacking = true;
        if (!is_told) {
            link.egress.send(share_message(KeyGrant{key.generation, key.secret}),
                             TrafficClass::Control, true);
            link.keys_granted_at = now;
            counters_.add(Counter::keys_granted);
        }
    }
    if (is_lacking) {
        keys_due_ = std::min(keys_due_, *link.keys_granted_at + kGrantInterval);
    }
}

/// All that are alive hold it, or one of them has found so.
bool Node::Impl::is_key_everywhere(KeyId key) const {
    bool all_hold = true;
    for (const auto& [node, member] : membership_.members()) {
        if (member.status != NodeStatus::Alive) {
            continue;
        }
        const HeldRecord* held = store_.node_record(node);
        if (held != nullptr && held->record.node->security.active == key) {
            return true;
        }
        all_hold = all_hold && held != nullptr && holds(held->record.node->security, key);
    }
    return all_hold;
}

void Node::Impl::activate_newest(TimePoint now) {
    if (now - newest_key_since_ < kActivationHold) {
        return;
    }
    const Keyring& ring = sealing_.ring();
    const std::uint32_t generation = ring.active_key()->generation;
    for (auto key = ring.keys.rbegin(); key != ring.keys.rend(); ++key) {
        if (key->generation > generation && is_key_everywhere(key_id(*key))) {
            Keyring changed = ring;
            changed.activate(key_id(*key));
            want_ring(now, std::move(changed));
            return;
        }
    }
}

/// Moves a link to the active key, or to a fresh session of it. The end with the greater instance
/// id does, so that one does. True where it is to be done.
bool Node::Impl::rekey(TimePoint now, Link& link) {
    const HeldRecord* held = store_.node_record(link.peer().node);
    const KeyId active = sealing_.active();
    const auto jitter = Duration(static_cast<Duration::rep>(
        link.own_session().value % static_cast<std::uint64_t>(kSessionJitter.count())));
    const TimePoint expires = link.up_since() + kSessionLife + jitter;
    const bool is_other =
        held != nullptr && link.seal() != active && held->record.node->security.active == active;
    if (!is_other && (!link.seal() || now < expires)) {
        if (link.seal()) {
            keys_due_ = std::min(keys_due_, expires);
        }
        return false;
    }
    if (link.peer().instance > self_.instance) {
        return is_other;
    }
    if (handshake_.is_pending(link.peer()) || name_conflict_.is_holding(now)) {
        return true;
    }
    link.is_rekeying = true;
    handshake_.initiate(now, link.peer(), link.endpoint(), LinkReason::Fill, std::nullopt,
                        {false, {}, is_other ? active : link.seal()});
    return true;
}

void Node::Impl::want_ring(TimePoint now, Keyring ring) {
    if (ring_wanted_at_ && now - *ring_wanted_at_ < kRingInterval) {
        return;
    }
    ring_wanted_at_ = now;
    outputs_.push_back(KeyringWanted{std::move(ring), sealing_.ring()});
}

void Node::Impl::on_key_grant(TimePoint now, const Link& link, const KeyGrant& grant) {
    // In the open anybody could have sent it.
    if (!link.seal() || sealing_.mode() == SecurityMode::Open ||
        (options_.features & features::kKeyGrant) == 0) {
        counters_.add(Counter::drop_not_allowed_here);
        return;
    }
    Keyring ring = sealing_.ring();
    const MeshKey key{grant.secret, grant.generation};
    // One at a time is on its way to be used: of several the newest, of one generation the greatest
    // id, so that all come to the same; and whoever grants more does not fill the rings of all.
    const MeshKey next = ring.keys.back();
    if (next.generation > ring.active_key()->generation && key != next) {
        if (std::pair(next.generation, key_id(next)) > std::pair(key.generation, key_id(key))) {
            counters_.add(Counter::drop_key);
            return;
        }
        ring.remove(key_id(next));
    }
    // Rotations before the last two have reached whoever comes back within days: rather such a box
    // is to be given a key by hand than this one kept out of the next rotation.
    if (ring.keys.size() == Keyring::kKeysMax && key.generation > ring.newest_generation()) {
        ring.remove(key_id(ring.keys.front()));  // which keeps the active one
    }
    const bool is_far = key.generation > ring.newest_generation() &&
                        key.generation - ring.newest_generation() > kGenerationLeapMax;
    const auto added = is_far ? tl::unexpected(std::string()) : ring.add(key);
    if (!added || key.generation < ring.active_key()->generation) {
        counters_.add(Counter::drop_key);
        return;
    }
    if (*added) {
        counters_.add(Counter::keys_received);
        want_ring(now, std::move(ring));
    }
}

}  // namespace meshd
