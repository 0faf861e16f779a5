// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/codec.h"

#include <string>
#include <type_traits>

#include "proto/base/assert.h"
#include "proto/base/json.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

/// Most messages are shorter: one allocation for their JSON.
constexpr std::size_t kUsualJsonBytes = 240;

MessageKind kind_of(const Hello&) {
    return MessageKind::Discovery;
}
MessageKind kind_of(const Offer&) {
    return MessageKind::Discovery;
}
MessageKind kind_of(const Req&) {
    return MessageKind::Req;
}
MessageKind kind_of(const Acc&) {
    return MessageKind::Acc;
}
MessageKind kind_of(const Conf&) {
    return MessageKind::Conf;
}
MessageKind kind_of(const Close&) {
    return MessageKind::Close;
}
MessageKind kind_of(const Prune&) {
    return MessageKind::Prune;
}
MessageKind kind_of(const Notice&) {
    return MessageKind::Notice;
}
MessageKind kind_of(const Heartbeat&) {
    return MessageKind::Heartbeat;
}
MessageKind kind_of(const Push& push) {
    return push_kind(push.kind);
}
MessageKind kind_of(const Ack&) {
    return MessageKind::Ack;
}
MessageKind kind_of(const Digest&) {
    return MessageKind::Digest;
}
MessageKind kind_of(const Pull&) {
    return MessageKind::Pull;
}
MessageKind kind_of(const Delta&) {
    return MessageKind::Delta;
}
MessageKind kind_of(const Fragment&) {
    return MessageKind::Fragment;
}
MessageKind kind_of(const Routed& routed) {
    return routed_kind(routed.payload);
}
MessageKind kind_of(const Census&) {
    return MessageKind::Census;
}
MessageKind kind_of(const Announce&) {
    return MessageKind::Announce;
}
MessageKind kind_of(const KeyGrant&) {
    return MessageKind::KeyGrant;
}

void append_body(Buffer& bytes, const Heartbeat& heartbeat) {
    if (heartbeat.hashes) {
        append_big_endian<8>(bytes, heartbeat.hashes->coverage);
        append_big_endian<8>(bytes, heartbeat.hashes->live);
    }
}

std::size_t body_bytes(const Heartbeat& heartbeat) {
    return heartbeat.hashes ? sizeof(DigestHashes) : 0;
}

void append_body(Buffer& bytes, const Digest& digest) {
    if (digest.is_request && digest.hashes) {
        for (const std::uint64_t hash : *digest.hashes) {
            append_big_endian<8>(bytes, hash);
        }
    }
}

std::size_t body_bytes(const Digest& digest) {
    return digest.is_request && digest.hashes ? sizeof(BucketHashes) : 0;
}

void append_body(Buffer& bytes, const Delta& delta) {
    for (const DeltaRecord& record : delta.records) {
        append(bytes, record.record);
    }
}

std::size_t body_bytes(const Delta& delta) {
    std::size_t sum = 0;
    for (const DeltaRecord& record : delta.records) {
        sum += record.record.size();
    }
    return sum;
}

/// A body that is written, not passed on.
template <class T>
constexpr bool kHasWrittenBody = std::is_same_v<T, Heartbeat> || std::is_same_v<T, Digest> ||
                                 std::is_same_v<T, Delta> || std::is_same_v<T, Census>;

template <class T>
void encode_into(const T& message, EncodedMessage& encoded, std::string& text) {
    text.clear();
    text.reserve(kUsualJsonBytes);
    json::Writer writer(text);
    Bytes body;
    std::size_t extra = 0;
    writer.begin_object();
    if constexpr (std::is_same_v<T, Push> || std::is_same_v<T, Fragment> ||
                  std::is_same_v<T, Routed> || std::is_same_v<T, Req> || std::is_same_v<T, Acc> ||
                  std::is_same_v<T, KeyGrant>) {
        body = write_fields(writer, message);
    } else if constexpr (!std::is_same_v<T, Conf> && !std::is_same_v<T, Prune>) {
        write_fields(writer, message);
    }
    writer.end_object();
    if constexpr (kHasWrittenBody<T>) {
        extra = body_bytes(message);
    }

    encoded.kind = kind_of(message);
    encoded.bytes.clear();
    encoded.bytes.reserve(limits::kJsonLengthBytes + text.size() + body.size() + extra);
    append_big_endian<limits::kJsonLengthBytes>(encoded.bytes, text.size());
    append(encoded.bytes, text);
    append(encoded.bytes, body);
    if constexpr (kHasWrittenBody<T>) {
        append_body(encoded.bytes, message);
    }
    MESHD_ASSERT(encoded.bytes.size() <= limits::kMessageBytesMax);
}

