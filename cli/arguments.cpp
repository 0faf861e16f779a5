// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "cli/format.h"
#include "cli/suggestion.h"
#include "proto/base/json.h"

namespace meshd::cli {
namespace {

std::optional<std::int64_t> parse_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// What a word must be that is sent to the daemon, or names a file. An empty one, taken as not
/// given, would silently mean something else.
std::optional<std::string> wrong_text(ValueKind kind, const std::string& name,
                                      const std::string& value) {
    if (kind == ValueKind::Any) {
        return std::nullopt;
    }
    if (value.empty()) {
        return name + " is empty";
    }
    return kind == ValueKind::Path || json::is_utf8(value)
               ? std::nullopt
               : std::optional(name + " is no UTF-8 text");
}

std::optional<std::string> wrong_value(const Option& option, const std::string& value) {
    const std::string begin = "--" + std::string(option.name) + ": '" + printable(value) + "' is ";
    switch (option.kind) {
        case ValueKind::Flag:
            return std::nullopt;
        case ValueKind::Text:
        case ValueKind::Path:
        case ValueKind::Any:
            return wrong_text(option.kind, "--" + std::string(option.name), value);
        case ValueKind::Number: {
            const auto number = parse_number(value);
            if (!number || *number < option.min || *number > option.max) {
                return begin + "no whole number from " + std::to_string(option.min) + " to " +
                       std::to_string(option.max);
            }
            return std::nullopt;
        }
        case ValueKind::Duration: {
            const auto duration = parse_duration(value);
            if (!duration) {
                return begin + "no duration (as 3, 500ms, 3s, 10m or 2h)";
            }
            if (duration->count() < option.min || duration->count() > option.max) {
                return begin + "not between " + print_duration(static_cast<double>(option.min)) +
                       " and " + print_duration(static_cast<double>(option.max));
            }
            return std::nullopt;
        }
        case ValueKind::Choice: {
            const auto choices = split(option.choices, '|');
            if (std::find(choices.begin(), choices.end(), value) != choices.end()) {
                return std::nullopt;
            }
            return begin + "none of " + join(choices, ", ") + did_you_mean(value, choices);
        }
    }
    return std::nullopt;
}

}  // namespace

void Arguments::add(std::string_view name, std::string value) {
    values_[std::string(name)].push_back(std::move(value));
}

std::string_view Arguments::text(std::string_view name) const {
    const auto& values = all(name);
    return values.empty() ? std::string_view() : std::string_view(values.back());
}

const std::vector<std::string>& Arguments::all(std::string_view name) const {
    static const std::vector<std::string> kNone;
    const auto found = values_.find(name);
    return found == values_.end() ? kNone : found->second;
}

std::optional<std::int64_t> Arguments::number(std::string_view name) const {
    return has(name) ? parse_number(text(name)) : std::nullopt;
}

std::optional<std::chrono::milliseconds> Arguments::duration(std::string_view name) const {
    return has(name) ? parse_duration(text(name)) : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    struct Unit {
        std::string_view name;
        double ms;
    };
    static constexpr std::array<Unit, 6> kUnits = {
        {{"", 1e3}, {"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"min", 60e3}, {"h", 3600e3}}};
    constexpr double kYearsTenMs = 10 * 365.25 * 86'400e3;
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc()) {
        return std::nullopt;
    }
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const Unit& known : kUnits) {
        if (known.name == unit) {
            const double ms = value * known.ms;
            // Also refuses what is not a number.
            if (!(ms >= 0 && ms <= kYearsTenMs)) {
                return std::nullopt;
            }
            return std::chrono::milliseconds(std::llround(ms));
        }
    }
    return std::nullopt;
}

std::optional<std::string> usage_error(const Verb& verb, const Arguments& arguments) {
    for (const Argument& argument : verb.arguments) {
        if (argument.is_required && !arguments.has(argument.name)) {
            return std::string(argument.name) + " is missing";
        }
        for (const std::string& value : arguments.all(argument.name)) {
            if (auto wrong = wrong_text(argument.kind, std::string(argument.name), value)) {
                return wrong;
            }
        }
    }
    for (const Option& option : verb.options) {
        for (const std::string& value : arguments.all(option.name)) {
            if (auto wrong = wrong_value(option, value)) {
                return wrong;
            }
        }
    }
    for (const Option& option : global_options()) {
        for (const std::string& value : arguments.all(option.name)) {
            if (auto wrong = wrong_value(option, value)) {
                return wrong;
            }
        }
    }
    return std::nullopt;
}

}  // namespace meshd::cli
