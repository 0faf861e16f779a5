// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// A new link is published this much later: at a start several come together.
constexpr Duration kLinkUpPublishDelay = milliseconds(20);
/// While a large mesh forms all its nodes have such news, and no two of them know the graph by
/// which it could go along a tree. Then links made, and given up in favour of others, wait this
/// much longer for each node that is new, up to about as long as it takes a node to find its
/// neighbours.
constexpr Duration kLinkPublishPerNews = milliseconds(2);
constexpr Duration kLinkPublishDelayMax = milliseconds(400);

/// Of a link that comes up after such a silence, or in the place of one that had recovered from it.
Liveness recovered(TimePoint now, Duration silence, const Config& config, Prng& prng) {
    const TimePoint since = now - silence;
    Liveness liveness(since - 2 * Liveness::kFreshEvidence,
                      {config.link_patience, config.link_patience_max}, prng);
    liveness.check(since);
    liveness.on_heard(now);
    return liveness;
}

/// What the same start of the peer was silent for, when its link went down of late. No patience
/// would have bridged more than the longest: that is not to be learned from.
std::optional<Duration> bridgeable_silence(TimePoint now, const HeardNode* heard,
                                           const Identity& peer, const Config& config) {
    if (heard == nullptr || heard->identity != peer || heard->losses.empty()) {
        return std::nullopt;
    }
    const Duration silence = now - heard->losses.back() + config.link_patience;
    return silence <= config.link_patience_max ? std::optional(silence) : std::nullopt;
}

}  // namespace

Duration Node::Impl::link_publish_delay(TimePoint now) const {
    const std::size_t news = std::max(
        heard_news_.recent(now), std::min(node_news_.recent(now), membership_.members().size()));
    const auto counted = static_cast<Duration::rep>(news > kManyNodes ? news : 0);
    return std::min(kLinkPublishDelayMax, kLinkUpPublishDelay + kLinkPublishPerNews * counted);
}

void Node::Impl::on_discovered(TimePoint now) {
    counters_.add(Counter::peers_discovered);
    heard_news_.add(now);
}

void Node::Impl::open_link(TimePoint now, const Established& established) {
    const NodeId& node = established.peer.node;
    if (has_left_ || leaving_ || sessions_.count(established.own_session) != 0 ||
        name_conflict_.is_holding(now) || name_claim(now, established.peer) != NameClaim::Free) {
        return;
    }
    std::map<NodeId, Link>::node_type former;
    Link* old = find_link(node);
    const bool replaces = old != nullptr && old->peer() == established.peer;
    if (replaces && old->seal() && !established.seal) {
        counters_.add(Counter::drop_unsealed);
        return;
    }
    if (links_.empty()) {
        name_conflict_.on_admitted(now);
    }
    // Another session on the same way is as lossy as the one before.
    const std::uint8_t cost_class =
        replaces && old->endpoint() == established.endpoint ? old->cost_class : 0;
    if (old != nullptr) {
        sessions_.erase(old->own_session());
        if (!replaces) {
            counters_.add(Counter::links_down);
            outputs_.push_back(LinkEvent{false, node, old->endpoint()});
        }
        reconciler_.on_link_down(node);
        announcer_.on_peer_gone(node);
        former = links_.extract(node);
    } else if (links_.size() >= limits::kLinksMax) {
        counters_.add(Counter::drop_full);
        return;
    } else {
        make_room_for(now, node);
    }
    Link& link =
        links_.try_emplace(node, now, established, config_, counters_, reassembly_budget_, prng_)
            .first->second;
    link.cost_class = cost_class;
    std::optional<Duration> silence;
    if (!replaces) {
        silence = bridgeable_silence(now, neighbours_.find(node), established.peer, config_);
    } else if (former.mapped().liveness.rtt().smoothed() &&
               former.mapped().liveness.patience(now) > config_.link_patience) {
        silence = former.mapped().liveness.patience(now) * 2 / 3;
    }
    if (silence) {
        link.liveness = recovered(now, *silence, config_, prng_);
        // It is not the first exchange, which is later, but carries the hashes as that does.
        send_heartbeat(link, false, link.liveness.seq(), std::nullopt);
    }
    if (replaces) {
        link.egress.take_over(former.mapped().egress);
        link.claims = std::move(former.mapped().claims);
        counters_.add(Counter::links_rekeyed, former.mapped().is_rekeying ? 1 : 0);
    }
    keys_due_ = now;
    sessions_[established.own_session] = node;
    has_had_links_ = true;
    if (!replaces) {
        counters_.add(Counter::links_up);
        outputs_.push_back(LinkEvent{true, node, established.endpoint});
        publish_node_soon(now + link_publish_delay(now));
        topology_dirty_ = true;
    }
    if (neighbours_.on_heard(now, established.peer, established.endpoint, std::nullopt)) {
        on_discovered(now);
    }
    neighbours_.on_change(now, false);
    reconciler_.on_link_up(now, node);
}

std::vector<SessionId> Node::Impl::sessions() const {
    std::vector<SessionId> all;
    for (const auto& [session, peer] : sessions_) {
        all.push_back(session);
    }
    handshake_.list_slots(all);
    return all;
}

void Node::Impl::close_link(TimePoint now, const NodeId& peer, LinkEnd end) {
    Link* link = find_link(peer);
    counters_.add(Counter::links_down);
    outputs_.push_back(LinkEvent{false, peer, link->endpoint()});
    sessions_.erase(link->own_session());
    links_.erase(peer);
    reconciler_.on_link_down(peer);
    under_way_.erase(peer);
    mesh_time_.on_link_down(peer);
    announcer_.on_peer_gone(peer);
    if (leaving_ || has_left_) {
        return;
    }
    // Who is left for another peer is alive: nobody waits for that news where there is much.
    const Duration delay = link_publish_delay(now);
    publish_node_soon(end == LinkEnd::Lost || delay == kLinkUpPublishDelay ? now : now + delay);
    neighbours_.on_change(now, links_.empty());
    discovery_.on_change(now);
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
