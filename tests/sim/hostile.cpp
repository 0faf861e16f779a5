// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/hostile.h"

#include <utility>

#include "proto/base/assert.h"
#include "proto/wire/codec.h"
#include "proto/wire/frame.h"

namespace meshd::sim {

Buffer garbage(Prng& prng, std::size_t bytes_max) {
    Buffer bytes(prng.below(bytes_max + 1));
    prng.fill(bytes.data(), bytes.size());
    return bytes;
}

Buffer truncated(const Buffer& datagram, Prng& prng) {
    Buffer bytes = datagram;
    bytes.resize(prng.below(datagram.size()));
    return bytes;
}

Buffer bit_flipped(const Buffer& datagram, Prng& prng) {
    Buffer bytes = datagram;
    const std::uint64_t bit = prng.below(bytes.size() * 8);
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    return bytes;
}

Buffer outside_datagram(const Message& message, Prng& prng, std::size_t pad_to) {
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng);
    const bool fits = builder.add(encode_message(message));
    MESHD_ASSERT(fits);
    return std::move(builder).finish(nullptr, pad_to);
}

Identity stranger(Prng& prng) {
    Identity identity;
    identity.node = *NodeId::parse("stranger-" + print_hex(prng.next()));
    identity.instance = InstanceId{prng.next() | 1};
    identity.start = StartId{prng.next() | 1};
    return identity;
}

bool is_session(const Buffer& datagram) {
    const auto header = peek_header(datagram);
    return header && header->kind == DatagramKind::Session;
}

std::optional<MessageKind> whole_kind(MessageKind kind, Bytes content) {
    if (kind != MessageKind::Fragment) {
        return kind;
    }
    const auto message = decode_message(kind, content);
    const auto* fragment = message ? std::get_if<Fragment>(&*message) : nullptr;
    return fragment ? std::optional(fragment->kind) : std::nullopt;
}

std::optional<Buffer> with_items(const Buffer& datagram,
                                 const std::function<unsigned(MessageKind)>& copies) {
    const auto opened = open_datagram(datagram);
    if (!opened || opened->header.kind != DatagramKind::Session) {
        return datagram;
    }
    DatagramBuilder builder(opened->header, limits::kDatagramBytesMax, nullptr);
    for (const Item& item : opened->items) {
        const auto kind = whole_kind(item.kind, item.bytes);
        const unsigned wanted = kind ? copies(*kind) : 1;
        for (unsigned copy = 0; copy < wanted; ++copy) {
            builder.add({item.kind, Buffer(item.bytes.begin(), item.bytes.end())});
        }
    }
    if (builder.empty()) {
        return std::nullopt;
    }
    return std::move(builder).finish();
}

Buffer with_extra_item(const Buffer& datagram, MessageKind kind, Bytes content) {
    const auto opened = open_datagram(datagram);
    MESHD_ASSERT(opened.has_value());
    DatagramBuilder builder(opened->header, limits::kDatagramBytesMax, nullptr);
    for (const Item& item : opened->items) {
        builder.add({item.kind, Buffer(item.bytes.begin(), item.bytes.end())});
    }
    builder.add({kind, Buffer(content.begin(), content.end())});
    return std::move(builder).finish();
}

bool is_repair(MessageKind kind) {
    return kind == MessageKind::Digest || kind == MessageKind::Pull || kind == MessageKind::Delta;
}

}  // namespace meshd::sim
