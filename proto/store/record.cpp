// SPDX-License-Identifier: Apache-2.0
#include "proto/store/record.h"

#include <array>

#include "proto/base/hash.h"
#include "proto/base/json.h"

namespace meshd {
namespace {

constexpr std::array<std::string_view, 3> kPresenceNames = {"here", "left", "restarting"};
constexpr std::size_t kKindNameBytesMax = 16;
constexpr std::uint64_t kCostClassMax = 2;
constexpr auto kTimeMax = static_cast<std::int64_t>(limits::kCounterMax);

/// Writes the members before "data"; `write_data` writes the object behind it.
template <class WriteData>
Buffer encode(const RecordHeader& header, WriteData write_data) {
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
    bytes.reserve(limits::kJsonLengthBytes + text.size());
    append_big_endian<limits::kJsonLengthBytes>(bytes, text.size());
    append(bytes, text);
    return bytes;
}

std::optional<std::uint64_t> read_hex(json::Value value) {
    const auto text = value.as_string();
    return text ? parse_hex(*text) : std::nullopt;
}

/// A random id; 0 means none and is refused.
template <class IdType>
bool read_id(json::Value value, IdType& id) {
    const auto number = read_hex(value);
    id.value = number.value_or(0);
    return id.value != 0;
}

bool read_floor(json::Value value, std::uint64_t& floor) {
    const auto number = value.as_uint();
    floor = number.value_or(0);
    return number && *number <= limits::kCounterMax;
}

bool read_addresses(json::Value value, std::vector<Endpoint>& addresses) {
    if (!value.is_array() || value.size() > limits::kAddressesMax) {
        return false;
    }
    for (const json::Value item : value) {
        const auto text = item.as_string();
        const auto endpoint = text ? parse_endpoint(*text) : std::nullopt;
        if (!endpoint) {
            return false;
        }
        addresses.push_back(*endpoint);
    }
    return true;
}

bool read_links(json::Value value, const NodeId& author, std::vector<LinkClaim>& links) {
    if (!value.is_array() || value.size() > limits::kLinksMax) {
        return false;
    }
    for (const json::Value item : value) {
        if (!item.is_array() || item.size() != 2) {
            return false;
        }
        auto part = item.begin();
        const auto name = (*part).as_string();
        const auto peer = name ? NodeId::parse(*name) : std::nullopt;
        const auto cost_class = (*++part).as_uint();
        if (!peer || *peer == author || !cost_class || *cost_class > kCostClassMax) {
            return false;
        }
        if (!links.empty() && links.back().peer >= *peer) {
            return false;
        }
        links.push_back({*peer, static_cast<std::uint8_t>(*cost_class)});
    }
    return true;
}

bool read_presence(json::Value value, Presence& presence) {
    const auto text = value.as_string();
    for (std::size_t i = 0; i < kPresenceNames.size(); ++i) {
        if (text && *text == kPresenceNames[i]) {
            presence = static_cast<Presence>(i);
            return true;
        }
    }
    return false;
}

bool read_node(json::Value value, const RecordHeader& header, NodeData& data) {
    const auto version = value["version"].as_string();
    if (!version || version->size() > limits::kVersionTextBytesMax) {
        return false;
    }
    data.version = *version;
    // A node record stands in the volatile stream it names: so one look at it tells which of two
    // streams of a node is the newer.
    return read_id(value["instance"], data.instance) && read_id(value["start"], data.start) &&
           read_id(value["volatile"], data.volatile_stream) &&
           read_id(value["durable"], data.durable_stream) &&
           data.volatile_stream == header.stream && data.durable_stream != header.stream &&
           read_floor(value["floor"], data.alert_floor) &&
           read_floor(value["critical_floor"], data.critical_floor) &&
           read_addresses(value["addresses"], data.addresses) &&
           read_links(value["links"], header.author, data.links) &&
           read_presence(value["presence"], data.presence);
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
        *timestamp < -kTimeMax || *timestamp > kTimeMax) {
        return false;
    }
    data.priority = static_cast<Priority>(*priority);
    data.timestamp_ms = *timestamp;
    return read_payload(value["alert"], data.alert);
}

bool read_header(json::Value root, RecordHeader& header) {
    const auto kind = root["kind"].as_string();
    const auto node = root["node"].as_string();
    const auto author = node ? NodeId::parse(*node) : std::nullopt;
    const auto counter = root["counter"].as_uint();
    const auto clock = read_hex(root["clock"]);
    if (!kind || kind->empty() || kind->size() > kKindNameBytesMax || !author ||
        !read_id(root["stream"], header.stream) || !counter || *counter == 0 ||
        *counter > limits::kCounterMax || !clock || *clock > kHybridTimeMax.value) {
        return false;
    }
    header.kind = parse_record_kind(*kind).value_or(kOtherKind);
    header.author = *author;
    header.counter = *counter;
    header.clock = HybridTime{*clock};
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

bool read_data(json::Value data, Record& record) {
    switch (record.header.kind) {
        case RecordKind::Node:
            return read_into(record.node,
                             [&](NodeData& node) { return read_node(data, record.header, node); });
        case RecordKind::State:
            return read_into(record.state, [&](StateData& state) { return read_state(data, state); });
        case RecordKind::Alert:
            return read_into(record.alert, [&](AlertData& alert) { return read_alert(data, alert); });
        case RecordKind::Registry:
        case RecordKind::Shared:
            break;
    }
    return true;
}

}  // namespace

Buffer encode_node_record(const RecordHeader& header, const NodeData& data) {
    return encode(header, [&](json::Writer& writer) {
        writer.member("instance", print_hex(data.instance.value))
            .member("start", print_hex(data.start.value))
            .member("version", data.version)
            .member("volatile", print_hex(data.volatile_stream.value))
            .member("durable", print_hex(data.durable_stream.value))
            .member("floor", data.alert_floor)
            .member("critical_floor", data.critical_floor)
            .key("addresses")
            .begin_array();
        for (const Endpoint& address : data.addresses) {
            writer.string(print_endpoint(address));
        }
        writer.end_array().key("links").begin_array();
        for (const LinkClaim& link : data.links) {
            writer.begin_array()
                .string(link.peer.text())
                .unsigned_integer(link.cost_class)
                .end_array();
        }
        writer.end_array().member("presence",
                                  kPresenceNames[static_cast<std::size_t>(data.presence)]);
    });
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
    });
}

