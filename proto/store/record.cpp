// SPDX-License-Identifier: Apache-2.0
#include "proto/store/record.h"

#include <algorithm>

#include "proto/base/assert.h"
#include "proto/base/hash.h"
#include "proto/base/json.h"
#include "proto/store/embedding.h"
#include "proto/store/record_fields.h"
#include "proto/store/record_node.h"

namespace meshd {
namespace {

constexpr std::size_t kKindNameBytesMax = 16;
constexpr auto kTimeMax = static_cast<std::int64_t>(limits::kCounterMax);

constexpr std::size_t kHalfBytes = 2;
constexpr json::Limits kPayloadJson{limits::kPayloadBytesMax, limits::kPayloadDepthMax,
                                    limits::kPayloadBytesMax / 2};

/// Writes the members before "data"; `write_data` writes the object behind it.
template <class WriteData>
Buffer encode(const RecordHeader& header, WriteData write_data, Bytes body = {}) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("kind", record_kind_name(header.kind))
        .member("node", header.author.text())
        .member("stream", print_hex(header.stream.value))
        .member("counter", header.counter)
        .member("clock", print_hex(header.clock.value))
        .key("data")
        .begin_object();
    write_data(writer);
    writer.end_object().end_object();
    Buffer bytes;
    bytes.reserve(limits::kJsonLengthBytes + text.size() + body.size());
    append_big_endian<limits::kJsonLengthBytes>(bytes, text.size());
    append(bytes, text);
    append(bytes, body);
    return bytes;
}

bool is_time(std::int64_t time_ms) {
    return -kTimeMax <= time_ms && time_ms <= kTimeMax;
}

bool read_name(json::Value value, std::size_t bytes_max, std::string& name) {
    const auto text = value.as_string();
    if (!text || !is_name(*text, bytes_max)) {
        return false;
    }
    name = *text;
    return true;
}

/// False where absent.
bool read_flag(json::Value value, bool& flag) {
    const auto read = value.as_bool();
    flag = read.value_or(false);
    return read || !value.exists();
}

/// 0 where absent.
bool read_ttl(json::Value value, std::uint64_t& ttl_ms) {
    const auto read = value.as_uint();
    ttl_ms = read.value_or(0);
    return (read || !value.exists()) && ttl_ms <= limits::kTtlMsMax;
}

/// The author where absent.
bool read_owner(json::Value value, const NodeId& author, NodeId& owner) {
    if (!value.exists()) {
        owner = author;
        return true;
    }
    const auto name = value.as_string();
    const auto read = name ? NodeId::parse(*name) : std::nullopt;
    owner = read.value_or(NodeId());
    return read.has_value();
}

bool read_payload(json::Value value, std::string& payload) {
    if (!value.is_object()) {
        return false;
    }
    payload = value.print();
    return payload.size() <= limits::kPayloadBytesMax;
}

bool read_state(json::Value value, StateData& data) {
    const auto activity = parse_activity(value["activity"].as_string().value_or(""));
    data.activity = activity.value_or(Activity::Offline);
    return data.activity != Activity::Offline && read_payload(value["document"], data.document);
}

bool read_alert(json::Value value, AlertData& data) {
    const auto priority = value["priority"].as_uint();
    const auto timestamp = value["timestamp"].as_int();
    if (!priority || *priority > static_cast<std::uint64_t>(Priority::Critical) || !timestamp ||
        !is_time(*timestamp)) {
        return false;
    }
    data.priority = static_cast<Priority>(*priority);
    data.timestamp_ms = *timestamp;
    return read_payload(value["alert"], data.alert) && read_ttl(value["ttl"], data.ttl_ms) &&
           (!value["dedupe"].exists() ||
            read_name(value["dedupe"], limits::kDedupeKeyBytesMax, data.dedupe_key));
}

/// True where the metadata keep their limits. `json_bytes`: the whole record's, in which they
/// stand.
bool is_metadata(json::Value value, std::size_t json_bytes) {
    // Compact text is at most three times what it was read from ("\b" becomes "\u0008"): so it is
    // seldom printed for this.
    return value.is_object() && (json_bytes <= limits::kMetadataBytesMax / 3 ||
                                 value.print().size() <= limits::kMetadataBytesMax);
}

/// Where there is an embedding, and only there, its space is named and its values follow. What has
/// a ttl may have lost them.
bool read_embedding(json::Value value, Bytes body, std::string& space, RegistryKey& key) {
    if (!value["dim"].exists() && !value["space"].exists()) {
        return body.empty();
    }
    const auto dimension = value["dim"].as_uint();
    if (!dimension || *dimension == 0 || *dimension > limits::kDimensionMax ||
        !read_name(value["space"], limits::kSpaceBytesMax, space)) {
        return false;
    }
    key.dimension = static_cast<std::uint32_t>(*dimension);
    if (body.empty()) {
        return key.ttl_ms != 0;
    }
    return body.size() == kHalfBytes * key.dimension && is_finite_halves(body);
}

bool read_registry(json::Value value, const NodeId& author, std::size_t json_bytes, Bytes body,
                   RegistryKey& key) {
    std::string hash;
    std::string type;
    NodeId owner;
    if (!read_name(value["hash"], limits::kHashBytesMax, hash) ||
        !read_owner(value["owner"], author, owner) ||
        !read_flag(value["deleted"], key.is_deleted)) {
        return false;
    }
    if (owner != author) {
        key.other_owner = std::make_unique<const NodeId>(owner);
    }
    if (key.is_deleted) {
        key.set_names(hash, {}, {});
        return body.empty();
    }
    std::string space;
    const auto timestamp = value["timestamp"].as_int();
    const bool is_read = owner == author && timestamp && is_time(*timestamp) &&
                         read_name(value["type"], limits::kTypeBytesMax, type) &&
                         read_ttl(value["ttl"], key.ttl_ms) &&
                         is_metadata(value["metadata"], json_bytes) &&
                         read_embedding(value, body, space, key);
    key.set_names(hash, type, space);
    return is_read;
}

bool read_shared(json::Value value, SharedData& data) {
    if (!read_name(value["key"], limits::kSharedKeyBytesMax, data.key) ||
        !read_flag(value["deleted"], data.is_deleted)) {
        return false;
    }
    const json::Value shared = value["value"];
    if (data.is_deleted) {
        return !shared.exists();
    }
    data.value = shared.exists() && !shared.is_null() ? shared.print() : "";
    return !data.value.empty() && data.value.size() <= limits::kPayloadBytesMax;
}

bool read_header(json::Value root, const NodeId& likely_author, RecordHeader& header) {
    const auto kind = root["kind"].as_string();
    const auto node = root["node"].as_string();
    const bool is_likely = node && !node->empty() && *node == likely_author.text();
    const auto author = is_likely ? std::optional(likely_author)
                        : node    ? NodeId::parse(*node)
                                  : std::nullopt;
    const auto counter = root["counter"].as_uint();
    if (!kind || kind->empty() || kind->size() > kKindNameBytesMax || !author ||
        !read_id(root["stream"], header.stream) || !counter || *counter == 0 ||
        *counter > limits::kCounterMax || !read_clock(root["clock"], header.clock)) {
        return false;
    }
    header.kind = parse_record_kind(*kind).value_or(kOtherKind);
    header.author = *author;
    header.counter = *counter;
    return root["data"].is_object();
}

/// One node or state record stands for each node for ever: only what they need.
bool fits_kind(RecordKind kind, std::size_t bytes, std::size_t bytes_before_body) {
    const bool has_body = bytes > bytes_before_body;
    if (kind == RecordKind::Node) {
        return !has_body && bytes <= kNodeRecordBytesMax;
    }
    return kind != RecordKind::State || !has_body;
}

template <class Data, class Read>
bool read_into(std::unique_ptr<const Data>& to, Read read) {
    auto made = std::make_unique<Data>();
    const bool is_read = read(*made);
    to = std::move(made);
    return is_read;
}

bool read_data(json::Value data, std::size_t json_bytes, Bytes body, Record& record) {
    switch (record.header.kind) {
        case RecordKind::Node:
            return read_into(record.node, [&](NodeData& node) {
                return read_node_data(data, record.header, node);
            });
        case RecordKind::State:
            return read_into(record.state,
                             [&](StateData& state) { return read_state(data, state); });
        case RecordKind::Alert:
            return read_into(record.alert,
                             [&](AlertData& alert) { return read_alert(data, alert); });
        case RecordKind::Registry:
            return read_into(record.registry, [&](RegistryKey& key) {
                return read_registry(data, record.header.author, json_bytes, body, key);
            });
        case RecordKind::Shared:
            return read_into(record.shared,
                             [&](SharedData& shared) { return read_shared(data, shared); });
    }
    return true;
}

}  // namespace

