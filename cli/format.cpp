// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace meshd::cli {
namespace {

std::string_view escape_of(Tone tone) {
    switch (tone) {
        case Tone::Plain:
            return "";
        case Tone::Strong:
            return "\x1b[1m";
        case Tone::Good:
            return "\x1b[32m";
        case Tone::Warn:
            return "\x1b[33m";
        case Tone::Bad:
            return "\x1b[31m";
        case Tone::Dim:
            return "\x1b[2m";
    }
    return "";
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t sequence_length(char first) {
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Controls of the second kind, marks and embeddings of direction, line and paragraph separators.
bool is_harmful(std::string_view sequence) {
    if (sequence.size() == 1) {
        const auto byte = static_cast<unsigned char>(sequence[0]);
        return byte < 0x20 || byte == 0x7F;
    }
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    if (sequence.size() == 2) {
        return at(0) == 0xC2 && at(1) < 0xA0;
    }
    if (sequence.size() == 3 && at(0) == 0xE2) {
        return (at(1) == 0x80 &&
                (at(2) == 0x8E || at(2) == 0x8F || (at(2) >= 0xA8 && at(2) <= 0xAE))) ||
               (at(1) == 0x81 && at(2) >= 0xA6 && at(2) <= 0xA9);
    }
    return false;
}

std::string number_text(double value, bool with_fraction, std::string_view unit) {
    char text[64];
    std::snprintf(text, sizeof text, with_fraction ? "%.1f " : "%.0f ", value);
    return text + std::string(unit);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// The run of digits at `at`, without leading zeros.
std::string_view digits_at(std::string_view text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') {
        ++at;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) {
        ++at;
    }
    return text.substr(begin, at - begin);
}

}  // namespace

std::string Style::paint(std::string_view text, Tone tone) const {
    const std::string_view escape = escape_of(tone);
    if (!has_color || escape.empty()) {
        return std::string(text);
    }
    return std::string(escape) + std::string(text) + "\x1b[0m";
}

Style style_of_stdout(bool no_color) {
    Style style;
    if (isatty(STDOUT_FILENO) == 0) {
        return style;
    }
    const char* unwanted = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    style.has_color = !no_color && (unwanted == nullptr || *unwanted == '\0') &&
                      terminal != nullptr && std::string_view(terminal) != "dumb";
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        style.width = size.ws_col;
    }
    return style;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        const std::string_view sequence = text.substr(i, sequence_length(text[i]));
        if (!json::is_utf8(sequence)) {
            out.push_back('?');
            ++i;
            continue;
        }
        out.append(is_harmful(sequence) ? std::string_view("?") : sequence);
        i += sequence.size();
    }
    return out;
}

std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string cut(std::string_view text, std::size_t width) {
    if (width_of(text) <= width) {
        return std::string(text);
    }
    constexpr std::string_view kMark = "...";
    const std::size_t mark = std::min(width, kMark.size());
    std::size_t keep = width - mark;
    std::size_t end = 0;
    while (end < text.size() && (keep > 0 || is_continuation(text[end]))) {
        if (!is_continuation(text[end])) {
            --keep;
        }
        ++end;
    }
    return std::string(text.substr(0, end)) + std::string(kMark.substr(0, mark));
}

std::string print_duration(double ms) {
    const auto whole = [](double value) {
        return std::to_string(static_cast<std::int64_t>(value));
    };
    constexpr double kSecond = 1e3;
    constexpr double kMinute = 60 * kSecond;
    constexpr double kHour = 60 * kMinute;
    constexpr double kDay = 24 * kHour;
    if (!(ms >= 0)) {
        return "-";
    }
    // Limits lie where the shorter form would round up to the next unit.
    if (ms < 999.5) {
        return number_text(ms, ms > 0 && ms < 9.95, "ms");
    }
    if (ms < 59.5 * kSecond) {
        return number_text(ms / kSecond, ms < 9.95 * kSecond, "s");
    }
    if (ms < 59.5 * kMinute) {
        return number_text(ms / kMinute, false, "min");
    }
    if (ms < kDay) {
        const double minutes = std::floor(ms / kMinute);
        return whole(minutes / 60) + " h " + whole(std::fmod(minutes, 60)) + " min";
    }
    const double hours = std::floor(ms / kHour);
    return whole(hours / 24) + " d " + whole(std::fmod(hours, 24)) + " h";
}

