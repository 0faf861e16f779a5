// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;

/// A link to a former start of an installation must be silent for so long, while it is asked,
/// before another start of it takes the name over: a restart waits for it, and a copy of a living
/// box's disk does not get past it.
constexpr Duration kFormerStartSilence = milliseconds(250);
/// A beacon in the own name is answered by a HELLO: so often at most.
constexpr Duration kSameNameAsked = std::chrono::seconds(1);

}  // namespace

/// `seal`: the mesh key to seal it with; 0 = open. Nothing is sent under one that is not used.
void Node::Impl::send_outside(const Endpoint& to, const Message& message, KeyId seal,
                              bool is_beacon) {
    if (!sealing_.is_usable(seal)) {
        return;
    }
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    header.flags = key_hint(seal);
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng_);
    builder.add(encode_message(message));
    const std::size_t pad_to = std::holds_alternative<Hello>(message) ? limits::kHelloBytes : 0;
    const SealKey* key = seal ? &sealing_.outside_key(seal) : nullptr;
    Buffer datagram = std::move(builder).finish(key, pad_to);
    if (std::holds_alternative<Hello>(message)) {
        discovery_.on_asked(now_, is_beacon ? std::nullopt : std::optional(to),
                            fingerprint_of(datagram));
    }
    transmits_.push_back({to, is_beacon, std::move(datagram)});
    counters_.add(Counter::messages_sent);
}

/// A HELLO to whom it is not known what it speaks.
void Node::Impl::ask_all(const Endpoint& to, const Hello& hello, bool is_beacon) {
    for (const KeyId seal : sealing_.asking_seals(is_beacon)) {
        send_outside(to, hello, seal, is_beacon);
    }
}

void Node::Impl::on_name_conflict(TimePoint now, NameConflict::Action action) {
    const bool tells =
        action == NameConflict::Action::Tell || action == NameConflict::Action::TellAndYield;
    if (tells) {
        const NameConflict::Other& other = name_conflict_.other();
        outputs_.push_back(
            NodeEvent{NodeEventKind::Conflict, self_.node, {}, other.instance, other.address});
    }
    if (action == NameConflict::Action::Yield || action == NameConflict::Action::TellAndYield) {
        yield_name(now);
    }
}

/// Somebody else speaks in the own name: now, as an echo of what this node has just drawn proves.
void Node::Impl::on_same_name(TimePoint now, const Identity& from, const Endpoint& endpoint) {
    counters_.add(Counter::drop_name_conflict);
    on_name_conflict(now, name_conflict_.on_heard(now, from, endpoint));
}

/// A beacon in the own name may be another box's, or one of a former start of this box that
/// somebody has recorded: an OFFER will tell.
void Node::Impl::ask_same_name(TimePoint now, const Endpoint& endpoint, KeyId seal) {
    counters_.add(Counter::drop_name_conflict);
    if (!same_name_asked_ || now - *same_name_asked_ >= kSameNameAsked) {
        same_name_asked_ = now;
        send_outside(endpoint, handshake_.hello(), seal);
    }
}

/// The cookie of its OFFER proves this node to the other, as the echo has proved that one here. The
/// other makes no link of it, so there is no Noise message.
void Node::Impl::answer_same_name(const Endpoint& endpoint, const Offer& offer, KeyId seal) {
    Req req;
    req.version = limits::kVersionMax;
    req.mesh = config_.mesh_name;
    req.from = self_;
    req.to = offer.from.start;
    req.cookie = offer.cookie;
    req.session = SessionId{static_cast<std::uint32_t>(prng_.next()) | 1};
    send_outside(endpoint, req, seal);
}

/// A record in the own name that is another's beats the own one. Once for each own rewriting.
void Node::Impl::on_outwritten(TimePoint now, const NodeData& other) {
    if (other.start == self_.start) {
        return;
    }
    std::optional<Endpoint> address;
    if (!other.addresses.empty()) {
        address = other.addresses.front();
    }
    const bool other_has_links = other.presence == Presence::Here && !other.links.empty();
    on_name_conflict(now, name_conflict_.on_outwritten(now, {other.instance, other.start, address},
                                                       other_has_links, !links_.empty()));
}

/// Out of the mesh without a goodbye in the name, which lives on as the other's.
void Node::Impl::yield_name(TimePoint now) {
    counters_.add(Counter::names_yielded);
    handshake_.clear();
    while (!links_.empty()) {
        auto& [peer, link] = *links_.begin();
        link.egress.send(share_message(Close{CloseReason::Replaced}), TrafficClass::Control, false);
        while (auto bytes = link.poll_datagram(now)) {
            transmits_.push_back({link.endpoint(), false, std::move(*bytes)});
        }
        close_link(now, NodeId(peer), LinkEnd::GivenUp);
    }
    topology_dirty_ = true;
    reopen_streams({now, wall_});
}

/// Whose name it is, as far as this node knows. Asked: the link is a former start's, which is being
/// asked whether it still lives; what wants to know is repeated by its sender.
Node::Impl::NameClaim Node::Impl::name_claim(TimePoint now, const Identity& who) {
    Link* link = find_link(who.node);
    if (link == nullptr) {
        const HeldRecord* held = store_.node_record(who.node);
        const bool is_others = held != nullptr && held->record.node->start != who.start &&
                               topology_.is_reachable(who.node);
        return is_others ? NameClaim::Taken : NameClaim::Free;
    }
    if (link->peer() == who) {
        return NameClaim::Free;
    }
    if (link->peer().instance != who.instance) {
        return NameClaim::Taken;
    }
    const auto claim = std::find_if(link->claims.begin(), link->claims.end(),
                                    [&](const Link::Claim& one) { return one.start == who.start; });
    if (claim == link->claims.end()) {
        if (link->claims.size() >= Link::kClaimsMax) {
            return NameClaim::Taken;
        }
        link->claims.push_back({who.start, now, false});
        // Of no records: it is acknowledged, and repeated until it is.
        link->egress.send(share_message(Pull{}), TrafficClass::Control, true);
        return NameClaim::Asked;
    }
    // Once found wrong a claim waits for the link's end: repeated for ever, chance would prove it.
    claim->is_refuted = claim->is_refuted || link->liveness.last_heard() > claim->since;
    if (claim->is_refuted) {
        return NameClaim::Taken;
    }
    const Duration silence =
        std::max(kFormerStartSilence, 2 * link->liveness.rtt().smoothed().value_or(Duration{}));
    return now - claim->since >= silence ? NameClaim::Free : NameClaim::Asked;
}

