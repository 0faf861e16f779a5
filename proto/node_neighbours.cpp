// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"
#include "proto/routing/redundancy.h"

namespace meshd {
namespace {

/// By then a node's record has reached all of a mesh at rest.
constexpr std::uint64_t kSettledMs = 300;

}  // namespace

void Node::Impl::on_req(TimePoint now, const Endpoint& from, const Req& req, KeyId seal) {
    if (req.to != self_.start) {
        counters_.add(Counter::drop_not_for_us);
        return;
    }
    if (req.mesh != config_.mesh_name) {
        counters_.add(Counter::drop_other_mesh);
        return;
    }
    if (!cookies_.check(now, from, req.from.start, req.cookie)) {
        counters_.add(Counter::drop_cookie);
        return;
    }
    if (!outside_gate_.admit_req(now, from)) {
        counters_.add(Counter::drop_req_rate);
        return;
    }
    if (!is_version_spoken(req.version, req.version)) {
        return;
    }
    const NodeId& node = req.from.node;
    if (node == self_.node) {
        on_same_name(now, req.from, from);
        return;
    }
    if (!seal && is_known_sealed(now, req.from)) {
        counters_.add(Counter::drop_unsealed);
        return;
    }
    const NameClaim claim = name_claim(now, req.from);
    if (claim == NameClaim::Asked) {
        return;  // it comes again, and by then it is known
    }
    const Link* link = find_link(node);
    if (claim != NameClaim::Taken) {
        neighbours_.on_heard(now, req.from, from, std::nullopt);
        note_seal(now, node, seal);
    }
    std::string refusal;
    if (claim == NameClaim::Taken) {
        refusal = "name";
        counters_.add(Counter::drop_name_conflict);
    } else if (name_conflict_.is_holding(now)) {
        refusal = "leaving";
    } else if (link != nullptr && link->peer_session() == req.session) {
        return;  // a late repetition of the REQ that made this link
    } else if (link == nullptr && !handshake_.is_pending(req.from)) {
        if (!neighbours_.on_req(now, node, req.reason, req.is_forced, neighbour_facts())) {
            refusal = "full";
            counters_.add(Counter::drop_full);
        }
    }
    switch (handshake_.on_req(now, from, req, refusal, seal)) {
        case Handshake::ReqResult::Answered:
            break;
        case Handshake::ReqResult::NoRoom:
            counters_.add(Counter::drop_full);
            break;
        case Handshake::ReqResult::BadNoise:
            counters_.add(Counter::drop_noise);
            break;
    }
}

/// Who is linked with under a key, or was heard under one of late: in the open anybody can speak in
/// its name.
bool Node::Impl::is_known_sealed(TimePoint now, const Identity& who) const {
    const auto link = links_.find(who.node);
    if (link != links_.end() && link->second.peer() == who && link->second.seal()) {
        return true;
    }
    const HeardNode* heard = neighbours_.find(who.node);
    return heard != nullptr && heard->identity == who && heard->seal &&
           now - heard->sealed_at <= Neighbours::kSealedFor;
}

void Node::Impl::on_acc(TimePoint now, const Endpoint& from, const Acc& acc, KeyId seal) {
    if (acc.to != self_.start) {
        counters_.add(Counter::drop_not_for_us);
        return;
    }
    if (handshake_.on_acc(now, from, acc, seal)) {
        on_name_conflict(now, name_conflict_.on_refused(now, !links_.empty()));
    }
}

Neighbours::Facts Node::Impl::neighbour_facts() const {
    Neighbours::Facts facts;
    // A link to a former start of a node is no link to it any more, but takes its place.
    const auto is_former = [this](const Identity& peer) {
        const HeardNode* heard = neighbours_.find(peer.node);
        return heard != nullptr && heard->identity != peer;
    };
    for (const auto& [peer, link] : links_) {
        if (is_former(link.peer())) {
            facts.former += 1;
        } else {
            facts.links.push_back({peer, link.up_since()});
        }
    }
    for (const Identity& peer : handshake_.peers()) {
        if (links_.count(peer.node) != 0) {
            continue;  // its session moves
        }
        if (is_former(peer)) {
            facts.former += 1;
        } else {
            facts.pending.push_back(peer.node);
        }
    }
    std::sort(facts.pending.begin(), facts.pending.end());
    facts.pending.erase(std::unique(facts.pending.begin(), facts.pending.end()),
                        facts.pending.end());
    facts.bridge_pending = handshake_.is_bridge_pending();
    facts.standing = [this](const NodeId& node) {
        Standing standing;
        if (topology_.is_reachable(node)) {
            standing.kind = Standing::Kind::Reachable;
            return standing;
        }
        const Membership::Member* member = membership_.find(node);
        if (member != nullptr && member->ever_alive && member->status != NodeStatus::Alive) {
            standing.kind = member->status == NodeStatus::Unreachable ? Standing::Kind::CutOff
                                                                      : Standing::Kind::Gone;
            standing.since = member->since;
        }
        return standing;
    };
    facts.degree = [this](const NodeId& node) -> std::size_t {
        const HeldRecord* held = store_.node_record(node);
        return held == nullptr ? 0 : held->record.node->links.size();
    };
    facts.is_redundant = [this](const NodeId& node) {
        return is_redundant(topology_.graph(), self_.node, node, [this](const NodeId& other) {
            const HeldRecord* held = store_.node_record(other);
            return held != nullptr && held->age_ms(now_) >= kSettledMs;
        });
    };
    return facts;
}

/// Gives up a link that both ends can do without.
void Node::Impl::drop_link(TimePoint now, const NodeId& peer) {
    Link* link = find_link(peer);
    // Twice, since it is not repeated: a peer that misses it would suspect this node.
    for (int copy = 0; copy < 2; ++copy) {
        link->egress.send(share_message(Close{CloseReason::Pruned}), TrafficClass::Control, false);
        while (auto bytes = link->poll_datagram(now)) {
            transmits_.push_back({link->endpoint(), false, std::move(*bytes)});
        }
    }
    counters_.add(Counter::links_pruned);
    neighbours_.on_dropped(now, peer);
    close_link(now, NodeId(peer), LinkEnd::GivenUp);
}

/// Of a link that is about to come up beyond max_peers.
void Node::Impl::make_room_for(TimePoint now, const NodeId& peer) {
    if (links_.size() < config_.max_peers) {
        return;
    }
    if (const auto victim = neighbours_.victim_for(now, peer, neighbour_facts())) {
        drop_link(now, *victim);
    }
}

void Node::Impl::on_prune(TimePoint now, const NodeId& peer) {
    if (neighbours_.agrees_to_prune(peer, neighbour_facts())) {
        drop_link(now, peer);
    }
}

void Node::Impl::run_neighbours(TimePoint now) {
    if (!neighbours_.next_deadline() || now < *neighbours_.next_deadline()) {
        return;
    }
    const auto todo = neighbours_.on_timeout(now, neighbour_facts());
    if (todo.drop) {
        drop_link(now, *todo.drop);
    }
    if (todo.prune) {
        find_link(*todo.prune)->egress.send(share_message(Prune{}), TrafficClass::Control, true);
    }
    for (const auto& want : todo.asks) {
        if (name_conflict_.is_holding(now)) {
            continue;
        }
        if (name_claim(now, want.peer) != NameClaim::Free) {
            neighbours_.on_failed(now, want.peer.node, true);
            continue;
        }
        handshake_.initiate(now, want.peer, want.endpoint, want.reason, want.cookie,
                            {want.is_forced, {}, seal_for(want.peer.node)});
    }
}

}  // namespace meshd
