// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message structs to bytes and back: u24 JSON length, compact JSON, binary body (PROTOCOL.md,
/// "Messages").
#pragma once

#include <tl/expected.hpp>

#include "proto/base/bytes.h"
#include "proto/wire/message.h"

namespace meshd {

/// A message ready for a datagram item: its kind, and everything behind the item header.
struct EncodedMessage {
    MessageKind kind = MessageKind::Heartbeat;
    Buffer bytes;
};

/// The message must keep the limits of the wire; asserted, since its content is ours.
EncodedMessage encode_message(const Message& message);

enum class DecodeError {
    UnknownKind,  ///< ignore this item, keep the others
    Malformed,    ///< reject the datagram
};

/// Decodes the content of one item. Spans in the result point into `bytes`.
tl::expected<Message, DecodeError> decode_message(MessageKind kind, Bytes bytes);

}  // namespace meshd
