// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_key.h"

#include <algorithm>
#include <charconv>

#include "ipc/suggest.h"
#include "proto/base/json.h"

namespace meshd {
namespace {

bool is_choice(std::string_view choices, std::string_view text) {
    while (!choices.empty()) {
        const std::size_t bar = std::min(choices.find('|'), choices.size());
        if (choices.substr(0, bar) == text) {
            return true;
        }
        choices.remove_prefix(std::min(bar + 1, choices.size()));
    }
    return false;
}

std::string shortened(const std::string& text) {
    constexpr std::size_t kShownMax = 60;
    return text.size() > kShownMax ? text.substr(0, kShownMax) + "…" : text;
}

std::string got_text(const ConfigValue& value) {
    std::string items;
    switch (value.shape) {
        case ConfigValue::Shape::Nothing:
            return "nothing";
        case ConfigValue::Shape::Scalar:
            return "\"" + shortened(value.text) + "\"";
        case ConfigValue::Shape::List:
            for (const std::string& item : value.items) {
                items += (items.empty() ? "" : ", ") + item;
            }
            return "the list [" + shortened(items) + "]";
        case ConfigValue::Shape::Mapping:
            return "a mapping";
        case ConfigValue::Shape::Other:
            return "a list with other things than texts in it";
    }
    return {};
}

std::optional<TypedValue> typed_value(const ConfigKey& key, const ConfigValue& value) {
    using Shape = ConfigValue::Shape;
    TypedValue typed;
    if (key.type == ConfigType::List) {
        typed.list = value.items;
        return value.shape == Shape::List ? std::optional(typed) : std::nullopt;
    }
    if (key.type == ConfigType::Document) {
        typed.text = value.shape == Shape::Nothing ? "{}" : value.json;
        const bool fits = value.shape == Shape::Mapping || value.shape == Shape::Nothing;
        return fits ? std::optional(typed) : std::nullopt;
    }
    if (value.shape != Shape::Scalar) {
        return std::nullopt;
    }
    typed.text = value.text;
    bool fits = true;
    if (key.type == ConfigType::Integer) {
        const char* end = value.text.data() + value.text.size();
        const auto result = std::from_chars(value.text.data(), end, typed.integer);
        fits = result.ec == std::errc() && result.ptr == end && typed.integer >= key.low &&
               typed.integer <= key.high;
    } else if (key.type == ConfigType::TimeSpan) {
        const auto duration = parse_duration(value.text);
        typed.duration = duration.value_or(Duration{});
        fits = duration && *duration >= std::chrono::milliseconds(key.low) &&
               *duration <= std::chrono::milliseconds(key.high);
    } else if (key.type == ConfigType::Choice) {
        fits = is_choice(key.choices, value.text);
    }
    return fits ? std::optional(typed) : std::nullopt;
}

std::string_view last_part(std::string_view name) {
    return name.substr(name.find('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
}

}  // namespace

const ConfigKey* find_config_key(std::string_view name) {
    const auto keys = config_keys();
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&](const ConfigKey& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

std::vector<std::string_view> config_sections() {
    std::vector<std::string_view> sections;
    for (const ConfigKey& key : config_keys()) {
        const std::size_t dot = key.name.find('.');
        if (dot != std::string_view::npos && std::find(sections.begin(), sections.end(),
                                                       key.name.substr(0, dot)) == sections.end()) {
            sections.push_back(key.name.substr(0, dot));
        }
    }
    return sections;
}

std::string_view nearest_config_key(std::string_view name) {
    std::vector<std::string_view> names = config_sections();
    std::vector<std::string_view> last_parts;
    for (const ConfigKey& key : config_keys()) {
        names.push_back(key.name);
        last_parts.push_back(last_part(key.name));
    }
    // Its own words come first; a right key in a wrong section is near too.
    const std::size_t dot = name.find('.');
    if (dot != std::string_view::npos) {
        std::vector<std::string_view> of_section;
        for (const ConfigKey& key : config_keys()) {
            if (key.name.starts_with(name.substr(0, dot + 1))) {
                of_section.push_back(last_part(key.name));
            }
        }
        const std::string own = ipc::did_you_mean(last_part(name), of_section);
        if (!own.empty()) {
            return find_config_key(std::string(name.substr(0, dot + 1)) + own)->name;
        }
    }
    const std::string whole = ipc::did_you_mean(name, names);
    const std::string last = ipc::did_you_mean(last_part(name), last_parts);
    const bool is_last =
        !last.empty() && (whole.empty() || std::find(last_parts.begin(), last_parts.end(),
                                                     last_part(name)) != last_parts.end());
    if (!is_last) {
        const auto found = std::find(names.begin(), names.end(), std::string_view(whole));
        return whole.empty() || found == names.end() ? std::string_view() : *found;
    }
    const auto keys = config_keys();
    return std::find_if(keys.begin(), keys.end(),
                        [&](const ConfigKey& key) { return last_part(key.name) == last; })
        ->name;
}

std::string print_json(const ConfigKey& key, const TypedValue& value) {
    std::string text;
    json::Writer writer(text);
    switch (key.type) {
        case ConfigType::Integer:
            writer.integer(value.integer);
            break;
        case ConfigType::TimeSpan:
            writer.string(print_duration(value.duration));
            break;
        case ConfigType::List:
            writer.begin_array();
            for (const std::string& item : value.list) {
                writer.string(to_utf8(item));
            }
            writer.end_array();
            break;
        case ConfigType::Document:
            writer.raw(value.text);
            break;
        case ConfigType::Text:
        case ConfigType::Choice:
            writer.string(to_utf8(value.text));
            break;
    }
    return text;
}

std::string to_utf8(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t good = json::utf8_prefix(text);
        out += text.substr(0, good);
        text.remove_prefix(good);
        if (!text.empty()) {
            out += '?';
            text.remove_prefix(1);
        }
    }
    return out;
}

std::string expected_text(const ConfigKey& key) {
    switch (key.type) {
        case ConfigType::Text:
            return "a text";
        case ConfigType::Integer:
            return "a whole number from " + std::to_string(key.low) + " to " +
                   std::to_string(key.high);
        case ConfigType::TimeSpan:
            return "a duration from " + print_duration(std::chrono::milliseconds(key.low)) +
                   " to " + print_duration(std::chrono::milliseconds(key.high)) +
                   " (seconds, or 500ms, 5s, 10m, 24h)";
        case ConfigType::Choice:
            return "one of " + std::string(key.choices);
        case ConfigType::List:
            return "a list of texts such as [a, b]";
        case ConfigType::Document:
            return "a mapping";
    }
    return {};
}

std::optional<std::string> apply_config_value(const ConfigKey& key, const ConfigValue& value,
                                              Settings& settings) {
    const auto typed = typed_value(key, value);
    const std::optional<std::string> refusal =
        typed ? key.set(settings, *typed) : std::optional(expected_text(key));
    if (!refusal) {
        return std::nullopt;
    }
    return std::string(key.name) + " (" + std::string(key.doc) + "): expected " + *refusal +
           ", got " + got_text(value);
}

}  // namespace meshd