template <class T>
EncodedMessage encode(const T& message) {
    EncodedMessage encoded;
    std::string text;
    encode_into(message, encoded, text);
    return encoded;
}

std::optional<Message> read_message(MessageKind kind, Fields& fields, Bytes body) {
    switch (kind) {
        case MessageKind::Heartbeat:
            return read_heartbeat(fields, body);
        case MessageKind::Discovery:
            return read_discovery(fields, body);
        case MessageKind::StateSync:
        case MessageKind::Alert:
        case MessageKind::Registry:
            return read_push(fields, body, kind);
        case MessageKind::Search:
        case MessageKind::Broadcast:
            return read_routed(fields, body, kind);
        case MessageKind::Ack:
            return read_ack(fields, body);
        case MessageKind::Req:
            return read_req(fields, body);
        case MessageKind::Acc:
            return read_acc(fields, body);
        case MessageKind::Conf:
            return read_conf(fields, body);
        case MessageKind::Close:
            return read_close(fields, body);
        case MessageKind::Digest:
            return read_digest(fields, body);
        case MessageKind::Pull:
            return read_pull(fields, body);
        case MessageKind::Delta:
            return read_delta(fields, body);
        case MessageKind::Fragment:
            return read_fragment(fields, body);
        case MessageKind::Census:
            return read_census(fields, body);
        case MessageKind::Announce:
            return read_announce(fields, body);
        case MessageKind::Prune:
            return read_prune(fields, body);
        case MessageKind::Notice:
            return read_notice(fields, body);
        case MessageKind::KeyGrant:
            return read_key_grant(fields, body);
    }
    return std::nullopt;
}

/// Whether read_message has a reader for it: what is ignored anyway need not be parsed.
bool is_known(MessageKind kind) {
    switch (kind) {
        case MessageKind::Heartbeat:
        case MessageKind::Discovery:
        case MessageKind::StateSync:
        case MessageKind::Alert:
        case MessageKind::Registry:
        case MessageKind::Search:
        case MessageKind::Broadcast:
        case MessageKind::Ack:
        case MessageKind::Req:
        case MessageKind::Acc:
        case MessageKind::Conf:
        case MessageKind::Close:
        case MessageKind::Digest:
        case MessageKind::Pull:
        case MessageKind::Delta:
        case MessageKind::Fragment:
        case MessageKind::Census:
        case MessageKind::Announce:
        case MessageKind::Prune:
        case MessageKind::Notice:
        case MessageKind::KeyGrant:
            return true;
    }
    return false;
}

}  // namespace

EncodedMessage encode_message(const Message& message) {
    return std::visit([](const auto& alternative) { return encode(alternative); }, message);
}

void encode_heartbeat(const Heartbeat& heartbeat, EncodedMessage& encoded, std::string& text) {
    encode_into(heartbeat, encoded, text);
}

EncodedMessage encode_delta(const Delta& delta) {
    return encode(delta);
}

tl::expected<Message, DecodeError> decode_message(MessageKind kind, Bytes bytes) {
    if (!is_known(kind)) {
        return tl::make_unexpected(DecodeError::UnknownKind);
    }
    if (bytes.size() < limits::kJsonLengthBytes || bytes.size() > limits::kMessageBytesMax) {
        return tl::make_unexpected(DecodeError::Malformed);
    }
    const std::size_t json_bytes = load_big_endian<limits::kJsonLengthBytes>(bytes.data());
    const Bytes content = bytes.subspan(limits::kJsonLengthBytes);
    if (json_bytes > content.size()) {
        return tl::make_unexpected(DecodeError::Malformed);
    }
    if (kind == MessageKind::Fragment) {
        if (const auto fragment = read_plain_fragment(as_text(content.first(json_bytes)),
                                                      content.subspan(json_bytes))) {
            return *fragment;
        }
    }
    const auto document =
        json::Document::parse(as_text(content.first(json_bytes)), limits::kMessageJson);
    if (!document) {
        return tl::make_unexpected(DecodeError::Malformed);
    }
    Fields fields(document->root());
    std::optional<Message> message = read_message(kind, fields, content.subspan(json_bytes));
    if (!fields.ok()) {
        return tl::make_unexpected(DecodeError::Malformed);
    }
    if (!message) {
        return tl::make_unexpected(DecodeError::UnknownKind);
    }
    return *std::move(message);
}

}  // namespace meshd
