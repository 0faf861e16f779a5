// SPDX-License-Identifier: Apache-2.0
#include "cli/event_line.h"

#include "cli/render.h"

namespace meshd::cli {
namespace {

std::string alert_words(const json::Value& alert, const Style& style) {
    const std::string priority = print_value(alert["priority"]);
    std::string out = style.paint(priority, tone_of_priority(priority)) + " from " +
                      print_value(alert["source"]) + ", ";
    out += print_count(alert["hops"].as_uint().value_or(0), "hop", "hops");
    out += ", " + print_duration_ms(alert["age_ms"]) + " old";
    if (alert["replayed"].as_bool().value_or(false)) {
        out += ", replayed";
    }
    return out + ": " + print_alert(alert["alert"]);
}

std::string by(const json::Value& data) {
    return data["by"].is_string() ? " by " + print_value(data["by"]) : std::string();
}

std::string age(const json::Value& data) {
    return data["age_ms"].exists() ? ", " + print_duration_ms(data["age_ms"]) + " old"
                                   : std::string();
}

std::string entry_words(std::string_view kind, const json::Value& data) {
    std::string out = print_value(data["hash"]);
    if (!data["type"].as_string().value_or("").empty()) {
        out += " " + print_value(data["type"]);
    }
    out += " of " + print_value(data["node"]);
    return out + (kind == "registry.deleted" ? by(data) : age(data));
}

std::string note_words(const json::Value& note) {
    std::string out = "from " + print_value(note["source"]);
    if (!note["topic"].as_string().value_or("").empty()) {
        out += " on " + print_value(note["topic"]);
    }
    return out + ", " + print_count(note["hops"].as_uint().value_or(0), "hop", "hops") + ": " +
           print_alert(note["note"]);
}

std::string request_words(const json::Value& request) {
    return print_value(request["search_type"]) + " from " + print_value(request["source"]) + ": " +
           print_value(request["query"]);
}

Tone tone_of_event(std::string_view kind) {
    if (kind == "node.joined" || kind == "node.returned" || kind == "node.rejoined" ||
        kind == "link.up") {
        return Tone::Good;
    }
    if (kind == "node.offline" || kind == "node.conflict" || kind == "node.isolated") {
        return Tone::Bad;
    }
    return kind == "node.unreachable" || kind == "lagged" || kind == "overload" ||
                   kind == "link.down"
               ? Tone::Warn
               : Tone::Plain;
}

std::string words_of(std::string_view kind, const json::Value& data, const Style& style) {
    if (kind == "alert") {
        return alert_words(data, style);
    }
    if (kind == "note") {
        return note_words(data);
    }
    if (kind == "search.request") {
        return request_words(data);
    }
    if (kind == "lagged") {
        const auto lost = data["lost"].as_uint();
        return lost ? print_count(*lost, "event", "events") + " lost" : "events were lost";
    }
    if (kind == "overload") {
        return print_count(data["refused"].as_uint().value_or(1), "call", "calls") +
               " refused, the last of " + print_value(data["method"]);
    }
    if (kind.starts_with("registry.")) {
        return entry_words(kind, data);
    }
    if (kind == "shared.changed") {
        const std::string key = print_value(data["key"]);
        return (data["value"].is_null() ? key + " deleted"
                                        : key + " = " + print_value(data["value"])) +
               by(data) + age(data);
    }
    const std::string node = print_value(data["node_id"]);
    if (kind == "state.changed") {
        return node + " " + print_value(data["activity"]) + " " + print_value(data["state"]);
    }
    if (kind.starts_with("link.")) {
        return node + " " + print_value(data["address"]);
    }
    if (kind == "node.isolated") {
        return node + " (this box) is cut off from all others";
    }
    if (kind == "node.rejoined") {
        return node + " (this box) is cut off no more";
    }
    if (kind == "node.forgotten") {
        return node + by(data);
    }
    if (kind.starts_with("node.")) {
        return data["because"].is_string() ? node + " (behind " + print_value(data["because"]) + ")"
                                           : node;
    }
    return print_value(data);
}

}  // namespace

std::string print_event(const json::Value& params, const Style& style) {
    // The longest kinds, node.unreachable and registry.deleted.
    constexpr std::size_t kKindWidth = 16;
    const std::string kind = print_value(params["kind"]);
    std::string out =
        style.paint(print_time_of_day(params["timestamp_ms"].as_int().value_or(0)), Tone::Dim);
    out += "  " + style.paint(kind, tone_of_event(kind));
    out.append(kind.size() < kKindWidth ? kKindWidth - kind.size() : 0, ' ');
    return out + "  " + words_of(kind, params["data"], style);
}

std::string print_alert_line(const json::Value& alert, std::int64_t timestamp_ms,
                             const Style& style) {
    return style.paint(print_time_of_day(timestamp_ms), Tone::Dim) + "  " +
           alert_words(alert, style);
}

}  // namespace meshd::cli
