// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

void add_store(Listing& rows, const json::Value& store) {
    const auto count = [&](std::string_view key, std::string_view one, std::string_view many) {
        return print_count(store[key].as_uint().value_or(0), one, many);
    };
    std::string held = count("records", "record", "records") + ", " +
                       print_size(store["bytes"].as_double().value_or(0));
    if (store["entries"].exists()) {
        held += ": " + count("entries", "entry", "entries") + ", " +
                count("alerts", "alert", "alerts") + ", " + print_value(store["shared"]) +
                " shared, " + count("tombstones", "tombstone", "tombstones");
    }
    rows.add("store", held);
    if (const auto durable = store["durable"].as_bool()) {
        const std::uint64_t unwritten = store["unwritten"].as_uint().value_or(0);
        const std::string waiting =
            unwritten > 0 ? ", " + print_count(unwritten, "record", "records") + " not yet written"
                          : "";
        *durable ? rows.add("on disk", "yes" + waiting)
                 : rows.add("on disk", "NO: kept in memory alone" + waiting, Tone::Warn);
    }
    if (const std::uint64_t unheld = store["streams_unheld"].as_uint().value_or(0); unheld > 0) {
        rows.add("not held",
                 print_count(unheld, "stream", "streams") + " of other boxes, for want of room",
                 Tone::Warn);
    }
}

/// "sealed with key 1a098fca"
std::string sealing_words(const json::Value& result) {
    const json::Value sealing = result["sealing"];
    const std::string mode = print_value(result["security"]);
    if (mode == "open") {
        return "open: nothing is encrypted";
    }
    if (!sealing["key"].is_string()) {
        return mode + ", but without a key";
    }
    const std::string words = mode + " with key " + print_value(sealing["key"]);
    const std::uint64_t open = sealing["links_open"].as_uint().value_or(0);
    return mode == "sealed" ? words
                            : words + ": " + print_value(sealing["links_sealed"]) + " of " +
                                  print_count(sealing["links_sealed"].as_uint().value_or(0) + open,
                                              "link", "links") +
                                  " sealed";
}

}  // namespace

std::string render_status(const json::Value& result, const Style& style) {
    Listing rows;
    const bool has_left = result["left"].as_bool().value_or(false);
    rows.add("node", print_value(result["node_id"]), Tone::Strong);
    if (result["isolated"].as_bool().value_or(false)) {
        rows.add("alone", "cut off from all others for " + print_duration_ms(result["isolated_ms"]),
                 Tone::Bad);
    }
    if (has_left) {
        rows.add("mesh", print_value(result["mesh"]) + ", left", Tone::Warn);
    } else {
        rows.add("mesh", print_value(result["mesh"]) + ", " + sealing_words(result));
    }
    rows.add("activity", print_value(result["activity"]));
    rows.add("boxes", print_value(result["nodes_alive"]) + " alive of " +
                          print_value(result["nodes_known"]) + " known, this one included");
    rows.add("links", print_value(result["peers"]));
    add_store(rows, result["store"]);
    rows.add("uptime", print_duration_s(result["uptime_s"]));
    rows.add("version", print_value(result["version"]));
    for (const std::string& warning : texts_of(result["warnings"])) {
        rows.add("warning", warning, Tone::Warn);
    }
    return rows.print(style);
}

namespace {

ExitCode run(Context& context, const Arguments&) {
    return show(context, "mesh.status", "{}", render_status);
}

}  // namespace

constexpr Verb kStatusVerb = {
    .name = "status",
    .summary = "Show this box and how it is doing",
    .arguments = {},
    .options = {},
    .example = "meshctl status\nmeshctl status --json | jq .nodes_alive",
    .run = run,
};

}  // namespace meshd::cli
