// SPDX-License-Identifier: Apache-2.0
#include "ipc/cursor.h"

#include <charconv>

namespace meshd::ipc {

std::string print_cursor(const Cursor& cursor) {
    return print_hex(cursor.start.value) + "." + std::to_string(cursor.number) + "." +
           std::to_string(cursor.arrival);
}

std::optional<Cursor> parse_cursor(std::string_view text) {
    const std::size_t first = text.find('.');
    const std::size_t last = text.rfind('.');
    if (first == std::string_view::npos || first == last) {
        return std::nullopt;
    }
    const auto start = parse_hex(text.substr(0, first));
    const auto number = parse_decimal(text.substr(first + 1, last - first - 1));
    const auto arrival = parse_decimal(text.substr(last + 1));
    if (!start || !number || !arrival) {
        return std::nullopt;
    }
    return Cursor{StartId{*start}, *number, *arrival};
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

}  // namespace meshd::ipc
