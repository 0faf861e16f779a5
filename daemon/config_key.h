// SPDX-License-Identifier: Apache-2.0
/// \file
/// The table of configuration keys. One row drives the YAML file, `--set`, the flags, the error
/// messages and the test that etc/meshd.yaml shows every key at its default.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/settings.h"

namespace meshd {

enum class ConfigType : std::uint8_t {
    Text,
    Integer,   ///< range in `low`, `high`
    TimeSpan,  ///< range in milliseconds
    Choice,    ///< one of `choices`, written a|b|c
    List,      ///< of texts
    Document,  ///< any mapping
};

/// A value as it stands in its source, before its key's type is known.
struct ConfigValue {
    enum class Shape : std::uint8_t { Nothing, Scalar, List, Mapping, Other };
    Shape shape = Shape::Nothing;
    std::string text;                ///< of a scalar
    std::vector<std::string> items;  ///< of a list whose items are all scalars
    std::string json;                ///< of a mapping: compact JSON
};

/// A value that fits the type and the range of its key.
struct TypedValue {
    std::string text{};  ///< Text, Choice; Document as compact JSON
    std::int64_t integer = 0;
    Duration duration{};
    std::vector<std::string> list{};

    friend bool operator==(const TypedValue&, const TypedValue&) = default;
};

struct ConfigKey {
    /// "section.key", or "key" at the top.
    std::string_view name;
    ConfigType type = ConfigType::Text;
    std::int64_t low = 0;
    std::int64_t high = 0;
    std::string_view choices;
    /// As it stands in etc/meshd.yaml.
    std::string_view default_text;
    /// In a few words, for error messages.
    std::string_view doc;
    /// A reload of the configuration applies it; else it needs a restart.
    bool is_live = false;
    /// Stores the value, or says what was expected instead.
    std::optional<std::string> (*set)(Settings&, const TypedValue&) = nullptr;
    /// What set() has stored: only the member of the key's type.
    TypedValue (*get)(const Settings&) = nullptr;
};

std::span<const ConfigKey> config_keys();
const ConfigKey* find_config_key(std::string_view name);
/// "mesh", "store", …: what stands before the dots of names, in the order of the table.
std::vector<std::string_view> config_sections();
/// The known name nearest to a wrong one; empty where none is near.
std::string_view nearest_config_key(std::string_view name);

/// The value as JSON: numbers for Integer, arrays for List, the document itself, else text.
std::string print_json(const ConfigKey& key, const TypedValue& value);

/// Checks `value` against the key and stores it. Fails with "expected …, got …".
std::optional<std::string> apply_config_value(const ConfigKey& key, const ConfigValue& value,
                                              Settings& settings);

/// The same with "?" for each byte that is no UTF-8: file names and values may have them, JSON not.
std::string to_utf8(std::string_view text);

/// "a whole number from 1 to 32", …
std::string expected_text(const ConfigKey& key);

/// Seconds ("5", "0.5"), or a number with its unit: ms, s, m, h, d. Fails on a sign, on any other
/// text and beyond 10 000 days.
std::optional<Duration> parse_duration(std::string_view text);
/// In the largest unit that divides it: "500ms", "5s", "24h".
std::string print_duration(Duration duration);

}  // namespace meshd