Buffer encode_node_record(const RecordHeader& header, const NodeData& data) {
    return encode(header, [&](json::Writer& writer) { write_node_data(writer, data); });
}

Buffer encode_state_record(const RecordHeader& header, const StateData& data) {
    return encode(header, [&](json::Writer& writer) {
        writer.member("activity", activity_name(data.activity))
            .member_raw("document", data.document);
    });
}

Buffer encode_alert_record(const RecordHeader& header, const AlertData& data) {
    return encode(header, [&](json::Writer& writer) {
        writer.member("priority", static_cast<unsigned>(data.priority))
            .member("timestamp", data.timestamp_ms)
            .member_raw("alert", data.alert);
        if (data.ttl_ms != 0) {
            writer.member("ttl", data.ttl_ms);
        }
        if (!data.dedupe_key.empty()) {
            writer.member("dedupe", data.dedupe_key);
        }
    });
}

Buffer encode_registry_record(const RecordHeader& header, const RegistryData& data,
                              Bytes embedding) {
    MESHD_ASSERT(embedding.size() == kHalfBytes * data.dimension);
    const auto write = [&](json::Writer& writer) {
        writer.member("hash", data.hash);
        if (data.owner != header.author) {
            writer.member("owner", data.owner.text());
        }
        if (data.is_deleted) {
            writer.member("deleted", true);
            return;
        }
        writer.member("type", data.type).member("timestamp", data.timestamp_ms);
        if (data.ttl_ms != 0) {
            writer.member("ttl", data.ttl_ms);
        }
        writer.member_raw("metadata", data.metadata);
        if (data.dimension != 0) {
            writer.member("space", data.space).member("dim", data.dimension);
        }
    };
    return encode(header, write, embedding);
}

