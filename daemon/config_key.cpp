// SPDX-License-Identifier: Apache-2.0
#include "daemon/config_key.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "ipc/suggest.h"
#include "proto/base/node_id.h"

namespace meshd {
namespace {

using Refusal = std::optional<std::string>;
constexpr auto kFine = std::nullopt;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kMeshNameBytesMax = 32;
/// 2 KB each: beyond that, no box has the memory.
constexpr std::int64_t kOwnEntriesMax = 10'000'000;
/// Below, the node records and alerts of a mesh of 200 do not fit.
constexpr std::int64_t kMemoryMinMib = 16;
constexpr std::int64_t kMemoryMaxMib = 65'536;

/// As many as the core asks (proto/links/discovery.h).
constexpr std::size_t kBootstrapsMax = 64;

Refusal set_node_id(Settings& settings, const TypedValue& value) {
    if (!value.text.empty() && !NodeId::parse(value.text)) {
        return "1 to 63 of the characters A-Z a-z 0-9 . _ -";
    }
    settings.node_id = value.text;
    return kFine;
}

Refusal set_mesh_name(Settings& settings, const TypedValue& value) {
    const bool is_printable = std::all_of(value.text.begin(), value.text.end(),
                                          [](char c) { return c > ' ' && c < 0x7f; });
    if (value.text.empty() || value.text.size() > kMeshNameBytesMax || !is_printable) {
        return "1 to 32 printable ASCII characters without spaces";
    }
    settings.core.mesh_name = value.text;
    return kFine;
}

Refusal set_interfaces(Settings& settings, const TypedValue& value) {
    for (const std::string& name : value.list) {
        if (name.empty() || name.size() > 15) {
            return "interface names of 1 to 15 characters, such as [eth0, wlan*]";
        }
    }
    settings.interfaces = value.list;
    return kFine;
}

Refusal set_bootstrap(Settings& settings, const TypedValue& value) {
    for (const std::string& text : value.list) {
        if (!parse_bootstrap(text, settings.udp_port)) {
            return "IPv4 addresses or host names, such as 10.7.0.1 or gate.example:9998";
        }
    }
    if (value.list.size() > kBootstrapsMax) {
        return "at most " + std::to_string(kBootstrapsMax) + " addresses";
    }
    settings.bootstrap = value.list;
    return kFine;
}

/// Setters that only store a number or a duration.
template <auto Member>
Refusal set_size(Settings& settings, const TypedValue& value) {
    settings.core.*Member = static_cast<std::size_t>(value.integer);
    return kFine;
}
template <auto Member>
Refusal set_duration(Settings& settings, const TypedValue& value) {
    settings.core.*Member = value.duration;
    return kFine;
}
template <auto Member>
Refusal set_text(Settings& settings, const TypedValue& value) {
    settings.*Member = value.text;
    return kFine;
}

const std::array kKeys = {
    ConfigKey{"mesh.node_id", ConfigType::Text, 0, 0, "", "\"\"", "name of this node", set_node_id},
    ConfigKey{"mesh.name", ConfigType::Text, 0, 0, "", "default", "name of the mesh",
              set_mesh_name},
    ConfigKey{"mesh.udp_port", ConfigType::Integer, 1, 65535, "", "9999",
              "UDP port of discovery and of links",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  settings.udp_port = static_cast<std::uint16_t>(value.integer);
                  return kFine;
              }},
    ConfigKey{"mesh.interfaces", ConfigType::List, 0, 0, "", "[]", "interfaces to use",
              set_interfaces},
    ConfigKey{"mesh.bootstrap", ConfigType::List, 0, 0, "", "[]", "addresses of other nodes",
              set_bootstrap},
    ConfigKey{"mesh.max_peers", ConfigType::Integer, 1, 32, "", "10", "links this node holds",
              set_size<&Config::max_peers>},
    ConfigKey{"mesh.broadcast_interval", ConfigType::TimeSpan, 100, kHour, "", "5s",
              "beacon period", set_duration<&Config::broadcast_interval>},
    ConfigKey{"mesh.broadcast_interval_max", ConfigType::TimeSpan, 100, kHour, "", "60s",
              "beacon period while nothing changes", set_duration<&Config::broadcast_interval_max>},
    ConfigKey{"mesh.heartbeat_interval", ConfigType::TimeSpan, 500, 60 * kSecond, "", "5s",
              "longest heartbeat period of a link", set_duration<&Config::heartbeat_interval>},
    ConfigKey{"mesh.link_patience", ConfigType::TimeSpan, 500, 60 * kSecond, "", "600ms",
              "how long a silent link is probed before it is down",
              set_duration<&Config::link_patience>},
    ConfigKey{"mesh.heartbeat_timeout", ConfigType::TimeSpan, 200, kHour, "", "30s",
              "upper bound of the patience with a link",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  settings.heartbeat_timeout = value.duration;
                  return kFine;
              }},
    ConfigKey{"mesh.forget_after", ConfigType::TimeSpan, 60 * kSecond, 24 * 365 * kHour, "", "24h",
              "how long offline nodes are remembered", set_duration<&Config::forget_after>},
    ConfigKey{"mesh.mtu", ConfigType::Integer, limits::kDatagramBytesMin, limits::kDatagramBytesMax,
              "", "1400", "largest UDP payload sent, in bytes", set_size<&Config::datagram_bytes>},
    ConfigKey{"store.tombstone_time", ConfigType::TimeSpan, 60 * kSecond, 24 * 365 * kHour, "",
              "24h", "how long deletions are remembered", set_duration<&Config::tombstone_time>},
    ConfigKey{"store.own_entries_max", ConfigType::Integer, 1, kOwnEntriesMax, "", "200000",
              "registry entries of this node", set_size<&Config::own_entries_max>},
    ConfigKey{"store.memory_max", ConfigType::Integer, kMemoryMinMib, kMemoryMaxMib, "", "1024",
              "records in memory, in MiB",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  settings.core.store_bytes_max = static_cast<std::size_t>(value.integer) << 20;
                  return kFine;
              }},
    ConfigKey{"store.persist_interval", ConfigType::TimeSpan, 10, kHour, "", "1s",
              "when own data are on disk at the latest", set_duration<&Config::persist_interval>},
    ConfigKey{"store.persist_interval_others", ConfigType::TimeSpan, 10, kHour, "", "5s",
              "when data of other nodes are on disk at the latest",
              set_duration<&Config::persist_interval_others>},
    ConfigKey{"security.mode", ConfigType::Choice, 0, 0, "sealed|mixed|open", "sealed",
              "who may take part",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  settings.core.security =
                      parse_security_mode(value.text).value_or(SecurityMode::Sealed);
                  return kFine;
              }},
    ConfigKey{"socket.path", ConfigType::Text, 0, 0, "", "\"\"", "Unix socket of the local API",
              set_text<&Settings::socket_path>},
    ConfigKey{"log.level", ConfigType::Choice, 0, 0, "debug|info|warning|error", "info",
              "least level that is logged",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  settings.log_level = parse_log_level(value.text).value_or(LogLevel::Info);
                  return kFine;
              }},
    ConfigKey{"state_dir", ConfigType::Text, 0, 0, "", "\"\"", "directory of what is kept",
              set_text<&Settings::state_dir>},
    ConfigKey{"state", ConfigType::Document, 0, 0, "", "{}", "state document at start",
              [](Settings& settings, const TypedValue& value) -> Refusal {
                  if (value.text.size() > limits::kPayloadBytesMax) {
                      return "a mapping of at most 64 KiB as JSON";
                  }
                  settings.core.initial_state = value.text;
                  return kFine;
              }},
};

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

std::span<const ConfigKey> config_keys() {
    return kKeys;
}

const ConfigKey* find_config_key(std::string_view name) {
    const auto found = std::find_if(kKeys.begin(), kKeys.end(),
                                    [&](const ConfigKey& key) { return key.name == name; });
    return found == kKeys.end() ? nullptr : &*found;
}

std::string_view nearest_config_key(std::string_view name) {
    std::vector<std::string_view> names;
    std::vector<std::string_view> last_parts;
    for (const ConfigKey& key : kKeys) {
        names.push_back(key.name);
        last_parts.push_back(last_part(key.name));
    }
    // A right key in a wrong section is near too.
    const std::string last = ipc::did_you_mean(last_part(name), last_parts);
    const std::string whole = ipc::did_you_mean(name, names);
    for (const ConfigKey& key : kKeys) {
        if (last.empty() ? key.name == whole : last_part(key.name) == last) {
            return key.name;
        }
    }
    return {};
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
    const Refusal refusal = typed ? key.set(settings, *typed) : Refusal(expected_text(key));
    if (!refusal) {
        return std::nullopt;
    }
    return std::string(key.name) + " (" + std::string(key.doc) + "): expected " + *refusal +
           ", got " + got_text(value);
}

}  // namespace meshd
