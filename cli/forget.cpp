// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_forgotten(const json::Value& result, const Style& style) {
    return "forgot " + style.paint(print_value(result["node_id"]), Tone::Strong) +
           ", here and on all boxes; its entries and alerts stay";
}

namespace {

ExitCode run(Context& context, const Arguments& arguments) {
    std::string params;
    json::Writer(params).begin_object().member("node_id", arguments.text("NODE")).end_object();
    return order(context, "mesh.forget", params, [&](const json::Value& result) {
        return render_forgotten(result, context.style());
    });
}

constexpr std::array<Argument, 1> kArguments = {
    {{"NODE", "the scrapped box; it must not be alive"}}};

}  // namespace

constexpr Verb kForgetVerb = {
    .name = "forget",
    .summary = "Forget a scrapped box, on all boxes",
    .arguments = kArguments,
    .options = {},
    .example = "meshctl forget cam-9",
    .run = run,
    .notes =
        "Its name and its state vanish everywhere, also from boxes that are away now and return\n"
        "within a day. What it saw stays until it is deleted ('meshctl registry rm') or its ttl "
        "is\n"
        "over, its alerts for a day. A box that comes back after all is taken in as a new one. "
        "Only\n"
        "root, the daemon's user and members of group meshd-admin may ask for it (else exit code\n"
        "5).",
};

}  // namespace meshd::cli