namespace {

std::optional<Record> decode(Bytes bytes) {
    if (bytes.size() < limits::kJsonLengthBytes || bytes.size() > kRecordBytesMax) {
        return std::nullopt;
    }
    const auto length = load_big_endian<limits::kJsonLengthBytes>(bytes.data());
    if (length > bytes.size() - limits::kJsonLengthBytes) {
        return std::nullopt;
    }
    const auto document = json::Document::parse(
        as_text(bytes.subspan(limits::kJsonLengthBytes, static_cast<std::size_t>(length))),
        kRecordJson);
    Record record;
    if (!document || !read_header(document->root(), record.header) ||
        !fits_kind(record.header.kind, bytes.size(),
                   limits::kJsonLengthBytes + static_cast<std::size_t>(length)) ||
        !read_data(document->root()["data"], record)) {
        return std::nullopt;
    }
    record.hash = hash64(bytes);
    return record;
}

}  // namespace

std::optional<Record> decode_record(Bytes bytes) {
    auto record = decode(bytes);
    if (record) {
        record->bytes = SharedBytes(bytes);
    }
    return record;
}

std::optional<Record> decode_record(SharedBytes bytes) {
    auto record = decode(bytes);
    if (record) {
        record->bytes = std::move(bytes);
    }
    return record;
}

bool is_payload(std::string_view text) {
    const auto document = json::Document::parse(
        text, {limits::kPayloadBytesMax, limits::kPayloadDepthMax, limits::kPayloadBytesMax / 2});
    return document && document->root().is_object();
}

std::string print_alert_id(const RecordHeader& header) {
    return header.author.text() + "." + print_hex(header.stream.value) + "." +
           std::to_string(header.counter);
}

}  // namespace meshd
