// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message structs to bytes and back: u24 JSON length, compact JSON, binary body (PROTOCOL.md,
/// "Messages").
#pragma once

#include <cstddef>
#include <tl/expected.hpp>
#include <vector>

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
/// The same into a message that was, whose room is used again, as is that of `text`.
void encode_heartbeat(const Heartbeat& heartbeat, EncodedMessage& encoded, std::string& text);
/// The same for what is too long to be copied into a Message first.
EncodedMessage encode_delta(const Delta& delta);

/// Bytes that one record of a delta (record and JSON), or one stream of a digest, pull or delta,
/// may add to a message: for filling a message to a limit before it is encoded.
std::size_t encoded_bytes_max(const DeltaRecord& record);
std::size_t encoded_bytes_max(const StreamIntervals& stream);

/// Cuts the streams of a digest, pull or announcement, in order, into parts that fit one message
/// each: any subset is safe by itself. At least one part, which may be empty.
std::vector<std::vector<StreamIntervals>> split_streams(std::vector<StreamIntervals> streams);

/// Search where the payload asks or answers one, else Broadcast.
MessageKind routed_kind(const RoutedPayload& payload);

enum class DecodeError {
    UnknownKind,  ///< ignore this item, keep the others
    Malformed,    ///< reject the datagram
};

/// Cuts a census, in order, into parts that fit one message each, and numbers them. A long stream
/// is cut by ranges, what is covered and what is live at the same counters, so that each part is
/// true by itself. At least one part, which may be empty; what goes beyond limits::kCensusPartsMax
/// is left out, so that nothing is concluded about it.
std::vector<Census> split_census(const std::vector<CensusStream>& streams);

/// Decodes the content of one item. Spans in the result point into `bytes`.
tl::expected<Message, DecodeError> decode_message(MessageKind kind, Bytes bytes);

}  // namespace meshd
