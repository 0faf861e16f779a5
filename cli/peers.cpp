// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_peers(const json::Value& result, const Style& style) {
    if (result["peers"].size() == 0) {
        return "no links\n";
    }
    // Where the exchange loss makes a link lossy, and then bad.
    constexpr double kLossy = 0.15;
    constexpr double kBad = 0.45;
    Table table({{"NODE"},
                 {"ADDRESS"},
                 {"RTT", Align::Right},
                 {"LOSS", Align::Right},
                 {"UP FOR", Align::Right},
                 {"QUEUED", Align::Right}});
    for (const json::Value& peer : result["peers"]) {
        const double loss = peer["loss"].as_double().value_or(0);
        table.add_row({print_value(peer["node_id"]),
                       print_value(peer["address"]),
                       print_duration_ms(peer["rtt_ms"]),
                       {print_share(loss), loss > kBad     ? Tone::Bad
                                           : loss > kLossy ? Tone::Warn
                                                           : Tone::Plain},
                       print_duration_s(peer["up_for_s"]),
                       print_value(peer["queued"])});
    }
    return table.print(style);
}

namespace {

ExitCode run(Context& context, const Arguments&) {
    return show(context, "mesh.peers", "{}", render_peers);
}

}  // namespace

constexpr Verb kPeersVerb = {
    .name = "peers",
    .summary = "List the boxes linked directly to this one",
    .arguments = {},
    .options = {},
    .example = "meshctl peers",
    .run = run,
    .notes =
        "LOSS is the share of exchanges without a reply; QUEUED counts messages that wait or are\n"
        "not yet acknowledged.",
};

}  // namespace meshd::cli
