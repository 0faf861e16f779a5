// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

std::string origin(const json::Value& key) {
    const std::string where = print_value(key["origin"]);
    if (key["pending"].is_null()) {
        return key["place"].is_string() ? print_value(key["place"]) : where;
    }
    return print_value(key["place"].is_string() ? key["place"] : key["origin"]) +
           "; the files say " + print_value(key["pending"]) + ": restart";
}

std::string render_config(const json::Value& result, const Style& style) {
    Table table({{"KEY"}, {"VALUE"}, {"FROM"}});
    for (const json::Value key : result["keys"]) {
        const bool is_default = key["origin"].as_string() == "default";
        const Tone tone = !key["pending"].is_null() ? Tone::Warn
                          : is_default              ? Tone::Dim
                                                    : Tone::Plain;
        const std::string value = print_value(key["value"]);
        table.add_row(
            {{print_value(key["key"])}, {value.empty() ? "\"\"" : value}, {origin(key), tone}});
    }
    return table.print(style);
}

ExitCode run(Context& context, const Arguments& arguments) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (arguments.has("KEY")) {
        writer.member("key", arguments.text("KEY"));
    }
    writer.end_object();
    return show(context, "config.get", params, render_config);
}

constexpr std::array<Argument, 1> kArguments = {
    {{"KEY", "only this key, as mesh.max_peers, or all of a section, as mesh", false, false}}};

}  // namespace

constexpr Verb kConfigVerb = {
    .name = "config",
    .summary = "Show the configuration in force, and where each value comes from",
    .arguments = kArguments,
    .options = {},
    .example = "meshctl config\nmeshctl config mesh",
    .run = run,
    .notes =
        "FROM is default, the file with line and column, the flag, or call where the local API\n"
        "has set it. What the files say but needs a restart is told behind it.",
};

}  // namespace meshd::cli
