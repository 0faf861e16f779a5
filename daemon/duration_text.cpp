// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <cmath>

#include "daemon/config_key.h"

namespace meshd {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t ms;
};

constexpr std::array<Unit, 5> kUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    // from_chars takes "inf", "nan" and a minus sign; a duration starts with a digit.
    if (text.empty() || text[0] < '0' || text[0] > '9') {
        return std::nullopt;
    }
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc()) {
        return std::nullopt;
    }
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    if (unit.empty()) {
        unit = "s";
    }
    constexpr double kMicrosecondsMax = 10'000.0 * 86'400e6;
    for (const Unit& known : kUnits) {
        if (known.name == unit) {
            const double us = number * static_cast<double>(known.ms) * 1000;
            if (us > kMicrosecondsMax) {
                return std::nullopt;
            }
            return Duration(std::llround(us));
        }
    }
    return std::nullopt;
}

std::string print_duration(Duration duration) {
    const std::int64_t ms = to_ms(duration);
    for (const Unit& unit : kUnits) {
        // 60 s reads better than 1 m, 24 h better than 1 d.
        if (ms != 0 && ms % unit.ms == 0 && (ms / unit.ms > 1 || unit.ms <= 1000)) {
            return std::to_string(ms / unit.ms) + std::string(unit.name);
        }
    }
    return std::to_string(ms) + "ms";
}

}  // namespace meshd
