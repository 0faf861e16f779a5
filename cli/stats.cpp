// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

/// Members that are not 0, below a title; nothing where all are.
std::string group(std::string_view title, const json::Value& counters, const Style& style) {
    Listing rows;
    bool is_empty = true;
    for (auto it = counters.begin(); it != counters.end(); ++it) {
        if ((*it).as_double() != 0.0) {
            rows.add("  " + std::string(it.key()), print_value(*it));
            is_empty = false;
        }
    }
    return is_empty ? std::string() : style.paint(title, Tone::Dim) + "\n" + rows.print(style);
}

ExitCode run(Context& context, const Arguments&) {
    return show(context, "mesh.stats", "{}", render_stats);
}

}  // namespace

std::string render_stats(const json::Value& result, const Style& style) {
    Listing rows;
    for (auto it = result.begin(); it != result.end(); ++it) {
        const std::string name(it.key());
        if ((*it).is_object()) {
            continue;
        }
        const bool is_size = name.starts_with("bytes_");
        rows.add(name,
                 is_size ? print_value(*it) + " (" + print_size((*it).as_double().value_or(0)) + ")"
                         : print_value(*it));
    }
    return rows.print(style) + group("counters", result["counters"], style) +
           group("dropped, by reason", result["drops"], style);
}

constexpr Verb kStatsVerb = {
    .name = "stats",
    .summary = "Show counters since the start of the daemon",
    .arguments = {},
    .options = {},
    .example = "meshctl stats\nmeshctl stats --json | jq .drops",
    .run = run,
    .notes = "Counters and reasons at 0 are left out; --json has them all.",
};

}  // namespace meshd::cli
