// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

Tone tone_of_status(std::string_view status) {
    if (status == "alive") {
        return Tone::Good;
    }
    return status == "left" ? Tone::Dim : status == "unreachable" ? Tone::Warn : Tone::Bad;
}

std::string print_status(const json::Value& node) {
    const std::string status = print_value(node["status"]);
    if (node["because"].is_string()) {
        return status + " (behind " + print_value(node["because"]) + ")";
    }
    if (node["restarting"].as_bool().value_or(false)) {
        return status + " (restarting)";
    }
    return status;
}

std::string render_nodes(const json::Value& result, const Style& style) {
    const json::Value nodes = result["nodes"];
    const bool has_state = (*nodes.begin())["state"].exists();
    std::vector<Column> columns = {{"NODE"},
                                   {"STATUS"},
                                   {"ACTIVITY"},
                                   {"HOPS", Align::Right},
                                   {"RTT", Align::Right},
                                   {"SEEN", Align::Right},
                                   {"ADDRESS"}};
    if (has_state) {
        columns.push_back({"STATE"});
    }
    Table table(std::move(columns));
    for (const json::Value& node : nodes) {
        const bool is_own = node["hops"].as_int() == 0;
        std::vector<Cell> row;
        row.emplace_back(print_value(node["node_id"]) + (is_own ? " *" : ""),
                         is_own ? Tone::Strong : Tone::Plain);
        row.emplace_back(print_status(node),
                         tone_of_status(node["status"].as_string().value_or("")));
        row.emplace_back(print_value(node["activity"]));
        row.emplace_back(print_value(node["hops"]));
        row.emplace_back(print_duration_ms(node["rtt_ms"]));
        row.emplace_back(is_own ? "-" : print_duration_ms(node["last_seen_ms"]));
        row.emplace_back(print_value(node["address"]));
        if (has_state) {
            row.emplace_back(print_value(node["state"]));
        }
        table.add_row(std::move(row));
    }
    return table.print(style);
}

std::string render_node(const json::Value& result, const Style& style) {
    Listing rows;
    rows.add("node", print_value(result["node_id"]), Tone::Strong);
    rows.add("status", print_status(result),
             tone_of_status(result["status"].as_string().value_or("")));
    rows.add("activity", print_value(result["activity"]));
    rows.add("hops", print_value(result["hops"]));
    rows.add("rtt", print_duration_ms(result["rtt_ms"]));
    rows.add("seen", print_duration_ms(result["last_seen_ms"]) + " ago");
    rows.add("address", print_value(result["address"]));
    rows.add("announced", join(texts_of(result["addresses"]), ", "));
    rows.add("links", join(texts_of(result["links"]), ", "));
    rows.add("version", print_value(result["version"]));
    rows.add("instance", print_value(result["instance"]));
    rows.add("state", print_value(result["state"]));
    return rows.print(style);
}

namespace {

ExitCode run(Context& context, const Arguments& arguments) {
    std::string params;
    json::Writer writer(params);
    if (arguments.has("NODE")) {
        writer.begin_object().member("node_id", arguments.text("NODE")).end_object();
        return show(context, "mesh.node", params, render_node);
    }
    writer.begin_object();
    if (arguments.has("state")) {
        writer.member("state", true);
    }
    writer.end_object();
    return show(context, "mesh.nodes", params, render_nodes);
}

constexpr std::array<Argument, 1> kArguments = {{{"NODE", "only this one, in full", false, false}}};
constexpr std::array<Option, 1> kOptions = {{{"state", "", "with each box's state document"}}};

}  // namespace

constexpr Verb kNodesVerb = {
    .name = "nodes",
    .summary = "List all boxes of the mesh, or show one in full",
    .arguments = kArguments,
    .options = kOptions,
    .example = "meshctl nodes\nmeshctl nodes cam-2",
    .run = run,
    .notes =
        "* marks this box. RTT is measured to boxes linked directly; SEEN is the time since the\n"
        "last sign of life.",
};

}  // namespace meshd::cli
