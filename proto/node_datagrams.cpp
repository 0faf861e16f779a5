// SPDX-License-Identifier: Apache-2.0
/// \file
/// What comes in over the network: one datagram, its items, each message of a link.
#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/node_impl.h"

namespace meshd {
namespace {

Counter counter_of(FrameError error) {
    switch (error) {
        case FrameError::TooShort:
            return Counter::drop_too_short;
        case FrameError::TooLong:
            return Counter::drop_too_long;
        case FrameError::Version:
            return Counter::drop_version;
        case FrameError::Kind:
            return Counter::drop_kind;
        case FrameError::Tag:
            return Counter::drop_tag;
        case FrameError::Items:
            return Counter::drop_items;
    }
    MESHD_ASSERT(false);
}

/// Link control answers itself or is repeated by its own timers; all else is acknowledged. Kinds
/// unknown here are too, so that a newer sender does not repeat them for ever.
bool wants_acknowledgement(MessageKind kind) {
    return kind != MessageKind::Heartbeat && kind != MessageKind::Ack &&
           kind != MessageKind::Conf && kind != MessageKind::Close && kind != MessageKind::Notice;
}

}  // namespace

void Node::Impl::handle_datagram(Now now, const Endpoint& from, Bytes datagram) {
    at(now);
    counters_.add(Counter::datagrams_received);
    counters_.add(Counter::bytes_received, datagram.size());
    const auto header = peek_header(datagram);
    if (!header) {
        counters_.add(counter_of(header.error()));
        return;
    }
    if (header->kind == DatagramKind::Outside) {
        on_outside(now, from, *header, datagram);
    } else {
        on_session(now, from, header->session, datagram);
    }
    settle(now);
}

/// What cannot be read is left out. The rest counts, and the datagram is acknowledged: refusing it
/// whole would have the sender repeat it for ever, with whatever was packed beside it.
Node::Impl::Decoded& Node::Impl::decode_items(const Datagram& datagram, bool& wants_ack) {
    Decoded& messages = decoded_;
    messages.clear();
    for (const Item& item : datagram.items) {
        wants_ack = wants_ack || wants_acknowledgement(item.kind);
        auto message = decode_message(item.kind, item.bytes);
        if (message) {
            messages.push_back(std::move(*message));
        } else if (message.error() == DecodeError::UnknownKind) {
            counters_.add(Counter::drop_unknown_kind);
        } else {
            counters_.add(Counter::drop_malformed);
        }
    }
    counters_.add(Counter::messages_received, messages.size());
    return messages;
}

void Node::Impl::on_outside(Now now, const Endpoint& from, const DatagramHeader& header,
                            Bytes datagram) {
    const std::uint16_t hint = header.flags;
    const KeyId seal = sealing_.find(hint);
    if (hint == 0 ? !sealing_.is_open_allowed() : !seal) {
        counters_.add(hint == 0 ? Counter::drop_unsealed : Counter::drop_other_key);
        sealing_.on_foreign(now.monotonic, from, hint);
        return;
    }
    if (!outside_gate_.admit(now.monotonic, from)) {
        counters_.add(Counter::drop_outside_rate);
        return;
    }
    const auto opened = seal ? open_datagram(datagram, sealing_.outside_key(seal), plain_)
                             : open_datagram(datagram);
    if (!opened) {
        counters_.add(counter_of(opened.error()));
        return;
    }
    if (opened->items.size() > 1) {
        // Many HELLOs in one datagram would be answered by many OFFERs.
        counters_.add(Counter::drop_items);
        return;
    }
    bool wants_ack = false;
    const Decoded& messages = decode_items(*opened, wants_ack);
    if (has_left_ || leaving_) {
        return;
    }
    for (const Message& message : messages) {
        if (const auto* hello = std::get_if<Hello>(&message)) {
            if (datagram.size() < limits::kHelloBytes) {
                counters_.add(Counter::drop_unpadded);
                return;
            }
            on_hello(now.monotonic, from, *hello, fingerprint_of(datagram), seal);
        } else if (const auto* offer = std::get_if<Offer>(&message)) {
            on_offer(now.monotonic, from, *offer, seal);
        } else if (const auto* req = std::get_if<Req>(&message)) {
            on_req(now.monotonic, from, *req, seal);
        } else if (const auto* acc = std::get_if<Acc>(&message)) {
            on_acc(now.monotonic, from, *acc, seal);
        } else {
            counters_.add(Counter::drop_not_allowed_here);
        }
    }
}

void Node::Impl::on_session(Now now, const Endpoint& from, SessionId session, Bytes datagram) {
    const auto known = sessions_.find(session);
    const bool is_slot = known == sessions_.end() && handshake_.is_slot(session);
    if (known == sessions_.end() && !is_slot) {
        counters_.add(Counter::drop_unknown_session);
        return;
    }
    if (!is_slot && !find_link(known->second)->endpoint().same_address(from)) {
        counters_.add(Counter::drop_wrong_source);
        return;
    }
    const SealKey* key =
        is_slot ? handshake_.slot_key(session) : find_link(known->second)->receive_key();
    const auto opened =
        key != nullptr ? open_datagram(datagram, *key, plain_) : open_datagram(datagram);
    if (!opened) {
        counters_.add(counter_of(opened.error()));
        return;
    }
    bool wants_ack = false;
    Decoded& messages = decode_items(*opened, wants_ack);
    if (is_slot) {
        const auto established = handshake_.on_confirmed(session, from);
        if (!established) {
            counters_.add(Counter::drop_wrong_source);
            return;
        }
        open_link(now.monotonic, *established);
    }
    const auto at = sessions_.find(session);
    if (at == sessions_.end()) {
        return;
    }
    const NodeId peer = at->second;
    if (!find_link(peer)->on_datagram(now.monotonic, opened->header.counter)) {
        counters_.add(Counter::drop_replay);
        return;
    }
    bool has_bulk = false;
    for (Message& message : messages) {
        has_bulk = has_bulk || std::holds_alternative<Delta>(message) ||
                   std::holds_alternative<Fragment>(message);
        if (!on_link_message(now, peer, message)) {
            wants_ack = false;
        }
        if (find_link(peer) == nullptr) {
            return;
        }
    }
    find_link(peer)->egress.on_received(now.monotonic, opened->header.counter, wants_ack, has_bulk);
}

/// False where the datagram must not be acknowledged, so that it comes again.
bool Node::Impl::on_link_message(Now now, const NodeId& peer, Message& message) {
    Link& link = *find_link(peer);
    if (const auto* heartbeat = std::get_if<Heartbeat>(&message)) {
        on_heartbeat(now.monotonic, link, *heartbeat);
    } else if (const auto* ack = std::get_if<Ack>(&message)) {
        link.egress.on_ack(*ack);
    } else if (const auto* record = std::get_if<Push>(&message)) {
        on_push(now, peer, *record);
    } else if (const auto* fragment = std::get_if<Fragment>(&message)) {
        return on_fragment(now, peer, *fragment);
    } else if (const auto* routed = std::get_if<Routed>(&message)) {
        on_routed(now, peer, *routed);
    } else if (const auto* digest = std::get_if<Digest>(&message)) {
        if (digest->is_request) {
            send_digest(link, digest->hashes);
        } else {
            store_.check_own_streams(digest->streams);
            meet_forgotten(now.monotonic, digest->streams);
            reconciler_.on_digest(now.monotonic, peer, *digest);
        }
    } else if (const auto* notice = std::get_if<Notice>(&message)) {
        on_notice(now.monotonic, link, *notice);
    } else if (const auto* census = std::get_if<Census>(&message)) {
        census->is_request ? send_census(now.monotonic, link, census->number)
                           : on_census(now, peer, *census);
    } else if (const auto* announce = std::get_if<Announce>(&message)) {
        announcer_.on_announce(
            now.monotonic, peer, *announce,
            [&](StreamId stream, std::uint64_t counter) { return store_.covers(stream, counter); });
    } else if (const auto* pull = std::get_if<Pull>(&message)) {
        on_pull(now.monotonic, link, *pull);
    } else if (auto* delta = std::get_if<Delta>(&message)) {
        on_delta(now, peer, *delta);
    } else if (const auto* grant = std::get_if<KeyGrant>(&message)) {
        on_key_grant(now.monotonic, link, *grant);
    } else if (std::holds_alternative<Prune>(message)) {
        on_prune(now.monotonic, peer);
    } else if (const auto* close = std::get_if<Close>(&message)) {
        if (close->reason == CloseReason::Pruned) {
            neighbours_.on_dropped(now.monotonic, peer);
        } else if (close->reason == CloseReason::Silent) {
            neighbours_.on_link_lost(now.monotonic, peer, link.endpoint());
        }
        handshake_.abandon(peer);
        close_link(now.monotonic, peer,
                   close->reason == CloseReason::Pruned ? LinkEnd::GivenUp : LinkEnd::Lost);
    } else if (!std::holds_alternative<Conf>(message)) {
        counters_.add(Counter::drop_not_allowed_here);
    }
    return true;
}

bool Node::Impl::on_fragment(Now now, const NodeId& peer, const Fragment& fragment) {
    Reassembler& reassembler = find_link(peer)->reassembler;
    counters_.add(Counter::fragments_received);
    switch (reassembler.on_fragment(now.monotonic, fragment)) {
        case Reassembler::Result::Stored:
        case Reassembler::Result::Duplicate:
            return true;
        case Reassembler::Result::NoRoom:
            counters_.add(Counter::drop_reassembly);
            return false;
        case Reassembler::Result::Malformed:
            counters_.add(Counter::drop_malformed);
            return true;
        case Reassembler::Result::Complete:
            break;
    }
    EncodedMessage whole = reassembler.take();
    auto message = decode_message(whole.kind, whole.bytes);
    if (!message || std::holds_alternative<Fragment>(*message)) {
        counters_.add(Counter::drop_malformed);
        return true;
    }
    counters_.add(Counter::messages_received);
    const bool is_taken = on_link_message(now, peer, *message);
    if (Link* link = find_link(peer)) {
        link->reassembler.recycle(std::move(whole.bytes));
    }
    return is_taken;
}

}  // namespace meshd
