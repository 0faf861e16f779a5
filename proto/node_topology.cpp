// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <map>

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

/// In a large mesh the news of a short while are looked at together: while it forms, they come by
/// the thousand, and each look costs about a microsecond for each node. A mesh of 1 000 waits for
/// 50 ms, a small part of what it takes to notice a loss.
constexpr Duration kRefreshPerNode = std::chrono::microseconds(50);
constexpr Duration kRefreshPerNodeFormed = std::chrono::microseconds(200);
constexpr Duration kRefreshMax = std::chrono::milliseconds(100);
/// A relay that has started anew links again with those behind it in a moment; who is not there
/// after this long is lost for another reason.
constexpr Duration kRelinkTime = std::chrono::seconds(5);

NodeLinks links_of(const HeldRecord& held) {
    NodeLinks links{held.record.header.author, {}};
    const NodeData& data = *held.record.node;
    if (data.presence == Presence::Here) {
        links.links.reserve(data.links.size());
        for (const LinkClaim& claim : data.links) {
            links.links.emplace_back(claim.peer, claim.cost_class);
        }
    }
    return links;
}

bool claims(const HeldRecord& held, const NodeId& peer) {
    const std::vector<LinkClaim>& links = held.record.node->links;
    return std::any_of(links.begin(), links.end(),
                       [&](const LinkClaim& claim) { return claim.peer == peer; });
}

/// Nobody reachable took down a link to those behind a node that has left, and it is in no graph
/// any more. Its last record says whom it was joined to. By position, the node left of the nearest.
std::map<std::uint32_t, std::uint32_t> find_left_behind(
    const std::vector<const HeldRecord*>& records, const std::vector<NodeId>& names,
    const std::vector<StatusOf>& statuses) {
    std::map<std::uint32_t, std::uint32_t> behind;
    std::deque<std::uint32_t> frontier;
    const auto is_alive = [&](const LinkClaim& claim) {
        const auto at = find_sorted(names, claim.peer);
        return at && statuses[*at].status == NodeStatus::Alive;
    };
    const auto follow = [&](std::uint32_t from, std::uint32_t cause) {
        for (const LinkClaim& claim : records[from]->record.node->links) {
            const auto to = find_sorted(names, claim.peer);
            if (!to || statuses[*to].status != NodeStatus::Offline || behind.count(*to) != 0) {
                continue;
            }
            const NodeData& data = *records[*to]->record.node;
            if (data.presence == Presence::Here && claims(*records[*to], names[from]) &&
                std::none_of(data.links.begin(), data.links.end(), is_alive)) {
                behind.emplace(*to, cause);
                frontier.push_back(*to);
            }
        }
    };
    for (std::uint32_t i = 0; i < records.size(); ++i) {
        if (records[i]->record.node->presence != Presence::Here &&
            statuses[i].status != NodeStatus::Alive) {
            follow(i, i);
        }
    }
    while (!frontier.empty()) {
        const std::uint32_t next = frontier.front();
        frontier.pop_front();
        follow(next, behind.at(next));
    }
    return behind;
}

}  // namespace

void Node::Impl::refresh_topology(TimePoint now) {
    topology_dirty_ = false;
    has_node_news_ = false;
    const std::vector<const HeldRecord*> records = store_.node_records();
    learn_forgotten(now, records);
    topology_due_ = now;
    if (records.size() > kManyNodes) {
        const Duration each = is_forming(now) ? kRefreshPerNodeFormed : kRefreshPerNode;
        topology_due_ += std::min(kRefreshMax, each * static_cast<Duration::rep>(records.size()));
    }
    if (take_claims(records)) {
        neighbours_.on_change(now, false);
        notes_.on_routes_changed();
    }
    check_withdrawn(now);
    // Who leaves sees no one any more, and that is no news of the others.
    const bool is_out =
        has_left_ || leaving_ || name_conflict_.state(now) == NameConflict::State::Yielded;
    if (update_members(now, records, is_out)) {
        discovery_.on_change(now);
        check_all_after_losses(now);
    }
    update_isolation(now, is_out);
    keys_due_ = now;
    update_expendable();
    update_forget_time(now);
    if (drop_forgotten(now)) {
        refresh_topology(now);
    }
}

/// Tells the topology of the records that are new. True where the graph changed.
bool Node::Impl::take_claims(const std::vector<const HeldRecord*>& records) {
    const std::vector<NodeId>& known = topology_.names();
    std::vector<NodeLinks> changed;
    std::vector<NodeId> gone;
    bool has_new = false;
    std::vector<std::pair<StreamId, std::uint64_t>> seen;
    seen.reserve(records.size());
    std::size_t at = 0;
    for (const HeldRecord* held : records) {
        const RecordHeader& header = held->record.header;
        seen.emplace_back(header.stream, header.counter);
        while (at < known.size() && known[at] < header.author) {
            gone.push_back(known[at++]);
        }
        const bool is_known = at < known.size() && known[at] == header.author;
        if (!is_known || seen_[at] != seen.back()) {
            changed.push_back(links_of(*held));
        }
        has_new = has_new || !is_known;
        at += is_known ? 1 : 0;
    }
    gone.insert(gone.end(), known.begin() + static_cast<std::ptrdiff_t>(at), known.end());
    seen_ = std::move(seen);
    if (has_new || !gone.empty()) {
        short_ids_.clear();
    }
    return topology_.update_some(std::move(changed), gone);
}

