// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// A new link is published this much later: at a start several come together.
constexpr Duration kLinkUpPublishDelay = milliseconds(20);
/// A conflict of names is told at most this often.
constexpr Duration kConflictInterval = std::chrono::minutes(1);

}  // namespace

void Node::Impl::send_outside(const Endpoint& to, const Message& message, bool is_beacon) {
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng_);
    builder.add(encode_message(message));
    const std::size_t pad_to = std::holds_alternative<Hello>(message) ? limits::kHelloBytes : 0;
    transmits_.push_back({to, is_beacon, std::move(builder).finish(pad_to)});
    counters_.add(Counter::messages_sent);
    if (std::holds_alternative<Hello>(message)) {
        discovery_.on_asked(now_, is_beacon ? std::nullopt : std::optional(to));
    }
}

void Node::Impl::on_conflict(TimePoint now) {
    counters_.add(Counter::drop_name_conflict);
    conflict_seen_ = now;
    if (!conflict_told_ || now - *conflict_told_ >= kConflictInterval) {
        outputs_.push_back(NodeEvent{NodeEventKind::Conflict, self_.node, {}});
        conflict_told_ = now;
    }
}

/// Another installation of that name has confirmed links: here, or elsewhere in the mesh.
bool Node::Impl::is_name_taken(const Identity& who) const {
    const auto link = links_.find(who.node);
    if (link != links_.end()) {
        return link->second.peer().instance != who.instance;
    }
    const HeldRecord* held = store_.node_record(who.node);
    return held != nullptr && held->record.node->instance != who.instance &&
           topology_.is_reachable(who.node);
}

bool Node::Impl::is_acceptable(const Identity& from, std::uint8_t version_min,
                               std::uint8_t version_max, bool is_asking) {
    if (version_min > limits::kVersionMax || version_max < limits::kVersionMin) {
        counters_.add(Counter::drop_version);
        return false;
    }
    if (from.node == self_.node) {
        on_conflict(now_);
        return false;
    }
    // It is told so when it asks for a link; until then it is as good as not there.
    if (is_name_taken(from) && !is_asking) {
        counters_.add(Counter::drop_name_conflict);
        return false;
    }
    return true;
}

void Node::Impl::on_hello(TimePoint now, const Endpoint& from, const Hello& hello,
                          std::uint64_t fingerprint) {
    counters_.add(Counter::beacons_received);
    if (hello.from.start == self_.start) {
        counters_.add(Counter::drop_own_beacon);
        return;
    }
    switch (discovery_.admit(now, from, fingerprint)) {
        case Discovery::Admission::Accept:
            break;
        case Discovery::Admission::Duplicate:
            return;
        case Discovery::Admission::Limited:
            counters_.add(Counter::drop_rate);
            return;
    }
    if (hello.mesh != config_.mesh_name) {
        counters_.add(Counter::drop_other_mesh);
        return;
    }
    if (hello.address && !hello.address->same_address(from)) {
        counters_.add(Counter::drop_beacon_address);
        return;
    }
    if (!is_acceptable(hello.from, hello.version_min, hello.version_max, !hello.address)) {
        return;
    }
    const bool is_beacon = hello.address.has_value();
    const Link* link = find_link(hello.from.node);
    const bool linked = link != nullptr && link->peer() == hello.from;
    if (is_beacon) {
        if (neighbours_.on_heard(now, hello.from, from, std::nullopt)) {
            counters_.add(Counter::peers_discovered);
            neighbours_.on_change(now, false);
        } else if (neighbours_.find(hello.from.node) == nullptr) {
            counters_.add(Counter::drop_nodes_full);
        }
        if (linked) {
            return;
        }
    }
    if (!discovery_.on_hello(now, from, hello.from.start, is_beacon, neighbours_.heard(),
                             config_.max_peers)) {
        counters_.add(Counter::drop_offers);
    }
    if (!is_beacon) {
        run_discovery(now);
    }
}

