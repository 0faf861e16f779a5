// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/context.h"
#include "cli/probe_call.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_trace(const json::Value& result, const Style& style) {
    Table table({{"HOP", Align::Right}, {"NODE"}, {"RTT", Align::Right}});
    for (const json::Value& hop : result["hops"]) {
        const bool is_known = hop["rtt_ms"].as_double().has_value();
        table.add_row({print_value(hop["hop"]),
                       print_value(hop["node_id"]),
                       {is_known ? print_duration_ms(hop["rtt_ms"]) : "*",
                        is_known ? Tone::Plain : Tone::Warn}});
    }
    return table.print(style);
}

namespace {

ExitCode run(Context& context, const Arguments& arguments) {
    const auto probe = probe_call(arguments);
    if (!probe) {
        return Context::fail(ExitCode::Usage, probe.error());
    }
    const auto reply = context.call("mesh.trace", probe->params, probe->wait);
    if (!reply) {
        return reply.error();
    }
    const json::Value result = reply->result();
    const bool is_complete = result["complete"].as_bool().value_or(false);
    if (context.is_json()) {
        context.write_line(result.print());
    } else {
        if (result["hops"].size() > 0) {
            context.write(render_trace(result, context.style()));
        }
        if (!is_complete) {
            context.hint("not all hops to " + printable(arguments.text("NODE")) +
                         " answered within " +
                         print_duration(static_cast<double>(probe->wait.count())));
        }
    }
    return is_complete ? ExitCode::Ok : ExitCode::Partial;
}

constexpr std::array<Option, 1> kOptions = {{kProbeWaitOption}};

}  // namespace

constexpr Verb kTraceVerb = {
    .name = "trace",
    .summary = "Show the way to a box, with the round trip to each hop",
    .arguments = kProbeArguments,
    .options = kOptions,
    .example = "meshctl trace cam-5\nmeshctl trace cam-5 --json | jq -r '.hops[].node_id'",
    .run = run,
    .notes =
        "* stands where a hop did not answer. Exit code 4: the box itself or one on the way was\n"
        "silent. 'meshctl routes' shows the ways as this box knows them, without asking.",
};

}  // namespace meshd::cli
