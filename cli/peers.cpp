// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>

#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

namespace {

/// What the links' cost classes are called.
constexpr std::array<std::string_view, 3> kCostNames = {"good", "lossy", "bad"};

Cell link_cell(const json::Value& peer) {
    const auto cost_class = peer["cost_class"].as_uint();
    const std::string name = cost_class && *cost_class < kCostNames.size()
                                 ? std::string(kCostNames[*cost_class])
                                 : print_value(peer["cost_class"]);
    if (peer["suspect"].as_bool().value_or(false)) {
        return {name + ", suspect", Tone::Bad};
    }
    return {name, cost_class.value_or(0) == 0   ? Tone::Plain
                  : cost_class.value_or(0) == 1 ? Tone::Warn
                                                : Tone::Bad};
}

}  // namespace

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
                 {"LINK"},
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
                       link_cell(peer),
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
        "LOSS is the share of exchanges without a reply. LINK is the class by which routes are\n"
        "chosen: good, lossy or bad; suspect: the peer has missed a reply and is being probed.\n"
        "QUEUED counts messages that wait or are not yet acknowledged.",
};

}  // namespace meshd::cli
