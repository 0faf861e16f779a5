// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/ids.h"

namespace meshd::ipc {

/// How far a subscriber has got. Two counts, since events are remembered by the process that told
/// them, but alerts by the disk too. Opaque to clients.
struct Cursor {
    StartId start;             ///< disk and process start that numbered the event, half each
    std::uint64_t number = 0;  ///< of the last event, from 1 in each process start
    /// All alerts up to this place in the order of arrival were told.
    std::uint64_t arrival = 0;
    friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// "<16 hex digits>.<decimal>.<decimal>".
std::string print_cursor(const Cursor& cursor);
/// The reverse of print_cursor; fails on anything else.
std::optional<Cursor> parse_cursor(std::string_view text);

/// Nothing on anything but 1 to 20 decimal digits below 2^64.
std::optional<std::uint64_t> parse_decimal(std::string_view text);

}  // namespace meshd::ipc