std::string print_duration_s(const json::Value& seconds) {
    const double value = seconds.as_double().value_or(-1);
    return value >= 0 && value < 59.5 ? number_text(value, false, "s")
                                      : print_duration(value * 1000);
}

std::string print_size(double bytes) {
    constexpr double kKibi = 1024;
    constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= kKibi - 0.5 && unit + 1 < std::size(kUnits)) {
        bytes /= kKibi;
        ++unit;
    }
    return number_text(bytes, unit > 0 && bytes < 9.95, kUnits[unit]);
}

std::string print_share(double share) {
    const double percent = share * 100;
    return number_text(percent, percent >= 0.05 && percent < 9.95, "%");
}

std::string print_time_of_day(std::int64_t timestamp_ms) {
    const std::int64_t ms = ((timestamp_ms % 1000) + 1000) % 1000;
    const auto seconds = static_cast<std::time_t>((timestamp_ms - ms) / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char text[32];
    std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", local.tm_hour, local.tm_min,
                  local.tm_sec, static_cast<int>(ms));
    return text;
}

std::string print_value(const json::Value& value) {
    if (!value.exists() || value.is_null()) {
        return "-";
    }
    if (const auto text = value.as_string()) {
        return printable(*text);
    }
    return printable(value.print());
}

std::string print_duration_ms(const json::Value& ms) {
    const auto value = ms.as_double();
    return value ? print_duration(*value) : "-";
}

std::vector<std::string> texts_of(const json::Value& array) {
    std::vector<std::string> out;
    for (const json::Value& element : array) {
        out.push_back(print_value(element));
    }
    return out;
}

std::string print_error(const json::ParseError& error) {
    std::string words = printable(error.message);
    while (words.ends_with('.')) {
        words.pop_back();
    }
    return "no JSON at byte " + std::to_string(error.offset) + ": " + words;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    std::string out;
    for (const std::string& part : parts) {
        if (&part != &parts.front()) {
            out.append(separator);
        }
        out.append(part);
    }
    return out;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> out;
    while (true) {
        const std::size_t end = text.find(separator);
        out.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(end + 1);
    }
}

std::string print_count(std::uint64_t count, std::string_view one, std::string_view many) {
    return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

bool natural_less(std::string_view a, std::string_view b) {
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() && j < b.size()) {
        if (is_digit(a[i]) && is_digit(b[j])) {
            const std::string_view left = digits_at(a, i);
            const std::string_view right = digits_at(b, j);
            if (left.size() != right.size()) {
                return left.size() < right.size();
            }
            if (left != right) {
                return left < right;
            }
            continue;
        }
        if (a[i] != b[j]) {
            return a[i] < b[j];
        }
        ++i;
        ++j;
    }
    const std::size_t left = a.size() - i;
    const std::size_t right = b.size() - j;
    // Names that differ by leading zeros only.
    return left != right ? left < right : a < b;
}

std::string wrap(std::span<const std::string> parts, std::string_view separator, std::size_t width,
                 std::size_t indent) {
    std::string out;
    std::size_t column = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string part =
            i + 1 < parts.size() ? parts[i] + std::string(separator) : parts[i];
        const std::size_t trailing = part.size() - (part.find_last_not_of(' ') + 1);
        if (column > indent && width > 0 && column + width_of(part) - trailing > width) {
            out.erase(out.find_last_not_of(' ') + 1);
            out.append("\n").append(indent, ' ');
            column = indent;
        }
        out.append(part);
        column += width_of(part);
    }
    return out;
}

}  // namespace meshd::cli
