// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/peer.h"

namespace meshd::fuzz {

Peer::Peer(Node& node, const Keyring& ring, Identity self, Endpoint address, std::string mesh)
    : node_(&node),
      ring_(&ring),
      address_(std::move(address)),
      random_(Entropy{77}),
      handshake_(std::move(self), std::move(mesh), features::kAll, ring, random_) {}

bool Peer::link(Now now, const Identity& to, const Endpoint& endpoint) {
    session_.reset();
    asked_ = endpoint;
    handshake_.clear();
    InitiationExtras extras;
    extras.seal = ring_->active;
    handshake_.initiate(now.monotonic, to, endpoint, LinkReason::Fill, std::nullopt, extras);
    // Each message is answered at once or not at all: HELLO, REQ, and one to spare.
    for (int round = 0; round < 3 && !session_; ++round) {
        send_due(now);
        drain(now);
    }
    if (session_) {
        send(now, {encode_message(Conf{})});
    }
    return session_.has_value();
}

void Peer::send_due(Now now) {
    while (const auto message = handshake_.poll_message()) {
        const MeshKey* key = ring_->find(message->seal);
        DatagramHeader header;
        header.kind = DatagramKind::Outside;
        header.flags = key_hint(message->seal);
        DatagramBuilder builder(header, limits::kDatagramBytesDefault, &random_);
        builder.add(encode_message(message->message));
        const std::size_t pad =
            std::holds_alternative<Hello>(message->message) ? limits::kHelloBytes : 0;
        const SealKey seal = key != nullptr ? outside_key(*key) : SealKey{};
        node_->handle_datagram(now, address_,
                               std::move(builder).finish(key != nullptr ? &seal : nullptr, pad));
    }
}

void Peer::send(Now now, const std::vector<EncodedMessage>& items, std::uint64_t skipped) {
    if (!session_) {
        return;
    }
    DatagramHeader header;
    header.session = session_->peer_session;
    counter_ += 1 + skipped;
    header.counter = counter_;
    DatagramBuilder builder(header, limits::kDatagramBytesMax, nullptr);
    for (const EncodedMessage& item : items) {
        builder.add(item);
    }
    const SealKey* key = session_->keys ? &session_->keys->send : nullptr;
    node_->handle_datagram(now, address_, std::move(builder).finish(key));
}

void Peer::send_outside(Now now, const std::vector<EncodedMessage>& items, bool is_sealed) {
    const MeshKey* key = is_sealed ? ring_->active_key() : nullptr;
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    header.flags = key != nullptr ? key_hint(ring_->active) : std::uint16_t{0};
    DatagramBuilder builder(header, limits::kDatagramBytesMax, &random_);
    for (const EncodedMessage& item : items) {
        builder.add(item);
    }
    const SealKey seal = key != nullptr ? outside_key(*key) : SealKey{};
    node_->handle_datagram(
        now, address_,
        std::move(builder).finish(key != nullptr ? &seal : nullptr, limits::kHelloBytes));
}

void Peer::drain(Now now) {
    while (const auto transmit = node_->poll_transmit()) {
        if (!transmit->is_beacon && transmit->to.same_address(address_)) {
            on_datagram(now, transmit->bytes);
        }
    }
}

void Peer::on_datagram(Now now, Bytes datagram) {
    const auto header = peek_header(datagram);
    if (!header || header->kind != DatagramKind::Outside) {
        return;
    }
    const MeshKey* key = ring_->find_hint(header->flags);
    Buffer plain;
    const auto opened = key != nullptr ? open_datagram(datagram, outside_key(*key), plain)
                                       : open_datagram(datagram);
    if (!opened) {
        return;
    }
    const KeyId seal = key != nullptr ? key_id(*key) : KeyId{};
    for (const Item& item : opened->items) {
        const auto message = decode_message(item.kind, item.bytes);
        if (!message) {
            continue;
        }
        // The endpoint asked is the only one that answers.
        if (const auto* offer = std::get_if<Offer>(&*message)) {
            handshake_.on_offer(now.monotonic, asked_, *offer, seal);
        } else if (const auto* acc = std::get_if<Acc>(&*message)) {
            handshake_.on_acc(now.monotonic, asked_, *acc, seal);
        }
    }
    if (auto established = handshake_.poll_established()) {
        session_ = std::move(*established);
        counter_ = 0;
    }
}

}  // namespace meshd::fuzz
