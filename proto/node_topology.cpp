// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/assert.h"
#include "proto/node_impl.h"

namespace meshd {
namespace {

NodeEventKind node_event_kind(MembershipChange change) {
    switch (change) {
        case MembershipChange::Joined:
            return NodeEventKind::Joined;
        case MembershipChange::Left:
            return NodeEventKind::Left;
        case MembershipChange::Restarting:
            return NodeEventKind::Restarting;
        case MembershipChange::Offline:
            return NodeEventKind::Offline;
        case MembershipChange::Unreachable:
            return NodeEventKind::Unreachable;
        case MembershipChange::Returned:
            return NodeEventKind::Returned;
    }
    MESHD_ASSERT(false);
}

}  // namespace

void Node::Impl::refresh_topology(TimePoint now) {
    topology_dirty_ = false;
    learn_forgotten(now);
    std::vector<NodeLinks> claims;
    std::map<NodeId, Membership::Member> members;
    short_ids_.clear();
    for (const NodeId& node : store_.nodes()) {
        const NodeData& data = *store_.node_record(node)->record.node;
        short_ids_[node.short_id()] = node;
        NodeLinks links{node, {}};
        if (data.presence == Presence::Here) {
            for (const LinkClaim& claim : data.links) {
                links.links.emplace_back(claim.peer, claim.cost_class);
            }
        }
        claims.push_back(std::move(links));
    }
    if (topology_.update(claims)) {
        neighbours_.on_change(now, false);
    }
    check_withdrawn(now);
    // Who leaves sees no one any more, and that is no news of the others.
    const bool is_out =
        has_left_ || leaving_ || name_conflict_.state(now) == NameConflict::State::Yielded;
    const auto statuses = topology_.statuses();
    for (const NodeId& node : store_.nodes()) {
        if (node == self_.node) {
            continue;
        }
        const NodeData& data = *store_.node_record(node)->record.node;
        Membership::Member member;
        member.start = data.start;
        const auto found = statuses.find(node);
        if (found != statuses.end()) {
            member.status = found->second.status;
            member.because = found->second.because;
        }
        if (data.presence != Presence::Here) {
            member.status = NodeStatus::Left;
            member.restarting = data.presence == Presence::Restarting;
            member.because = NodeId();
        } else if (is_out) {
            member.status = NodeStatus::Unreachable;
            member.because = NodeId();
        }
        members.emplace(node, member);
    }
    bool lost = false;
    for (const auto& event : membership_.update(now, std::move(members))) {
        if (event.change != MembershipChange::Joined &&
            event.change != MembershipChange::Returned) {
            deliveries_.on_node_gone(event.node);
            lost = lost || event.change == MembershipChange::Offline ||
                   event.change == MembershipChange::Unreachable;
        }
        if (!is_out) {
            outputs_.push_back(NodeEvent{node_event_kind(event.change), event.node, event.because});
        }
    }
    if (lost) {
        discovery_.on_change(now);
        check_all_after_losses(now);
    }
    update_isolation(now, is_out);
    update_expendable();
    forget_at_.reset();
    for (const auto& [node, member] : membership_.members()) {
        if (member.status != NodeStatus::Alive) {
            const TimePoint at = forget_time(now, node, member);
            forget_at_ = forget_at_ ? std::min(*forget_at_, at) : at;
        }
    }
    if (drop_forgotten(now)) {
        refresh_topology(now);
    }
}

/// Where there is no room for all, scrapped nodes go first, then the longest gone.
void Node::Impl::update_expendable() {
    std::vector<std::pair<TimePoint, NodeId>> gone;
    for (const auto& [node, member] : membership_.members()) {
        if (member.status != NodeStatus::Alive) {
            gone.emplace_back(member.since, node);
        }
    }
    std::sort(gone.begin(), gone.end());
    std::vector<NodeId> nodes;
    for (const ForgottenNode& mark : forgetting_.marks()) {
        if (membership_.find(mark.node) == nullptr) {
            nodes.push_back(mark.node);
        }
    }
    for (const auto& [since, node] : gone) {
        nodes.push_back(node);
    }
    store_.set_expendable(std::move(nodes));
}

/// A node seen alive is remembered from when it was lost. One never seen alive came by repair from
/// others: its record's age, which travels with it, decides, so that it does not begin anew with
/// each node that hears of it.
TimePoint Node::Impl::forget_time(TimePoint now, const NodeId& node,
                                  const Membership::Member& member) const {
    if (member.ever_alive) {
        return member.since + config_.forget_after;
    }
    const auto age = std::chrono::milliseconds(store_.node_record(node)->age_ms(now));
    return now + std::max(Duration{},
                          config_.forget_after - std::min<Duration>(age, config_.forget_after));
}

void Node::Impl::forget_old(TimePoint now) {
    std::vector<NodeId> old;
    for (const auto& [node, member] : membership_.members()) {
        if (member.status != NodeStatus::Alive && forget_time(now, node, member) <= now) {
            old.push_back(node);
        }
    }
    forget_at_.reset();
    for (const NodeId& node : old) {
        forget_node(now, node, NodeId());
    }
}

}  // namespace meshd
