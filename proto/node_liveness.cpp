// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

/// A link went down this shortly ago: the next one that goes silent may mean that this node is cut
/// off, so it looks at all of them.
constexpr Duration kRecentlyDown = std::chrono::seconds(3);
/// All links are checked for the losses of others so often at most.
constexpr Duration kCheckAllInterval = std::chrono::seconds(2);
/// With so few links each may be the last way out.
constexpr std::size_t kFewLinks = 2;
/// A cost class is told when it has held for so long; wavering would cost more than a bad path.
constexpr Duration kCostHold = std::chrono::seconds(30);
/// Records that tell nothing but costs: this many nodes' worth of seconds apart at each node, so
/// that there is about one in two seconds in the whole mesh.
constexpr Duration kCostRecordPerNode = std::chrono::seconds(2);
/// How often measured costs are compared with those told.
constexpr Duration kCostLook = std::chrono::seconds(5);

}  // namespace

void Node::Impl::run_links(TimePoint now) {
    std::vector<NodeId> down;
    for (auto& [peer, link] : links_) {
        counters_.add(Counter::drop_reassembly_timeout, link.reassembler.on_timeout(now));
        const bool was_suspect = link.liveness.is_suspect();
        const Liveness::Due due = link.on_timeout(now);
        counters_.add(Counter::links_suspected, !was_suspect && link.liveness.is_suspect() ? 1 : 0);
        if (due.request) {
            send_heartbeat(link, false, link.liveness.seq(), std::nullopt);
        }
        if (due.notice) {
            send_notices(peer);
        }
        if (due.detour) {
            failover(now, peer);
        }
        if (due.down) {
            counters_.add(Counter::links_stalled, link.egress.is_stalled(now) ? 1 : 0);
            down.push_back(peer);
        }
        if (due.notice || due.down) {
            check_self(now, due.down);
        }
    }
    for (const NodeId& peer : down) {
        // Heard or not: where only one direction is dead, it spares the peer its own suspicion.
        Link& link = *find_link(peer);
        link.egress.send(share_message(Close{CloseReason::Silent}), TrafficClass::Control, false);
        while (auto bytes = link.poll_datagram(now)) {
            transmits_.push_back({link.endpoint(), false, std::move(*bytes)});
        }
        neighbours_.on_link_lost(now, peer, link.endpoint());
        handshake_.abandon(peer);  // a detour asks all ways but this one
        close_link(now, peer);
    }
    schedule_exchanges(now);
    look_at_costs(now);
}

void Node::Impl::check_link(TimePoint now, Link& link) {
    counters_.add(Counter::links_suspected, link.liveness.check(now) ? 1 : 0);
}

/// Whether it is the peer or this node that is cut off shows on the other links.
void Node::Impl::check_self(TimePoint now, bool is_down) {
    if (is_down) {
        link_lost_at_ = now;
    }
    const auto suspects = std::count_if(links_.begin(), links_.end(), [](const auto& entry) {
        return entry.second.liveness.is_suspect();
    });
    const bool lost_recently = link_lost_at_ && now - *link_lost_at_ < kRecentlyDown;
    if (suspects >= 2 || links_.size() <= kFewLinks || lost_recently) {
        for (auto& [peer, link] : links_) {
            check_link(now, link);
        }
    }
}

/// By the shortest ways around the suspect, each written into its notice: the routes of those in
/// between may lead through the suspect.
void Node::Impl::send_notices(const NodeId& suspect) {
    const HeldRecord* held = store_.node_record(suspect);
    if (held == nullptr) {
        return;
    }
    std::vector<NodeId> others;
    for (const LinkClaim& claim : held->record.node->links) {
        if (claim.peer != self_.node) {
            others.push_back(claim.peer);
        }
    }
    for (const std::vector<NodeId>& path : topology_.paths_around(suspect, others)) {
        if (path.size() > limits::kHopsMax + 1) {  // the first hop is not in it
            counters_.add(Counter::drop_hops);
            continue;
        }
        Link* first = find_link(path.front());
        if (first == nullptr) {
            continue;
        }
        Notice notice;
        notice.about = suspect.short_id();
        for (auto hop = path.begin() + 1; hop != path.end(); ++hop) {
            notice.path.push_back(hop->short_id());
        }
        first->egress.send(share_message(notice), TrafficClass::Control, false);
        counters_.add(Counter::notices_sent);
    }
}

void Node::Impl::on_notice(TimePoint now, Link& from, Notice notice) {
    counters_.add(Counter::notices_received);
    if (!from.notices.take(now)) {
        counters_.add(Counter::drop_rate);
        return;
    }
    if (notice.path.empty()) {
        if (Link* link = find_link(node_of(notice.about))) {
            check_link(now, *link);
        }
        return;
    }
    Link* next = find_link(node_of(notice.path.front()));
    if (next == nullptr || next == &from) {
        counters_.add(Counter::drop_no_route);
        return;
    }
    counters_.add(Counter::messages_routed);
    notice.path.erase(notice.path.begin());
    next->egress.send(share_message(notice), TrafficClass::Control, false);
}

/// Nobody where none of this short id is known. Most changes come and go before anybody asks.
NodeId Node::Impl::node_of(std::uint32_t short_id) const {
    if (short_ids_.empty()) {
        for (const NodeId& node : topology_.names()) {
            short_ids_[node.short_id()] = node;
        }
    }
    const auto it = short_ids_.find(short_id);
    return it == short_ids_.end() ? NodeId() : it->second;
}