bool Node::Impl::is_version_spoken(std::uint8_t version_min, std::uint8_t version_max) {
    const bool spoken = version_min <= limits::kVersionMax && version_max >= limits::kVersionMin;
    counters_.add(Counter::drop_version, spoken ? 0 : 1);
    return spoken;
}

void Node::Impl::on_hello(TimePoint now, const Endpoint& from, const Hello& hello,
                          std::uint64_t fingerprint, KeyId seal) {
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
        strangers_.on_heard(now, Stranger::Kind::OtherMesh, hello.mesh, from);
        return;
    }
    if (hello.address && !hello.address->same_address(from)) {
        counters_.add(Counter::drop_beacon_address);
        return;
    }
    if (!is_version_spoken(hello.version_min, hello.version_max)) {
        strangers_.on_heard(now, Stranger::Kind::OtherVersion, "", from);
        return;
    }
    const bool is_beacon = hello.address.has_value();
    const bool is_same_name = hello.from.node == self_.node;
    if (is_beacon && is_same_name) {
        ask_same_name(now, from, seal);
        return;
    }
    counters_.add(Counter::drop_name_conflict, is_same_name ? 1 : 0);
    // Who asks is told by the answer to its REQ. A beacon is until then as good as not there.
    const NameClaim claim = is_beacon ? name_claim(now, hello.from) : NameClaim::Free;
    if (claim == NameClaim::Taken) {
        counters_.add(Counter::drop_name_conflict);
        return;
    }
    const Link* link = find_link(hello.from.node);
    const bool linked = link != nullptr && link->peer() == hello.from;
    if (is_beacon && claim == NameClaim::Free) {
        if (neighbours_.on_heard(now, hello.from, from, std::nullopt)) {
            on_discovered(now);
            neighbours_.on_change(now, false);
        } else if (neighbours_.find(hello.from.node) == nullptr) {
            counters_.add(Counter::drop_nodes_full);
        }
        note_seal(now, hello.from.node, seal);
        if (linked) {
            return;
        }
    }
    if (!discovery_.on_hello(now, {from, hello.from.start, seal, fingerprint}, is_beacon,
                             neighbours_.heard(), config_.max_peers)) {
        counters_.add(Counter::drop_offers);
    }
    if (!is_beacon) {
        run_discovery(now);
    }
}

void Node::Impl::on_offer(TimePoint now, const Endpoint& from, const Offer& offer, KeyId seal) {
    if (offer.to != self_.start || !discovery_.expects_offer(now, from, offer.echo)) {
        counters_.add(Counter::drop_not_for_us);
        return;
    }
    if (!discovery_.admit_offer(now, from)) {
        counters_.add(Counter::drop_rate);
        return;
    }
    if (!is_version_spoken(offer.version_min, offer.version_max)) {
        strangers_.on_heard(now, Stranger::Kind::OtherVersion, "", from);
        return;
    }
    if (offer.from.node == self_.node) {
        on_same_name(now, offer.from, from);
        answer_same_name(from, offer, seal);
        return;
    }
    if (name_claim(now, offer.from) != NameClaim::Free) {
        counters_.add(Counter::drop_name_conflict);
        return;
    }
    // Heard by unicast only: it may not hear our beacons, nor we its, but the way is open.
    if (neighbours_.on_heard(now, offer.from, from, offer.cookie)) {
        on_discovered(now);
    }
    note_seal(now, offer.from.node, seal);
    const Link* link = find_link(offer.from.node);
    const bool is_linked = link != nullptr && link->peer() == offer.from;
    if (is_linked && !may_move(*link)) {
        handshake_.abandon(offer.from.node);
    }
    handshake_.on_offer(now, from, offer, seal);
    if (!is_linked) {
        neighbours_.on_change(now, true);
    }
}

void Node::Impl::run_discovery(TimePoint now) {
    if (!discovery_.next_deadline() || now < *discovery_.next_deadline()) {
        return;
    }
    Discovery::Facts facts;
    facts.heard = neighbours_.heard();
    facts.is_alone = links_.empty();
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
    counters_.add(Counter::beacons_suppressed, due.is_suppressed ? 1 : 0);
    if (due.beacon) {
        for (const Endpoint& address : addresses_) {
            Hello hello = handshake_.hello();
            hello.address = address;
            ask_all(Endpoint{{}, 0, address.interface}, hello, true);
            counters_.add(Counter::beacons_sent);
        }
    }
    for (const Endpoint& to : due.hellos) {
        ask_all(to, handshake_.hello(), false);
    }
    counters_.add(Counter::drop_offers, due.offers_dropped);
    for (const auto& [to, start, seal, echo] : due.offers) {
        Offer offer;
        offer.version_min = limits::kVersionMin;
        offer.version_max = limits::kVersionMax;
        offer.from = self_;
        offer.to = start;
        offer.cookie = cookies_.bake(now, to, start);
        offer.echo = echo;
        send_outside(to, offer, seal);
    }
}

}  // namespace meshd
