// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <tuple>

#include "proto/base/assert.h"
#include "proto/wire/fields.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

constexpr std::array<std::string_view, 3> kLinkReasons = {"fill", "ring", "bridge"};
constexpr std::array<std::string_view, 5> kCloseReasons = {"leaving", "restarting", "replaced",
                                                           "pruned", "silent"};
constexpr std::array<std::string_view, 3> kRefusals = {"full", "name", "leaving"};
/// Longest of the words above, and of those to come.
constexpr std::size_t kWordBytesMax = 16;
/// "[", 39 characters of IPv6, "]:", five digits.
constexpr std::size_t kEndpointTextMax = 47;

template <std::size_t Size>
std::size_t read_word(Fields& fields, std::string_view key,
                      const std::array<std::string_view, Size>& words) {
    const std::string_view word = fields.text(key, 1, kWordBytesMax);
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == word) {
            return i;
        }
    }
    fields.fail();
    return 0;
}

void write_mesh(json::Writer& writer, const std::string& mesh) {
    MESHD_ASSERT(!mesh.empty() && mesh.size() <= limits::kMeshNameBytesMax);
    writer.member("mesh", mesh);
}

std::string read_mesh(Fields& fields) {
    return std::string(fields.text("mesh", 1, limits::kMeshNameBytesMax));
}

/// Absent where there is none.
void write_features(json::Writer& writer, std::uint32_t features) {
    if (features != 0) {
        writer.member("features", features);
    }
}

std::uint32_t read_features(Fields& fields) {
    return static_cast<std::uint32_t>(fields.number_or_zero("features", UINT32_MAX));
}

/// Nothing where there is no body.
std::optional<NoiseMessage> read_noise(Fields& fields, Bytes body) {
    if (body.empty()) {
        return std::nullopt;
    }
    NoiseMessage message{};
    fields.require(body.size() == message.size());
    if (fields.ok()) {
        std::copy(body.begin(), body.end(), message.begin());
    }
    return message;
}

void write_versions(json::Writer& writer, std::string_view key, std::uint8_t min,
                    std::uint8_t max) {
    MESHD_ASSERT(min >= 1 && min <= max);
    writer.key(key).begin_array().unsigned_integer(min).unsigned_integer(max).end_array();
}

Message read_hello(Fields& fields) {
    Hello hello;
    std::tie(hello.version_min, hello.version_max) = fields.version_range("hello");
    hello.features = static_cast<std::uint32_t>(fields.number("features", 0, UINT32_MAX));
    hello.mesh = read_mesh(fields);
    hello.from = fields.identity();
    if (fields.has("address")) {
        hello.address = parse_endpoint(fields.text("address", 1, kEndpointTextMax));
        fields.require(hello.address.has_value());
    }
    return hello;
}

Message read_offer(Fields& fields) {
    Offer offer;
    std::tie(offer.version_min, offer.version_max) = fields.version_range("offer");
    offer.from = fields.identity();
    offer.to = StartId{fields.hex("to")};
    offer.cookie = fields.cookie("cookie");
    offer.echo = fields.hex("echo");
    return offer;
}

}  // namespace

void write_fields(json::Writer& writer, const Hello& hello) {
    write_versions(writer, "hello", hello.version_min, hello.version_max);
    writer.member("features", hello.features);
    write_mesh(writer, hello.mesh);
    write_identity(writer, hello.from);
    if (hello.address) {
        MESHD_ASSERT(hello.address->port != 0);
        writer.member("address", print_endpoint(*hello.address));
    }
}

void write_fields(json::Writer& writer, const Offer& offer) {
    MESHD_ASSERT(offer.to);
    write_versions(writer, "offer", offer.version_min, offer.version_max);
    write_identity(writer, offer.from);
    writer.member("to", print_hex(offer.to.value));
    writer.member("cookie", print_hex_bytes(offer.cookie.data(), offer.cookie.size()));
    writer.member("echo", print_hex(offer.echo));
}

