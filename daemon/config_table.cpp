// SPDX-License-Identifier: Apache-2.0
// The rows: how each key is stored and read again.
#include <algorithm>
#include <array>
#include <type_traits>

#include "daemon/config_key.h"
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

/// Values that are only stored and read again, by the class that they are a member of.
template <auto Member, std::int64_t Unit = 1>
struct Size {
    static Refusal set(Settings& settings, const TypedValue& value) {
        settings.core.*Member = static_cast<std::size_t>(value.integer * Unit);
        return kFine;
    }
    static TypedValue get(const Settings& settings) {
        return {.integer = static_cast<std::int64_t>(settings.core.*Member) / Unit};
    }
};
template <auto Member>
struct Span {
    template <class Whole>
    static auto& part(Whole& settings) {
        if constexpr (std::is_same_v<decltype(Member), Duration Config::*>) {
            return settings.core.*Member;
        } else {
            return settings.*Member;
        }
    }
    static Refusal set(Settings& settings, const TypedValue& value) {
        part(settings) = value.duration;
        return kFine;
    }
    static TypedValue get(const Settings& settings) { return {.duration = part(settings)}; }
};
template <auto Member>
struct Text {
    static Refusal set(Settings& settings, const TypedValue& value) {
        settings.*Member = value.text;
        return kFine;
    }
    static TypedValue get(const Settings& settings) { return {.text = settings.*Member}; }
};
template <auto Member>
TypedValue get_list(const Settings& settings) {
    return {.list = settings.*Member};
}

Refusal set_udp_port(Settings& settings, const TypedValue& value) {
    settings.udp_port = static_cast<std::uint16_t>(value.integer);
    return kFine;
}

Refusal set_security(Settings& settings, const TypedValue& value) {
    settings.core.security = parse_security_mode(value.text).value_or(SecurityMode::Sealed);
    return kFine;
}
TypedValue get_security(const Settings& settings) {
    return {.text = std::string(security_mode_name(settings.core.security))};
}

Refusal set_log_level_key(Settings& settings, const TypedValue& value) {
    settings.log_level = parse_log_level(value.text).value_or(LogLevel::Info);
    return kFine;
}

Refusal set_state(Settings& settings, const TypedValue& value) {
    if (value.text.size() > limits::kPayloadBytesMax) {
        return "a mapping of at most 64 KiB as JSON";
    }
    settings.core.initial_state = value.text;
    return kFine;
}

constexpr bool kLive = true;
constexpr bool kAtStart = false;
constexpr std::int64_t kYear = 24 * 365 * kHour;
constexpr std::int64_t kMinute = 60 * kSecond;

