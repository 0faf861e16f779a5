// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {

void Node::Impl::on_req(TimePoint now, const Endpoint& from, const Req& req) {
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
    if (!is_version_spoken(req.version, req.version)) {
        return;
    }
    const NodeId& node = req.from.node;
    if (node == self_.node) {
        on_same_name(now, req.from, from, false);
        return;
    }
    const NameClaim claim = name_claim(now, req.from);
    if (claim == NameClaim::Asked) {
        return;  // it comes again, and by then it is known
    }
    const Link* link = find_link(node);
    std::string refusal;
    if (claim == NameClaim::Taken) {
        refusal = "name";
        counters_.add(Counter::drop_name_conflict);
    } else if (name_conflict_.is_holding(now)) {
        refusal = "leaving";
    } else if (link != nullptr && link->peer_session() == req.session) {
        return;  // a late repetition of the REQ that made this link
    } else {
        const std::size_t links = links_.size() - (link != nullptr ? 1 : 0);
        const bool accepted =
            link != nullptr || neighbours_.accepts(req.reason, links + handshake_.pending(node),
                                                   topology_.is_reachable(node));
        if (!accepted) {
            refusal = "full";
            counters_.add(Counter::drop_full);
        }
    }
    if (refusal != "name") {
        neighbours_.on_heard(now, req.from, from, std::nullopt);
    }
    if (!handshake_.on_req(now, from, req, refusal)) {
        counters_.add(Counter::drop_full);
    }
}

void Node::Impl::on_acc(TimePoint now, const Endpoint& from, const Acc& acc) {
    if (acc.to != self_.start) {
        counters_.add(Counter::drop_not_for_us);
        return;
    }
    if (acc.refused == "name" && handshake_.is_pending(acc.from)) {
        on_name_conflict(now, name_conflict_.on_refused(now, !links_.empty()));
    }
    handshake_.on_acc(now, from, acc);
}

Neighbours::Facts Node::Impl::neighbour_facts() const {
    Neighbours::Facts facts;
    facts.links = links_.size();
    facts.pending = handshake_.pending(NodeId());
    facts.bridge_pending = handshake_.is_bridge_pending();
    facts.is_linked_or_pending = [this](const NodeId& node) {
        const auto it = links_.find(node);
        const HeardNode* heard = neighbours_.find(node);
        // A link to a former start of the node is no link to it any more.
        const bool linked =
            it != links_.end() && (heard == nullptr || it->second.peer() == heard->identity);
        return linked || (heard != nullptr && handshake_.is_pending(heard->identity));
    };
    facts.is_reachable = [this](const NodeId& node) { return topology_.is_reachable(node); };
    facts.degree = [this](const NodeId& node) -> std::size_t {
        const HeldRecord* held = store_.node_record(node);
        return held == nullptr ? 0 : held->record.node->links.size();
    };
    return facts;
}

void Node::Impl::run_neighbours(TimePoint now) {
    if (!neighbours_.next_deadline() || now < *neighbours_.next_deadline()) {
        return;
    }
    for (const auto& want : neighbours_.on_timeout(now, neighbour_facts())) {
        if (name_conflict_.is_holding(now)) {
            continue;
        }
        if (name_claim(now, want.peer) != NameClaim::Free) {
            neighbours_.on_failed(now, want.peer.node, true);
            continue;
        }
        handshake_.initiate(now, want.peer, want.endpoint, want.reason, want.cookie);
    }
}

}  // namespace meshd