Buffer encode_shared_record(const RecordHeader& header, const SharedData& data) {
    return encode(header, [&](json::Writer& writer) {
        writer.member("key", data.key);
        if (data.is_deleted) {
            writer.member("deleted", true);
        } else {
            writer.member_raw("value", data.value);
        }
    });
}

namespace {

/// Bytes before the body; beyond `bytes` where they are cut short.
std::size_t bytes_before_body(Bytes bytes) {
    return bytes.size() < limits::kJsonLengthBytes
               ? limits::kJsonLengthBytes
               : limits::kJsonLengthBytes +
                     static_cast<std::size_t>(
                         load_big_endian<limits::kJsonLengthBytes>(bytes.data()));
}

tl::expected<json::Document, json::ParseError> parse(Bytes bytes, std::size_t before_body) {
    return json::Document::parse(
        as_text(bytes.first(before_body).subspan(limits::kJsonLengthBytes)), kRecordJson);
}

std::optional<Record> decode(Bytes bytes, const NodeId& likely_author) {
    const std::size_t before_body = bytes_before_body(bytes);
    if (bytes.size() > kRecordBytesMax || before_body > bytes.size()) {
        return std::nullopt;
    }
    const auto document = parse(bytes, before_body);
    Record record;
    if (!document || !read_header(document->root(), likely_author, record.header) ||
        !fits_kind(record.header.kind, bytes.size(), before_body) ||
        !read_data(document->root()["data"], before_body, bytes.subspan(before_body), record)) {
        return std::nullopt;
    }
    record.hash = checksum64(bytes);
    return record;
}

}  // namespace

std::optional<Record> decode_record(Bytes bytes, const NodeId& likely_author) {
    auto record = decode(bytes, likely_author);
    if (record) {
        record->bytes = SharedBytes(bytes);
    }
    return record;
}

std::optional<Record> decode_record(SharedBytes bytes) {
    auto record = decode(bytes, NodeId());
    if (record) {
        record->bytes = std::move(bytes);
    }
    return record;
}

void RegistryKey::set_names(std::string_view hash, std::string_view type, std::string_view space) {
    type_at_ = static_cast<std::uint16_t>(hash.size());
    space_at_ = static_cast<std::uint16_t>(hash.size() + type.size());
    end_ = static_cast<std::uint16_t>(space_at_ + space.size());
    names_ = std::make_unique_for_overwrite<char[]>(end_);
    char* at = names_.get();
    for (const std::string_view name : {hash, type, space}) {
        at = std::copy(name.begin(), name.end(), at);
    }
}

RegistryData decode_registry(const Record& record) {
    const Bytes bytes = record.bytes;
    const auto document = parse(bytes, bytes_before_body(bytes));
    MESHD_ASSERT(document && record.registry);
    const json::Value data = document->root()["data"];
    const RegistryKey& key = *record.registry;
    RegistryData registry;
    registry.hash = key.hash();
    registry.owner = entry_owner(record);
    registry.is_deleted = key.is_deleted;
    registry.type = key.type();
    registry.timestamp_ms = key.is_deleted ? 0 : data["timestamp"].as_int().value_or(0);
    registry.ttl_ms = key.ttl_ms;
    registry.metadata = key.is_deleted ? "" : data["metadata"].print();
    registry.space = key.space();
    registry.dimension = key.dimension;
    return registry;
}

Bytes record_body(Bytes record) {
    return record.subspan(std::min(bytes_before_body(record), record.size()));
}

Bytes without_body(Bytes record) {
    return record.first(std::min(bytes_before_body(record), record.size()));
}

bool is_name(std::string_view text, std::size_t bytes_max) {
    if (text.empty() || text.size() > bytes_max || !json::is_utf8(text)) {
        return false;
    }
    // C0, DEL, and C1 (U+0080 to U+009F), which is C2 80 to C2 9F.
    unsigned char previous = 0;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || (previous == 0xc2 && byte < 0xa0)) {
            return false;
        }
        previous = byte;
    }
    return true;
}

bool is_payload(std::string_view text) {
    const auto document = json::Document::parse(text, kPayloadJson);
    return document && document->root().is_object();
}

std::string print_alert_id(const RecordHeader& header) {
    return header.author.text() + "." + print_hex(header.stream.value) + "." +
           std::to_string(header.counter);
}

}  // namespace meshd
