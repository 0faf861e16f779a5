// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// A new link is published this much later: at a start several come together.
constexpr Duration kLinkUpPublishDelay = milliseconds(20);

}  // namespace

void Node::Impl::open_link(TimePoint now, const Established& established) {
    const NodeId& node = established.peer.node;
    if (has_left_ || leaving_ || sessions_.count(established.own_session) != 0 ||
        name_conflict_.is_holding(now) || name_claim(now, established.peer) != NameClaim::Free) {
        return;
    }
    if (links_.empty()) {
        name_conflict_.on_admitted(now);
    }
    Link* old = find_link(node);
    const bool replaces = old != nullptr && old->peer() == established.peer;
    if (old != nullptr) {
        sessions_.erase(old->own_session());
        if (!replaces) {
            counters_.add(Counter::links_down);
            outputs_.push_back(LinkEvent{false, node, old->endpoint()});
        }
        reconciler_.on_link_down(node);
        announcer_.on_peer_gone(node);
        links_.erase(node);
    } else if (links_.size() >= limits::kLinksMax) {
        counters_.add(Counter::drop_full);
        return;
    }
    links_.try_emplace(node, now, established, config_, counters_, reassembly_budget_, prng_);
    sessions_[established.own_session] = node;
    if (!replaces) {
        counters_.add(Counter::links_up);
        outputs_.push_back(LinkEvent{true, node, established.endpoint});
        publish_node_soon(now + kLinkUpPublishDelay);
        topology_dirty_ = true;
    }
    if (neighbours_.on_heard(now, established.peer, established.endpoint, std::nullopt)) {
        counters_.add(Counter::peers_discovered);
    }
    neighbours_.on_change(now, false);
    reconciler_.on_link_up(now, node);
}

void Node::Impl::close_link(TimePoint now, const NodeId& peer) {
    Link* link = find_link(peer);
    counters_.add(Counter::links_down);
    outputs_.push_back(LinkEvent{false, peer, link->endpoint()});
    sessions_.erase(link->own_session());
    links_.erase(peer);
    reconciler_.on_link_down(peer);
    mesh_time_.on_link_down(peer);
    announcer_.on_peer_gone(peer);
    if (leaving_ || has_left_) {
        return;
    }
    publish_node_soon(now);
    neighbours_.on_change(now, links_.empty());
    discovery_.on_change(now);
}

void Node::Impl::run_links(TimePoint now) {
    std::vector<NodeId> down;
    for (auto& [peer, link] : links_) {
        counters_.add(Counter::drop_reassembly_timeout, link.reassembler.on_timeout(now));
        switch (link.on_timeout(now, prng_)) {
            case Link::Due::Nothing:
                break;
            case Link::Due::Heartbeat:
                send_heartbeat(link, false, link.liveness.seq(), std::nullopt);
                break;
            case Link::Due::Down:
                counters_.add(Counter::links_stalled, link.egress.is_stalled(now) ? 1 : 0);
                down.push_back(peer);
                break;
        }
    }
    for (const NodeId& peer : down) {
        close_link(now, peer);
    }
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
    link.egress.send(share_message(heartbeat), TrafficClass::Control, false);
    counters_.add(Counter::heartbeats_sent);
}

void Node::Impl::on_heartbeat(TimePoint now, Link& link, const Heartbeat& heartbeat) {
    counters_.add(Counter::heartbeats_received);
    if (heartbeat.wall_ms) {
        mesh_time_.on_sample(now, link.peer().node, *heartbeat.wall_ms);
    }
    if (heartbeat.is_reply) {
        link.liveness.on_reply(now, heartbeat.seq);
        reconciler_.on_hashes(now, link.peer().node, heartbeat.hashes.value_or(store_.hashes()),
                              store_.hashes());
        return;
    }
    if (heartbeat.hashes) {
        reconciler_.on_hashes(now, link.peer().node, *heartbeat.hashes, store_.hashes());
    }
    send_heartbeat(link, true, heartbeat.seq, heartbeat.hashes);
}

void Node::Impl::finish_leaving(TimePoint now) {
    if (!leaving_) {
        return;
    }
    const bool all_told = std::all_of(links_.begin(), links_.end(), [](const auto& entry) {
        return entry.second.egress.pending() == 0;
    });
    if (!all_told && now < leaving_->deadline) {
        return;
    }
    const CloseReason reason =
        presence_ == Presence::Restarting ? CloseReason::Restarting : CloseReason::Leaving;
    while (!links_.empty()) {
        Link& link = links_.begin()->second;
        link.egress.send(share_message(Close{reason}), TrafficClass::Control, false);
        while (auto bytes = link.poll_datagram(now)) {
            transmits_.push_back({link.endpoint(), false, std::move(*bytes)});
        }
        const NodeId peer = links_.begin()->first;
        close_link(now, peer);
    }
    outputs_.push_back(meshd::HasLeft{leaving_->request});
    leaving_.reset();
    has_left_ = true;
    topology_dirty_ = true;
    refresh_topology(now);
}

}  // namespace meshd
