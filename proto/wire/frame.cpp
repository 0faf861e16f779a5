// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/frame.h"

#include <algorithm>

#include "proto/base/assert.h"
#include "proto/base/hash.h"

namespace meshd {
namespace {

static_assert(limits::kTagBytes == kSealTagBytes && limits::kNonceBytes == kOutsideNonceBytes);

constexpr std::size_t kPaddingItem = 0;
constexpr std::size_t kItemLengthBytes = limits::kItemHeaderBytes - 1;

/// Bytes before the first item.
std::size_t prefix_bytes(DatagramKind kind) {
    return limits::kHeaderBytes + (kind == DatagramKind::Outside ? limits::kNonceBytes : 0);
}

/// Of a datagram outside any session.
OutsideNonce nonce_of(Bytes datagram) {
    OutsideNonce nonce;
    std::copy_n(datagram.begin() + limits::kHeaderBytes, nonce.size(), nonce.begin());
    return nonce;
}

/// `rest`: all items, as they were before sealing.
tl::expected<Datagram, FrameError> split(const DatagramHeader& header, Bytes rest) {
    Datagram opened;
    opened.header = header;
    std::size_t items = 0;
    while (!rest.empty()) {
        if (rest.size() < limits::kItemHeaderBytes || ++items > limits::kItemsMax) {
            return tl::make_unexpected(FrameError::Items);
        }
        const std::uint8_t kind = rest[0];
        const std::size_t length = load_big_endian<kItemLengthBytes>(rest.data() + 1);
        rest = rest.subspan(limits::kItemHeaderBytes);
        if (length > rest.size()) {
            return tl::make_unexpected(FrameError::Items);
        }
        if (kind != kPaddingItem) {
            opened.items.push_back({static_cast<MessageKind>(kind), rest.first(length)});
        }
        rest = rest.subspan(length);
    }
    return opened;
}

}  // namespace

tl::expected<DatagramHeader, FrameError> peek_header(Bytes datagram) {
    if (datagram.size() < limits::kHeaderBytes + limits::kTagBytes) {
        return tl::make_unexpected(FrameError::TooShort);
    }
    if (datagram.size() > limits::kDatagramBytesMax) {
        return tl::make_unexpected(FrameError::TooLong);
    }
    DatagramHeader header;
    header.version = datagram[0];
    if (header.version < limits::kVersionMin || header.version > limits::kVersionMax) {
        return tl::make_unexpected(FrameError::Version);
    }
    header.kind = static_cast<DatagramKind>(datagram[1]);
    header.flags = static_cast<std::uint16_t>(load_big_endian<2>(datagram.data() + 2));
    header.session = SessionId{static_cast<std::uint32_t>(load_big_endian<4>(datagram.data() + 4))};
    header.counter = load_big_endian<8>(datagram.data() + 8);
    const bool is_outside = header.kind == DatagramKind::Outside && !header.session;
    const bool is_session = header.kind == DatagramKind::Session && header.session &&
                            header.counter != 0 && header.counter <= limits::kCounterMax;
    if (!is_outside && !is_session) {
        return tl::make_unexpected(FrameError::Kind);
    }
    if (datagram.size() < prefix_bytes(header.kind) + limits::kTagBytes) {
        return tl::make_unexpected(FrameError::TooShort);
    }
    return header;
}

tl::expected<Datagram, FrameError> open_datagram(Bytes datagram) {
    const auto header = peek_header(datagram);
    if (!header) {
        return tl::make_unexpected(header.error());
    }
    const Bytes covered = datagram.first(datagram.size() - limits::kTagBytes);
    const Hash128 tag = hash128(covered);
    if (!std::equal(tag.begin(), tag.end(), datagram.last(limits::kTagBytes).begin())) {
        return tl::make_unexpected(FrameError::Tag);
    }
    return split(*header, covered.subspan(prefix_bytes(header->kind)));
}

tl::expected<Datagram, FrameError> open_datagram(Bytes datagram, const SealKey& key,
                                                 Buffer& plain) {
    const auto header = peek_header(datagram);
    if (!header) {
        return tl::make_unexpected(header.error());
    }
    const std::size_t prefix = prefix_bytes(header->kind);
    const auto tag = datagram.last<limits::kTagBytes>();
    const Bytes sealed = datagram.subspan(prefix, datagram.size() - prefix - limits::kTagBytes);
    const Bytes head = datagram.first(limits::kHeaderBytes);
    plain.resize(sealed.size());
    const bool is_genuine =
        header->kind == DatagramKind::Outside
            ? open_outside(key, nonce_of(datagram), head, sealed, tag, plain.data())
            : open_session(key, header->counter, head, sealed, tag, plain.data());
    if (!is_genuine) {
        return tl::make_unexpected(FrameError::Tag);
    }
    return split(*header, plain);
}

std::uint64_t fingerprint_of(Bytes datagram) {
    MESHD_ASSERT(datagram.size() >= limits::kHeaderBytes + sizeof(std::uint64_t));
    return load_big_endian<8>(datagram.data() + limits::kHeaderBytes);
}

DatagramBuilder::DatagramBuilder(const DatagramHeader& header, std::size_t bytes_max,
                                 Prng* nonce_source)
    : header_(header), bytes_max_(bytes_max) {
    MESHD_ASSERT(bytes_max >= prefix_bytes(header.kind) + limits::kTagBytes &&
                 bytes_max <= limits::kDatagramBytesMax);
    bytes_.reserve(bytes_max);
    bytes_.push_back(header.version);
    bytes_.push_back(static_cast<std::uint8_t>(header.kind));
    append_big_endian<2>(bytes_, header.flags);
    append_big_endian<4>(bytes_, header.session.value);
    append_big_endian<8>(bytes_, header.counter);
    if (header.kind == DatagramKind::Outside) {
        MESHD_ASSERT(nonce_source != nullptr);
        bytes_.resize(bytes_.size() + limits::kNonceBytes);
        nonce_source->fill(bytes_.data() + limits::kHeaderBytes, limits::kNonceBytes);
    }
}

std::size_t DatagramBuilder::room() const {
    const std::size_t used = bytes_.size() + limits::kItemHeaderBytes + limits::kTagBytes;
    return items_ < limits::kItemsMax && used < bytes_max_ ? bytes_max_ - used : 0;
}

bool DatagramBuilder::add(const EncodedMessage& message) {
    if (message.bytes.size() > room()) {
        return false;
    }
    bytes_.push_back(static_cast<std::uint8_t>(message.kind));
    append_big_endian<kItemLengthBytes>(bytes_, message.bytes.size());
    append(bytes_, message.bytes);
    ++items_;
    return true;
}

Buffer DatagramBuilder::finish(const SealKey* key, std::size_t pad_to) && {
    const std::size_t unpadded = bytes_.size() + limits::kTagBytes;
    if (unpadded < pad_to) {
        const std::size_t gap = pad_to - unpadded;
        const std::size_t zeros = gap - std::min(gap, limits::kItemHeaderBytes);
        bytes_.push_back(kPaddingItem);
        append_big_endian<kItemLengthBytes>(bytes_, zeros);
        bytes_.resize(bytes_.size() + zeros);
    }
    if (key == nullptr) {
        append(bytes_, Bytes(hash128(bytes_)));
        return std::move(bytes_);
    }
    const std::size_t prefix = prefix_bytes(header_.kind);
    const std::size_t end = bytes_.size();
    bytes_.resize(end + limits::kTagBytes);
    const Bytes head(bytes_.data(), limits::kHeaderBytes);
    const std::span text(bytes_.data() + prefix, end - prefix);
    const std::span<std::uint8_t, limits::kTagBytes> tag(bytes_.data() + end, limits::kTagBytes);
    if (header_.kind == DatagramKind::Outside) {
        seal_outside(*key, nonce_of(bytes_), head, text, tag);
    } else {
        seal_session(*key, header_.counter, head, text, tag);
    }
    return std::move(bytes_);
}

}  // namespace meshd