/// True where a node was lost. After take_claims() of the same records.
bool Node::Impl::update_members(TimePoint now, const std::vector<const HeldRecord*>& records,
                                bool is_out) {
    const std::vector<StatusOf>& statuses = topology_.status_list();
    if (is_rejoining_) {
        // Its first link stands before the others' records say so: no news of them until then.
        is_rejoining_ = std::none_of(records.begin(), records.end(), [&](const HeldRecord* held) {
            const auto& node = held->record.header.author;
            return node != self_.node && topology_.is_reachable(node);
        });
        is_out = is_out || is_rejoining_;
    }
    const auto behind = is_out ? std::map<std::uint32_t, std::uint32_t>()
                               : find_left_behind(records, topology_.names(), statuses);
    const auto is_relinking = [&](const NodeId& relay) {
        const auto at = find_sorted(topology_.names(), relay);
        const Membership::Member* member = membership_.find(relay);
        return at && member != nullptr &&
               (records[*at]->record.node->start != member->start ||
                now - member->since < kRelinkTime);
    };
    // A relay's new start claims no link to those behind it yet.
    const auto relinking_relay = [&](const HeldRecord& held) {
        NodeId relay;
        const Membership::Member* member = membership_.find(held.record.header.author);
        if (member == nullptr || !member->ever_alive) {
            return relay;
        }
        if (member->status == NodeStatus::Unreachable) {
            return is_relinking(member->because) ? member->because : relay;
        }
        for (const LinkClaim& claim : held.record.node->links) {
            const auto at = find_sorted(topology_.names(), claim.peer);
            const Membership::Member* peer = membership_.find(claim.peer);
            const bool is_new =
                at && peer != nullptr && records[*at]->record.node->start != peer->start;
            if (member->status != NodeStatus::Alive ||
                (!is_new && topology_.is_reachable(claim.peer))) {
                return NodeId();
            }
            if (is_new && (relay.empty() || claim.peer < relay)) {
                relay = claim.peer;
            }
        }
        return relay;
    };
    std::vector<std::pair<NodeId, Membership::Member>> changed;
    std::vector<NodeId> gone;
    auto known = membership_.members().begin();
    const auto end = membership_.members().end();
    for (std::size_t i = 0; i < records.size(); ++i) {
        const NodeId& node = records[i]->record.header.author;
        if (node == self_.node) {
            continue;
        }
        const NodeData& data = *records[i]->record.node;
        Membership::Member member;
        member.start = data.start;
        member.status = statuses[i].status;
        member.because = statuses[i].because;
        if (data.presence != Presence::Here) {
            member.status = NodeStatus::Left;
            member.restarting = data.presence == Presence::Restarting;
            member.because = NodeId();
        } else if (is_out) {
            member.status = NodeStatus::Unreachable;
            member.because = NodeId();
        } else if (member.status == NodeStatus::Offline) {
            const auto left = behind.find(static_cast<std::uint32_t>(i));
            member.because = left != behind.end() ? topology_.names()[left->second]
                                                  : relinking_relay(*records[i]);
            if (!member.because.empty()) {
                member.status = NodeStatus::Unreachable;
            }
        } else if (member.status == NodeStatus::Unreachable) {
            const auto lost = find_sorted(topology_.names(), member.because);
            const NodeId relay = lost ? relinking_relay(*records[*lost]) : NodeId();
            member.because = relay.empty() ? member.because : relay;
        }
        for (; known != end && known->first < node; ++known) {
            gone.push_back(known->first);
        }
        const bool is_known = known != end && known->first == node;
        if (!is_known || known->second.start != member.start ||
            known->second.status != member.status || known->second.because != member.because ||
            known->second.restarting != member.restarting) {
            changed.emplace_back(node, std::move(member));
        }
        if (is_known) {
            ++known;
        }
    }
    for (; known != end; ++known) {
        gone.push_back(known->first);
    }
    bool lost = false;
    for (const auto& event : membership_.update_some(now, changed, gone)) {
        if (event.change != MembershipChange::Joined &&
            event.change != MembershipChange::Returned) {
            deliveries_.on_node_gone(event.node);
            asker_.on_node_gone(event.node);
            lost = lost || event.change == MembershipChange::Offline ||
                   event.change == MembershipChange::Unreachable;
        }
        if (!is_out) {
            outputs_.push_back(NodeEvent{node_event_kind(event.change), event.node, event.because});
        }
    }
    return lost;
}

void Node::Impl::update_forget_time(TimePoint now) {
    forget_at_.reset();
    for (const auto& [node, member] : membership_.members()) {
        if (member.status != NodeStatus::Alive) {
            TimePoint at = forget_time(now, node, member);
            // Its relay is given no longer to link with it again.
            const Membership::Member* relay = membership_.find(member.because);
            if (relay != nullptr && now - relay->since < kRelinkTime) {
                at = std::min(at, relay->since + kRelinkTime);
            }
            forget_at_ = forget_at_ ? std::min(*forget_at_, at) : at;
        }
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
    if (old.empty()) {
        topology_dirty_ = true;  // a relay's time is over
        update_forget_time(now);
        return;
    }
    forget_at_.reset();
    for (const NodeId& node : old) {
        forget_node(now, node, NodeId());
    }
}

}  // namespace meshd
