// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random identifiers, each its own type, and their text form.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd {

/// An integer that is only an identity. `Tag` keeps two kinds of identity apart.
template <class Tag, class Rep>
struct Id {
    Rep value{};
    friend constexpr auto operator<=>(const Id&, const Id&) = default;
    explicit constexpr operator bool() const { return value != 0; }
};

/// One installation of meshd: drawn once, kept in the state directory. 0 = none.
using InstanceId = Id<struct InstanceTag, std::uint64_t>;
/// One process start of a node: drawn at each start. 0 = none.
using StartId = Id<struct StartTag, std::uint64_t>;
/// The numbered sequence of records that one process start of a node has written. 0 = none.
using StreamId = Id<struct StreamTag, std::uint64_t>;
/// Names a link's session at its receiver. 0 = none: a datagram outside any session.
using SessionId = Id<struct SessionTag, std::uint32_t>;
/// Ties the answer to a command to the command.
using RequestId = Id<struct RequestTag, std::uint64_t>;
/// A question put to this node, while it is worked on. 0 = none.
using SearchTicket = Id<struct SearchTicketTag, std::uint64_t>;

/// A 64-bit value as 16 lower-case hex digits, the form it has in JSON (jq and JavaScript lose
/// integers above 2^53).
std::string print_hex(std::uint64_t value);
/// The reverse of print_hex. Fails on anything but exactly 16 lower-case hex digits.
std::optional<std::uint64_t> parse_hex(std::string_view text);

/// Bytes as lower-case hex digits.
std::string print_hex_bytes(const std::uint8_t* bytes, std::size_t size);
/// Reads exactly 2 * size lower-case hex digits; false on anything else.
bool parse_hex_bytes(std::string_view text, std::uint8_t* bytes, std::size_t size);

}  // namespace meshd