// clang-format off
const std::array kKeys = {
    ConfigKey{"mesh.node_id", ConfigType::Text, 0, 0, "", "\"\"",
              "name of this node", kAtStart, set_node_id, Text<&Settings::node_id>::get},
    ConfigKey{"mesh.name", ConfigType::Text, 0, 0, "", "default",
              "name of the mesh", kAtStart, set_mesh_name,
              [](const Settings& settings) -> TypedValue {
                  return {.text = settings.core.mesh_name};
              }},
    ConfigKey{"mesh.udp_port", ConfigType::Integer, 1, 65535, "", "9999",
              "UDP port of discovery and of links", kAtStart, set_udp_port,
              [](const Settings& settings) -> TypedValue {
                  return {.integer = settings.udp_port};
              }},
    ConfigKey{"mesh.interfaces", ConfigType::List, 0, 0, "", "[]",
              "interfaces to use", kLive, set_interfaces, get_list<&Settings::interfaces>},
    ConfigKey{"mesh.bootstrap", ConfigType::List, 0, 0, "", "[]",
              "addresses of other nodes", kLive, set_bootstrap, get_list<&Settings::bootstrap>},
    ConfigKey{"mesh.max_peers", ConfigType::Integer, 1, 32, "", "10",
              "links this node holds", kLive,
              Size<&Config::max_peers>::set, Size<&Config::max_peers>::get},
    ConfigKey{"mesh.broadcast_interval", ConfigType::TimeSpan, 100, kHour, "", "5s",
              "beacon period", kLive,
              Span<&Config::broadcast_interval>::set, Span<&Config::broadcast_interval>::get},
    ConfigKey{"mesh.broadcast_interval_max", ConfigType::TimeSpan, 100, kHour, "", "60s",
              "beacon period while nothing changes", kLive,
              Span<&Config::broadcast_interval_max>::set,
              Span<&Config::broadcast_interval_max>::get},
    ConfigKey{"mesh.heartbeat_interval", ConfigType::TimeSpan, 500, kMinute, "", "5s",
              "longest heartbeat period of a link", kLive,
              Span<&Config::heartbeat_interval>::set, Span<&Config::heartbeat_interval>::get},
    ConfigKey{"mesh.link_patience", ConfigType::TimeSpan, 500, kMinute, "", "600ms",
              "how long a silent link is probed before it is down", kLive,
              Span<&Settings::link_patience>::set, Span<&Settings::link_patience>::get},
    ConfigKey{"mesh.heartbeat_timeout", ConfigType::TimeSpan, 200, kHour, "", "30s",
              "upper bound of the patience with a link", kLive,
              Span<&Settings::heartbeat_timeout>::set, Span<&Settings::heartbeat_timeout>::get},
    ConfigKey{"mesh.forget_after", ConfigType::TimeSpan, kMinute, kYear, "", "24h",
              "how long offline nodes are remembered", kLive,
              Span<&Config::forget_after>::set, Span<&Config::forget_after>::get},
    ConfigKey{"mesh.mtu", ConfigType::Integer,
              limits::kDatagramBytesMin, limits::kDatagramBytesMax, "", "1400",
              "largest UDP payload sent, in bytes", kAtStart,
              Size<&Config::datagram_bytes>::set, Size<&Config::datagram_bytes>::get},
    ConfigKey{"store.tombstone_time", ConfigType::TimeSpan, kMinute, kYear, "", "24h",
              "how long deletions are remembered", kAtStart,
              Span<&Config::tombstone_time>::set, Span<&Config::tombstone_time>::get},
    ConfigKey{"store.own_entries_max", ConfigType::Integer, 1, kOwnEntriesMax, "", "200000",
              "registry entries of this node", kLive,
              Size<&Config::own_entries_max>::set, Size<&Config::own_entries_max>::get},
    ConfigKey{"store.memory_max", ConfigType::Integer, kMemoryMinMib, kMemoryMaxMib, "", "1024",
              "records in memory, in MiB", kAtStart,
              Size<&Config::store_memory_max, 1 << 20>::set,
              Size<&Config::store_memory_max, 1 << 20>::get},
    ConfigKey{"store.persist_interval", ConfigType::TimeSpan, 10, kHour, "", "1s",
              "when own data are on disk at the latest", kLive,
              Span<&Config::persist_interval>::set, Span<&Config::persist_interval>::get},
    ConfigKey{"store.persist_interval_others", ConfigType::TimeSpan, 10, kHour, "", "5s",
              "when data of other nodes are on disk at the latest", kLive,
              Span<&Config::persist_interval_others>::set,
              Span<&Config::persist_interval_others>::get},
    ConfigKey{"security.mode", ConfigType::Choice, 0, 0, "sealed|mixed|open", "sealed",
              "who may take part", kLive, set_security, get_security},
    ConfigKey{"socket.path", ConfigType::Text, 0, 0, "", "\"\"",
              "Unix socket of the local API", kAtStart,
              Text<&Settings::socket_path>::set, Text<&Settings::socket_path>::get},
    ConfigKey{"log.level", ConfigType::Choice, 0, 0, "debug|info|warning|error", "info",
              "least level that is logged", kLive, set_log_level_key,
              [](const Settings& settings) -> TypedValue {
                  return {.text = std::string(log_level_name(settings.log_level))};
              }},
    ConfigKey{"state_dir", ConfigType::Text, 0, 0, "", "\"\"",
              "directory of what is kept", kAtStart,
              Text<&Settings::state_dir>::set, Text<&Settings::state_dir>::get},
    ConfigKey{"state", ConfigType::Document, 0, 0, "", "{}",
              "state document at start", kAtStart, set_state,
              [](const Settings& settings) -> TypedValue {
                  return {.text = settings.core.initial_state};
              }},
};
// clang-format on

}  // namespace

std::span<const ConfigKey> config_keys() {
    return kKeys;
}

}  // namespace meshd
