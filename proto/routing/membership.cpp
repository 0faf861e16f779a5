// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/membership.h"

#include "proto/base/assert.h"

namespace meshd {
namespace {

MembershipChange change_to(const Membership::Member& now) {
    switch (now.status) {
        case NodeStatus::Alive:
            return now.ever_alive ? MembershipChange::Returned : MembershipChange::Joined;
        case NodeStatus::Unreachable:
            return MembershipChange::Unreachable;
        case NodeStatus::Offline:
            return MembershipChange::Offline;
        case NodeStatus::Left:
            return now.restarting ? MembershipChange::Restarting : MembershipChange::Left;
    }
    MESHD_ASSERT(false);
}

}  // namespace

std::vector<Membership::Event> Membership::update(TimePoint now,
                                                  const std::map<NodeId, Member>& current) {
    std::vector<NodeId> gone;
    for (const auto& [node, member] : members_) {
        if (current.count(node) == 0) {
            gone.push_back(node);
        }
    }
    return update_some(now, {current.begin(), current.end()}, gone);
}

std::vector<Membership::Event> Membership::update_some(
    TimePoint now, const std::vector<std::pair<NodeId, Member>>& changed_members,
    const std::vector<NodeId>& gone) {
    for (const NodeId& node : gone) {
        members_.erase(node);
    }
    std::vector<Event> events;
    for (auto [node, member] : changed_members) {
        member.since = now;
        const Member* before = members_.find(node);
        bool changed = true;
        if (before != nullptr) {
            const Member& old = *before;
            // This node itself was out, and has not heard of the other since.
            if (old.status == NodeStatus::Unreachable && old.because.empty() &&
                member.status == NodeStatus::Offline) {
                member.status = NodeStatus::Unreachable;
            }
            // It is on its way back: its record is here, the confirmation of its links not yet.
            if (old.status == NodeStatus::Left && member.status != NodeStatus::Left &&
                member.status != NodeStatus::Alive) {
                member.status = NodeStatus::Left;
                member.because = NodeId();
                member.restarting = old.restarting;
            }
            member.ever_alive = old.ever_alive;
            const bool same_status = member.status == old.status && member.because == old.because &&
                                     member.restarting == old.restarting;
            const bool restarted = member.status == NodeStatus::Alive && member.start != old.start;
            changed = !same_status || restarted;
            if (same_status && member.start == old.start) {
                member.since = old.since;
            }
        }
        const bool is_alive = member.status == NodeStatus::Alive;
        if (changed && (is_alive || member.ever_alive)) {
            events.push_back({change_to(member), node, member.because});
        }
        member.ever_alive = member.ever_alive || is_alive;
        members_[node] = member;
    }
    return events;
}

const Membership::Member* Membership::find(const NodeId& node) const {
    return members_.find(node);
}

}  // namespace meshd
