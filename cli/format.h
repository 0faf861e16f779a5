// SPDX-License-Identifier: Apache-2.0
/// \file
/// Values as text for people. What comes from the mesh passes printable() before it reaches a
/// terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/json.h"

namespace meshd::cli {

enum class Tone { Plain, Strong, Good, Warn, Bad, Dim };

/// How to print to this terminal.
struct Style {
    bool has_color = false;
    /// Columns; 0 = no limit.
    std::size_t width = 0;

    std::string paint(std::string_view text, Tone tone) const;
};

/// Style for standard output: colour only on a terminal and without NO_COLOR
/// (https://no-color.org) and TERM=dumb, width only of a terminal.
Style style_of_stdout(bool no_color);

/// `text` without what could move the cursor or turn the text around: control characters, bidi
/// controls and bytes that are no UTF-8 become `?`.
std::string printable(std::string_view text);
/// Code points.
std::size_t width_of(std::string_view text);
/// At most `width` columns; what is cut shows as `...`.
std::string cut(std::string_view text, std::size_t width);

/// "0.4 ms", "120 ms", "2.5 s", "42 s", "12 min", "3 h 12 min", "5 d 3 h".
std::string print_duration(double ms);
/// The same for what is known in whole seconds: "0 s", "2 s", "12 min".
std::string print_duration_s(const json::Value& seconds);
/// "512 B", "34 KiB", "1.2 MiB".
std::string print_size(double bytes);
/// "0 %", "2.5 %", "40 %" of a share from 0 to 1.
std::string print_share(double share);
/// Local time of day, "14:03:07.250".
std::string print_time_of_day(std::int64_t timestamp_ms);

/// A value as a cell: "-" for null and absent, text without quotes, anything else compact.
std::string print_value(const json::Value& value);
std::string print_duration_ms(const json::Value& ms);
/// Elements of an array of texts.
std::vector<std::string> texts_of(const json::Value& array);

/// "no JSON at byte 6: Missing a comma", for a sentence without full stop.
std::string print_error(const json::ParseError& error);

std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
/// "1 box", "3 boxes".
std::string print_count(std::uint64_t count, std::string_view one, std::string_view many);
/// Orders cam-2 before cam-10; a total order.
bool natural_less(std::string_view a, std::string_view b);
/// Joins with `separator`, breaking after it so that lines stay within `width`; lines after the
/// first begin with `indent` spaces.
std::string wrap(std::span<const std::string> parts, std::string_view separator, std::size_t width,
                 std::size_t indent);

}  // namespace meshd::cli