Bytes write_fields(json::Writer& writer, const Req& req) {
    MESHD_ASSERT(req.version >= 1 && req.to && req.session);
    writer.member("v", req.version);
    write_mesh(writer, req.mesh);
    write_identity(writer, req.from);
    writer.member("to", print_hex(req.to.value));
    writer.member("cookie", print_hex_bytes(req.cookie.data(), req.cookie.size()));
    writer.member("session", req.session.value);
    writer.member("reason", kLinkReasons[static_cast<std::size_t>(req.reason)]);
    if (req.is_forced) {
        writer.member("forced", true);
    }
    write_features(writer, req.features);
    return req.noise ? Bytes(*req.noise) : Bytes();
}

Bytes write_fields(json::Writer& writer, const Acc& acc) {
    MESHD_ASSERT(!acc.noise || acc.session);
    MESHD_ASSERT(acc.to && acc.asked && static_cast<bool>(acc.session) == acc.refused.empty());
    write_identity(writer, acc.from);
    writer.member("to", print_hex(acc.to.value));
    writer.member("asked", acc.asked.value);
    writer.member("session", acc.session.value);
    if (!acc.refused.empty()) {
        writer.member("refused", acc.refused);
    }
    write_features(writer, acc.features);
    return acc.noise ? Bytes(*acc.noise) : Bytes();
}

Bytes write_fields(json::Writer& writer, const KeyGrant& grant) {
    MESHD_ASSERT(grant.generation >= 1);
    writer.member("generation", grant.generation);
    return grant.secret;
}

void write_fields(json::Writer& writer, const Close& close) {
    writer.member("reason", kCloseReasons[static_cast<std::size_t>(close.reason)]);
}

std::optional<Message> read_discovery(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return fields.has("hello") ? read_hello(fields) : read_offer(fields);
}

std::optional<Message> read_req(Fields& fields, Bytes body) {
    Req req;
    req.noise = read_noise(fields, body);
    req.version = static_cast<std::uint8_t>(fields.number("v", 1, UINT8_MAX));
    req.mesh = read_mesh(fields);
    req.from = fields.identity();
    req.to = StartId{fields.hex("to")};
    req.cookie = fields.cookie("cookie");
    req.session = SessionId{static_cast<std::uint32_t>(fields.number("session", 1, UINT32_MAX))};
    req.reason = static_cast<LinkReason>(read_word(fields, "reason", kLinkReasons));
    req.is_forced = fields.has("forced");
    fields.require(!req.is_forced || fields["forced"].as_bool() == true);
    req.features = read_features(fields);
    return req;
}

std::optional<Message> read_acc(Fields& fields, Bytes body) {
    Acc acc;
    acc.noise = read_noise(fields, body);
    acc.from = fields.identity();
    acc.to = StartId{fields.hex("to")};
    acc.asked = SessionId{static_cast<std::uint32_t>(fields.number("asked", 1, UINT32_MAX))};
    acc.session = SessionId{static_cast<std::uint32_t>(fields.number("session", 0, UINT32_MAX))};
    if (fields.has("refused")) {
        acc.refused = kRefusals[read_word(fields, "refused", kRefusals)];
    }
    fields.require(static_cast<bool>(acc.session) == acc.refused.empty() &&
                   (acc.session || !acc.noise));
    acc.features = read_features(fields);
    return acc;
}

std::optional<Message> read_key_grant(Fields& fields, Bytes body) {
    KeyGrant grant;
    grant.generation = static_cast<std::uint32_t>(fields.number("generation", 1, UINT32_MAX));
    fields.require(body.size() == grant.secret.size());
    if (fields.ok()) {
        std::copy(body.begin(), body.end(), grant.secret.begin());
    }
    return grant;
}

std::optional<Message> read_conf(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return Conf{};
}

std::optional<Message> read_close(Fields& fields, Bytes body) {
    fields.require(body.empty());
    return Close{static_cast<CloseReason>(read_word(fields, "reason", kCloseReasons))};
}

}  // namespace meshd
