// SPDX-License-Identifier: Apache-2.0
#include "proto/store/record_node.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/store/record_fields.h"

namespace meshd {
namespace {

constexpr std::array<std::string_view, 3> kPresenceNames = {"here", "left", "restarting"};
constexpr std::uint64_t kCostClassMax = 2;

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

/// Nothing where absent.
bool read_forgotten(json::Value value, const NodeId& author,
                    std::vector<ForgottenNode>& forgotten) {
    if (!value.exists()) {
        return true;
    }
    if (!value.is_array() || value.size() > limits::kForgottenMax) {
        return false;
    }
    for (const json::Value item : value) {
        if (!item.is_array() || item.size() != 3) {
            return false;
        }
        auto part = item.begin();
        const auto name = (*part).as_string();
        const auto node = name ? NodeId::parse(*name) : std::nullopt;
        ForgottenNode read;
        if (!node || *node == author || !read_id(*++part, read.stream) ||
            !read_clock(*++part, read.clock)) {
            return false;
        }
        read.node = *node;
        if (!forgotten.empty() && std::tie(forgotten.back().node, forgotten.back().stream) >=
                                      std::tie(read.node, read.stream)) {
            return false;
        }
        forgotten.push_back(std::move(read));
    }
    return true;
}

void write_forgotten(json::Writer& writer, const std::vector<ForgottenNode>& forgotten) {
    if (forgotten.empty()) {
        return;
    }
    writer.key("forgotten").begin_array();
    for (const ForgottenNode& one : forgotten) {
        writer.begin_array()
            .string(one.node.text())
            .string(print_hex(one.stream.value))
            .string(print_hex(one.clock.value))
            .end_array();
    }
    writer.end_array();
}

/// Open where absent.
bool read_security(json::Value value, SecurityClaim& claim) {
    if (!value.exists()) {
        return true;
    }
    const auto mode = parse_security_mode(value["mode"].as_string().value_or(""));
    const json::Value keys = value["keys"];
    // What a later version may say is no reason to refuse the record: it holds nothing known here.
    if (!mode || !keys.is_array() || keys.size() > Keyring::kKeysMax) {
        return value["mode"].as_string().has_value() && keys.is_array();
    }
    claim.mode = *mode;
    for (const json::Value item : keys) {
        const auto key = parse_key_id(item.as_string().value_or(""));
        if (!key || (!claim.keys.empty() && claim.keys.back() >= *key)) {
            return false;
        }
        claim.keys.push_back(*key);
    }
    if (const json::Value active = value["active"]; active.exists()) {
        const auto key = parse_key_id(active.as_string().value_or(""));
        claim.active = key.value_or(KeyId{});
        return key && std::binary_search(claim.keys.begin(), claim.keys.end(), *key);
    }
    return true;
}

void write_security(json::Writer& writer, const SecurityClaim& claim) {
    if (claim == SecurityClaim{}) {
        return;
    }
    writer.key("security").begin_object();
    writer.member("mode", security_mode_name(claim.mode)).key("keys").begin_array();
    for (const KeyId& key : claim.keys) {
        writer.string(print_key_id(key));
    }
    writer.end_array();
    if (claim.active) {
        writer.member("active", print_key_id(claim.active));
    }
    writer.end_object();
}

}  // namespace

bool read_node_data(json::Value value, const RecordHeader& header, NodeData& data) {
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
           read_presence(value["presence"], data.presence) &&
           read_forgotten(value["forgotten"], header.author, data.forgotten) &&
           read_security(value["security"], data.security);
}

void write_node_data(json::Writer& writer, const NodeData& data) {
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
        writer.begin_array().string(link.peer.text()).unsigned_integer(link.cost_class).end_array();
    }
    writer.end_array().member("presence", kPresenceNames[static_cast<std::size_t>(data.presence)]);
    write_forgotten(writer, data.forgotten);
    write_security(writer, data.security);
}

}  // namespace meshd
