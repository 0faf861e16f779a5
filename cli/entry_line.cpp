// SPDX-License-Identifier: Apache-2.0
#include "cli/entry_line.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <vector>

#include "cli/format.h"
#include "cli/suggestion.h"

namespace meshd::cli {
namespace {

/// Members that go into the registry as they are.
constexpr std::array<std::string_view, 6> kPutMembers = {"hash",  "type",     "embedding",
                                                         "space", "metadata", "timestamp_ms"};
/// Members that the import uses or that are there for people.
constexpr std::array<std::string_view, 5> kOtherMembers = {"ttl_ms", "exported_ms", "node",
                                                           "age_ms", "dimension"};

bool is_given(const json::Value& value) {
    return value.exists() && !value.is_null();
}

/// Whole milliseconds, however they are written.
std::int64_t whole_ms(const json::Value& value) {
    return std::llround(value.as_double().value_or(0));
}

bool is_among(std::string_view name, std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string unknown_member(std::string_view name) {
    std::vector<std::string> known(kPutMembers.begin(), kPutMembers.end());
    known.insert(known.end(), kOtherMembers.begin(), kOtherMembers.end());
    return "unknown member '" + printable(name) + "'" + did_you_mean(name, known);
}

}  // namespace

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string print_entry_line(const json::Value& entry, std::int64_t now_ms) {
    std::string line;
    json::Writer writer(line);
    writer.begin_object();
    for (const std::string_view name : kPutMembers) {
        if (is_given(entry[name])) {
            writer.key(name).value(entry[name]);
        }
    }
    if (is_given(entry["ttl_ms"])) {
        const std::int64_t left = whole_ms(entry["ttl_ms"]) - whole_ms(entry["age_ms"]);
        if (left <= 0) {
            return {};
        }
        writer.member("ttl_ms", left).member("exported_ms", now_ms);
    }
    writer.key("node").value(entry["node"]);
    writer.member("age_ms", whole_ms(entry["age_ms"])).end_object();
    return line;
}

tl::expected<EntryLine, std::string> parse_entry_line(std::string_view line, std::int64_t now_ms) {
    const auto parsed = json::Document::parse(line, json::Limits{});
    if (!parsed) {
        return tl::unexpected(print_error(parsed.error()));
    }
    const json::Value root = parsed->root();
    if (!root.is_object()) {
        return tl::unexpected(std::string("no JSON object"));
    }
    for (auto it = root.begin(); it != root.end(); ++it) {
        if (!is_among(it.key(), kPutMembers) && !is_among(it.key(), kOtherMembers)) {
            return tl::unexpected(unknown_member(it.key()));
        }
    }
    for (const char* name : {"hash", "type"}) {
        if (!root[name].is_string()) {
            return tl::unexpected(std::string(name) +
                                  (is_given(root[name]) ? " is no text" : " is missing"));
        }
    }
    for (const char* name : {"ttl_ms", "exported_ms", "timestamp_ms"}) {
        if (is_given(root[name]) && !root[name].as_int()) {
            return tl::unexpected(std::string(name) + " is no whole number");
        }
    }
    EntryLine out;
    out.hash = root["hash"].as_string().value_or("");
    out.node = root["node"].as_string().value_or("");
    out.timestamp_ms = root["timestamp_ms"].as_int().value_or(now_ms);
    json::Writer writer(out.entry);
    writer.begin_object();
    for (const std::string_view name : kPutMembers) {
        if (is_given(root[name])) {
            writer.key(name).value(root[name]);
        }
    }
    if (const auto ttl = root["ttl_ms"].as_int()) {
        // A clock behind the exporter's must not lengthen what was left.
        const std::int64_t exported = root["exported_ms"].as_int().value_or(now_ms);
        const std::int64_t passed = exported >= 0 && exported < now_ms ? now_ms - exported : 0;
        out.has_expired = *ttl <= passed && passed > 0;
        writer.member("ttl_ms", *ttl - passed);
    }
    writer.end_object();
    return out;
}

}  // namespace meshd::cli
