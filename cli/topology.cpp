// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/topology_picture.h"
#include "cli/topology_svg.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

ExitCode run(Context& context, const Arguments& arguments) {
    std::vector<std::string> forms;
    for (const char* form : {"ascii", "dot", "svg"}) {
        if (arguments.has(form)) {
            forms.push_back("--" + std::string(form));
        }
    }
    if (forms.size() > 1) {
        return Context::fail(ExitCode::Usage,
                             "topology: " + join(forms, " and ") + " exclude each other");
    }
    const auto topology = context.call("mesh.topology");
    if (!topology) {
        return topology.error();
    }
    if (context.is_json()) {
        context.write_line(topology->result().print());
        return ExitCode::Ok;
    }
    if (arguments.has("dot")) {
        context.write(topology_dot(topology->result()));
        return ExitCode::Ok;
    }
    const auto nodes = context.call("mesh.nodes");
    if (!nodes) {
        return nodes.error();
    }
    PictureOptions options;
    options.width = context.style().width;
    for (const json::Value& node : nodes->result()["nodes"]) {
        if (node["hops"].as_int() == 0) {
            options.own = print_value(node["node_id"]);
        } else if (node["rtt_ms"].as_double()) {
            options.notes[print_value(node["node_id"])] = print_duration_ms(node["rtt_ms"]);
        }
    }
    context.write(arguments.has("svg") ? topology_svg(topology->result(), options)
                                       : topology_picture(topology->result(), options));
    return ExitCode::Ok;
}

constexpr std::array<Option, 3> kOptions = {{
    {"ascii", "", "as a picture of text (the default)"},
    {"dot", "", "as Graphviz DOT"},
    {"svg", "", "as a picture for a browser or a page"},
}};

}  // namespace

constexpr Verb kTopologyVerb = {
    .name = "topology",
    .summary = "Draw the whole mesh: who is linked to whom",
    .arguments = {},
    .options = kOptions,
    .example =
        "meshctl topology\n"
        "meshctl topology --svg > mesh.svg\n"
        "meshctl topology --dot | neato -Tpng > mesh.png",
    .run = run,
    .notes =
        "Beside a box linked directly stands its round trip, in square brackets the status of one\n"
        "that is not alive.",
};

}  // namespace meshd::cli
