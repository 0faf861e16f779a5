// SPDX-License-Identifier: Apache-2.0
#include "cli/search_results.h"

#include <cstdio>
#include <string_view>

#include "cli/table.h"

namespace meshd::cli {
namespace {

constexpr const char* kNothing = "nothing found\n";

std::string print_score(const json::Value& score) {
    const auto value = score.as_double();
    if (!value) {
        return "-";
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", *value);
    return text;
}

std::string metadata_of(const json::Value& result) {
    return result["metadata"].size() == 0 ? "-" : print_value(result["metadata"]);
}

bool is_entry(const json::Value& result) {
    return result["hash"].is_string();
}

/// Whose result it is: "cam-2", "cam-2 and 3 others" where several boxes have the same, "cam-2
/// (stale)".
Cell node_cell(const json::Value& result) {
    std::string out = print_value(result["node"]);
    if (const std::size_t nodes = result["nodes"].size(); nodes > 1) {
        out += " and " + print_count(nodes - 1, "other", "others");
    }
    const bool is_stale = result["stale"].as_bool().value_or(false);
    return {out + (is_stale ? " (stale)" : ""), is_stale ? Tone::Warn : Tone::Plain};
}

/// What a program answered, without what stands in columns of its own.
std::string rest_of(const json::Value& result) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    for (auto member = result.begin(); member != result.end(); ++member) {
        if (member.key() != "node" && member.key() != "nodes" && member.key() != "score" &&
            member.key() != "stale") {
            writer.key(member.key()).value(*member);
        }
    }
    writer.end_object();
    return text;
}

std::string entries(const json::Value& list, const Style& style) {
    Table table({{"SCORE", Align::Right},
                 {"HASH"},
                 {"NODE"},
                 {"TYPE"},
                 {"AGE", Align::Right},
                 {"METADATA"}});
    for (const json::Value& entry : list) {
        table.add_row({print_score(entry["score"]), print_value(entry["hash"]), node_cell(entry),
                       print_value(entry["type"]), print_duration_ms(entry["age_ms"]),
                       is_entry(entry) ? metadata_of(entry) : rest_of(entry)});
    }
    return table.print(style);
}

std::string answers(const json::Value& list, const Style& style) {
    Table table({{"SCORE", Align::Right}, {"NODE"}, {"RESULT"}});
    for (const json::Value& result : list) {
        table.add_row({print_score(result["score"]), node_cell(result), rest_of(result)});
    }
    return table.print(style);
}

std::string render(const json::Value& list, const Style& style) {
    if (list.size() == 0) {
        return kNothing;
    }
    for (const json::Value& result : list) {
        if (is_entry(result)) {
            return entries(list, style);
        }
    }
    return answers(list, style);
}

/// "3 boxes: a, b, c"; of many only how many.
std::string boxes(const std::vector<std::string>& names) {
    // More nobody reads; --json has them all.
    constexpr std::size_t kNamesMax = 16;
    const std::string count = print_count(names.size(), "box", "boxes");
    return names.empty() || names.size() > kNamesMax ? count : count + ": " + join(names, ", ");
}

}  // namespace

std::string render_matches(const json::Value& result, const Style& style) {
    return render(result["matches"], style);
}

std::string render_found(const json::Value& result, const Style& style) {
    return render(result["results"], style);
}

std::vector<std::string> search_words(const json::Value& result) {
    std::vector<std::string> answered;
    std::vector<std::string> stale;
    std::vector<std::string> truncated;
    std::vector<std::string> trouble;
    for (const json::Value& answer : result["answers"]) {
        const std::string node = print_value(answer["node_id"]);
        if (answer["refused"].is_string()) {
            trouble.push_back(node + " refused: " + print_value(answer["refused"]));
            continue;
        }
        const bool is_stale = answer["stale"].as_bool().value_or(false);
        (is_stale ? stale : answered).push_back(node);
        if (answer["truncated"].as_bool().value_or(false)) {
            truncated.push_back(node);
        }
        if (const auto silent = answer["silent_responders"].as_uint().value_or(0); silent > 0) {
            trouble.push_back(node + ": " + print_count(silent, "program", "programs") +
                              " did not answer in time");
        }
        if (const auto skipped = answer["skipped_responders"].as_uint().value_or(0); skipped > 0) {
            trouble.push_back(node + ": " + print_count(skipped, "program", "programs") +
                              " not asked, for not having answered before");
        }
    }
    std::vector<std::string> out = {"answered by " + boxes(answered)};
    const auto add = [&](std::string_view what, const std::vector<std::string>& names) {
        if (!names.empty()) {
            out.push_back(std::string(what) + boxes(names));
        }
    };
    add("silent: ", texts_of(result["silent"]));
    add("unreachable: ", texts_of(result["unreachable"]));
    add("stale, as this box holds it: ", stale);
    add("has more than is shown (--limit): ", truncated);
    out.insert(out.end(), trouble.begin(), trouble.end());
    return out;
}

}  // namespace meshd::cli