/// Somebody's record lists a link no more that it listed before: its other end may be dead, and
/// where that is this node, its link with the teller is one-sided.
void Node::Impl::check_withdrawn(TimePoint now) {
    for (const auto& [claimer, peer] : topology_.withdrawn()) {
        const HeldRecord* held = store_.node_record(claimer);
        if (held == nullptr || held->record.node->presence != Presence::Here) {
            continue;
        }
        if (Link* link = find_link(peer == self_.node ? claimer : peer)) {
            check_link(now, *link);
        }
    }
}

/// Where nodes are lost one after another, more may be: of a power cut that took half the mesh, the
/// last would else be found by the last exchange.
void Node::Impl::check_all_after_losses(TimePoint now) {
    const bool is_second = node_lost_at_ && now - *node_lost_at_ < kRecentlyDown;
    node_lost_at_ = now;
    if (!is_second || (all_checked_at_ && now - *all_checked_at_ < kCheckAllInterval)) {
        return;
    }
    all_checked_at_ = now;
    for (auto& [peer, link] : links_) {
        check_link(now, link);
    }
}

void Node::Impl::schedule_exchanges(TimePoint now) {
    for (auto& [peer, link] : links_) {
        if (!link.liveness.needs_schedule()) {
            continue;
        }
        // By the end that has fewer links: where only a hub hears the peer, nobody else checks it.
        const HeldRecord* held = store_.node_record(peer);
        const std::size_t theirs = held == nullptr ? 0 : held->record.node->links.size();
        const Duration interval =
            exchange_interval(theirs == 0 ? links_.size() : std::min(theirs, links_.size()),
                              config_.heartbeat_interval);
        exchanges_due_.clear();
        for (const auto& [other, other_link] : links_) {
            if (const auto due = other_link.liveness.due()) {
                exchanges_due_.push_back(*due);
            }
        }
        link.liveness.schedule(now, interval, exchanges_due_, prng_);
    }
}

void Node::Impl::look_at_costs(TimePoint now) {
    if (now < costs_due_) {
        return;
    }
    costs_due_ = now + kCostLook;
    bool is_stale = false;
    for (auto& [peer, link] : links_) {
        if (cost_class(link.liveness.loss(), link.cost_class) == link.cost_class) {
            link.cost_differs_since.reset();
        } else if (!link.cost_differs_since) {
            link.cost_differs_since = now;
        }
        is_stale =
            is_stale || (link.cost_differs_since && now - *link.cost_differs_since >= kCostHold);
    }
    if (!is_stale || now < costs_allowed_at_) {
        return;
    }
    for (auto& [peer, link] : links_) {
        link.cost_class = cost_class(link.liveness.loss(), link.cost_class);
        link.cost_differs_since.reset();
    }
    const auto nodes = static_cast<Duration::rep>(membership_.members().size());
    costs_allowed_at_ = now + kCostRecordPerNode * nodes;
    publish_node_soon(now);
}

/// Cut off from all others that it knows of, or no more: told when it changes.
void Node::Impl::update_isolation(TimePoint now, bool is_out) {
    const auto& members = membership_.members();
    const bool is_isolated = has_had_links_ && links_.empty() && !is_out &&
                             std::any_of(members.begin(), members.end(), [](const auto& member) {
                                 return member.second.status != NodeStatus::Left;
                             });
    if (is_isolated == isolated_since_.has_value()) {
        return;
    }
    isolated_since_ = is_isolated ? std::optional(now) : std::nullopt;
    // It ends as well when the last of the others is forgotten: nothing was joined again.
    if (!is_out && (is_isolated || !links_.empty())) {
        outputs_.push_back(NodeEvent{
            is_isolated ? NodeEventKind::Isolated : NodeEventKind::Rejoined, self_.node, {}});
    }
}

/// A mesh at rest sends nothing else: it shall not ask for memory each time.
SharedMessage Node::Impl::share_heartbeat(const Heartbeat& heartbeat) {
    for (std::shared_ptr<EncodedMessage>& room : heartbeats_) {
        if (!room) {
            room = std::make_shared<EncodedMessage>();
        }
        if (room.use_count() == 1) {
            encode_heartbeat(heartbeat, *room, heartbeat_text_);
            return room;
        }
    }
    return share_message(heartbeat);
}

void Node::Impl::send_heartbeat(Link& link, bool is_reply, std::uint32_t seq,
                                const std::optional<DigestHashes>& theirs) {
    Heartbeat heartbeat;
    heartbeat.is_reply = is_reply;
    heartbeat.seq = seq;
    if (!is_reply || theirs != store_.hashes()) {
        heartbeat.hashes = store_.hashes();
    }
    if (!is_reply && link.clock_due <= now_) {
        heartbeat.wall_ms = wall_.ms;
        link.clock_due = now_ + MeshTime::kSampleInterval;
    }
    link.egress.send(share_heartbeat(heartbeat), TrafficClass::Control, false);
    counters_.add(Counter::heartbeats_sent);
}

void Node::Impl::on_heartbeat(TimePoint now, Link& link, const Heartbeat& heartbeat) {
    counters_.add(Counter::heartbeats_received);
    if (heartbeat.wall_ms) {
        mesh_time_.on_sample(now, link.peer().node, *heartbeat.wall_ms);
        learn_time({now, wall_});
    }
    if (heartbeat.is_reply) {
        if (heartbeat.seq == link.liveness.seq()) {
            link.is_uprooted = false;  // the way in use goes on working
        }
        link.liveness.on_reply(now, heartbeat.seq);
        reconciler_.on_hashes(now, link.peer().node, heartbeat.hashes.value_or(store_.hashes()),
                              store_.hashes());
        return;
    }
    if (heartbeat.hashes) {
        reconciler_.on_hashes(now, link.peer().node, *heartbeat.hashes, store_.hashes());
    }
    link.liveness.on_request(now);
    send_heartbeat(link, true, heartbeat.seq, heartbeat.hashes);
}

}  // namespace meshd
