// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_routes(const json::Value& result, const Style& style) {
    if (result["routes"].size() == 0) {
        return "no routes\n";
    }
    Table table({{"TO"}, {"VIA"}, {"HOPS", Align::Right}, {"COST", Align::Right}, {"PATH"}});
    for (const json::Value& route : result["routes"]) {
        table.add_row({print_value(route["node_id"]), print_value(route["next_peer"]),
                       print_value(route["hops"]), print_value(route["cost"]),
                       join(texts_of(route["path"]), " > ")});
    }
    return table.print(style);
}

namespace {

ExitCode run(Context& context, const Arguments&) {
    return show(context, "mesh.routes", "{}", render_routes);
}

}  // namespace

constexpr Verb kRoutesVerb = {
    .name = "routes",
    .summary = "List the way to each box",
    .arguments = {},
    .options = {},
    .example = "meshctl routes",
    .run = run,
    .notes = "COST is tries needed, times 10, summed over the links: 10 for each good one.",
};

}  // namespace meshd::cli