void Node::Impl::on_offer(TimePoint now, const Endpoint& from, const Offer& offer) {
    if (offer.to != self_.start || !discovery_.expects_offer(now, from)) {
        counters_.add(Counter::drop_not_for_us);
        return;
    }
    if (!discovery_.admit_offer(now, from)) {
        counters_.add(Counter::drop_rate);
        return;
    }
    if (!is_acceptable(offer.from, offer.version_min, offer.version_max, false)) {
        return;
    }
    // Heard by unicast only: it may not hear our beacons, nor we its, but the way is open.
    if (neighbours_.on_heard(now, offer.from, from, offer.cookie)) {
        counters_.add(Counter::peers_discovered);
    }
    handshake_.on_offer(now, from, offer);
    const Link* link = find_link(offer.from.node);
    if (link == nullptr || link->peer() != offer.from) {
        neighbours_.on_change(now, true);
    }
}

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
    if (!is_acceptable(req.from, req.version, req.version, true)) {
        return;
    }
    const NodeId& node = req.from.node;
    const Link* link = find_link(node);
    std::string refusal;
    if (is_name_taken(req.from)) {
        refusal = "name";
        counters_.add(Counter::drop_name_conflict);
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
        on_conflict(now);
    }
    handshake_.on_acc(now, from, acc);
}

void Node::Impl::open_link(TimePoint now, const Established& established) {
    const NodeId& node = established.peer.node;
    if (has_left_ || leaving_ || sessions_.count(established.own_session) != 0 ||
        is_name_taken(established.peer)) {
        return;
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
    link.egress.send(share_message(heartbeat), TrafficClass::Control, false);
    counters_.add(Counter::heartbeats_sent);
}

void Node::Impl::on_heartbeat(TimePoint now, Link& link, const Heartbeat& heartbeat) {
    counters_.add(Counter::heartbeats_received);
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

void Node::Impl::run_discovery(TimePoint now) {
    if (!discovery_.next_deadline() || now < *discovery_.next_deadline()) {
        return;
    }
    Discovery::Facts facts;
    facts.heard = neighbours_.heard();
    std::vector<NodeId> missing;
    for (const auto& [node, member] : membership_.members()) {
        if (member.status == NodeStatus::Offline || member.status == NodeStatus::Unreachable) {
            missing.push_back(node);
            if (!facts.missing_since || member.since > *facts.missing_since) {
                facts.missing_since = member.since;
            }
        }
    }
    if (!missing.empty()) {
        const NodeId& one = missing[prng_.below(missing.size())];
        const HeldRecord* held = store_.node_record(one);
        if (held != nullptr && !held->record.node->addresses.empty()) {
            const auto& addresses = held->record.node->addresses;
            facts.missing_address = addresses[prng_.below(addresses.size())];
        }
    }
    for (const auto& [peer, link] : links_) {
        facts.linked.push_back(link.endpoint());
    }
    const Discovery::Due due = discovery_.on_timeout(now, facts);
    if (due.beacon) {
        for (const Endpoint& address : addresses_) {
            Hello hello = handshake_.hello();
            hello.address = address;
            send_outside(Endpoint{{}, 0, address.interface}, hello, true);
            counters_.add(Counter::beacons_sent);
        }
    }
    for (const Endpoint& to : due.hellos) {
        send_outside(to, handshake_.hello(), false);
    }
    counters_.add(Counter::drop_offers, due.offers_dropped);
    for (const auto& [to, start] : due.offers) {
        Offer offer;
        offer.version_min = limits::kVersionMin;
        offer.version_max = limits::kVersionMax;
        offer.from = self_;
        offer.to = start;
        offer.cookie = cookies_.bake(now, to, start);
        send_outside(to, offer, false);
    }
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
        handshake_.initiate(now, want.peer, want.endpoint, want.reason, want.cookie);
    }
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
