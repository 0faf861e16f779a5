// SPDX-License-Identifier: Apache-2.0
/// \file
/// The datagram: 16-byte header, (outside a session) 24 random bytes, items, 16-byte tag
/// (PROTOCOL.md, "Datagram"). Sealed: the items are encrypted, and the tag proves them and the
/// header; open: the tag only tells foreign bytes.
#pragma once

#include <array>
#include <optional>
#include <tl/expected.hpp>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/ids.h"
#include "proto/base/prng.h"
#include "proto/crypto/seal.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace meshd {

enum class DatagramKind : std::uint8_t {
    Outside = 1,  ///< HELLO, OFFER, REQ, ACC: no session yet
    Session = 2,
};

struct DatagramHeader {
    std::uint8_t version = limits::kVersionMax;
    DatagramKind kind = DatagramKind::Session;
    /// Outside a session the hint of the mesh key it is sealed with, 0 = open; inside it 0.
    std::uint16_t flags = 0;
    SessionId session;          ///< of the receiver; 0 outside a session
    std::uint64_t counter = 0;  ///< per session and direction, 1 to kCounterMax; else 0
};

struct Item {
    MessageKind kind = MessageKind::Heartbeat;
    Bytes bytes;
};

/// The items of a datagram, in order. Most have one or two, which need no memory of their own.
class Items {
  public:
    void push_back(const Item& item) {
        if (size_ < kFew) {
            few_[size_] = item;
        } else {
            if (size_ == kFew) {
                many_.assign(few_.begin(), few_.end());
            }
            many_.push_back(item);
        }
        ++size_;
    }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const Item* begin() const { return size_ <= kFew ? few_.data() : many_.data(); }
    const Item* end() const { return begin() + size_; }
    const Item& operator[](std::size_t index) const { return begin()[index]; }

  private:
    static constexpr std::size_t kFew = 4;
    std::array<Item, kFew> few_{};
    std::vector<Item> many_;  ///< all of them, where they are more
    std::size_t size_ = 0;
};

struct Datagram {
    DatagramHeader header;
    Items items;
};

enum class FrameError {
    TooShort,
    TooLong,
    Version,
    Kind,   ///< or session or counter do not go with it
    Tag,    ///< foreign bytes, or damaged ones, or sealed with another key
    Items,  ///< lengths do not add up, or too many
};

/// Header only, without checking the rest: which session may be meant.
tl::expected<DatagramHeader, FrameError> peek_header(Bytes datagram);

/// Checks and splits one open datagram. Spans point into `datagram`.
tl::expected<Datagram, FrameError> open_datagram(Bytes datagram);

/// The same for one sealed with `key`: of the session, or of a mesh key outside any. It is
/// decrypted into `plain`, which spans point into; one failed decryption is all that foreign bytes
/// cost.
tl::expected<Datagram, FrameError> open_datagram(Bytes datagram, const SealKey& key, Buffer& plain);

/// The first of the random bytes of a datagram outside a session: no two have the same.
std::uint64_t fingerprint_of(Bytes datagram);

/// Builds one datagram item by item.
class DatagramBuilder {
  public:
    /// `bytes_max`: length of the whole datagram. `nonce_source` only for Outside datagrams.
    DatagramBuilder(const DatagramHeader& header, std::size_t bytes_max, Prng* nonce_source);

    /// Bytes that a message may still have (EncodedMessage::bytes).
    std::size_t room() const;
    bool empty() const { return items_ == 0; }
    /// False where it does not fit.
    bool add(const EncodedMessage& message);
    /// Bytes with their tag, sealed with `key` where there is one. With `pad_to`, zero bytes fill
    /// an item of kind 0, which receivers skip.
    Buffer finish(const SealKey* key = nullptr, std::size_t pad_to = 0) &&;

  private:
    Buffer bytes_;
    DatagramHeader header_;
    std::size_t bytes_max_;
    std::size_t items_ = 0;
};

}  // namespace meshd
