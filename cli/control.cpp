// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

ExitCode run_discover(Context& context, const Arguments&) {
    return order(context, "mesh.discover", "{}", [](const json::Value&) {
        return "looking for other boxes now; 'meshctl watch node link' shows who is found";
    });
}

ExitCode run_leave(Context& context, const Arguments& arguments) {
    const char* params = arguments.has("restarting") ? R"({"restarting":true})" : "{}";
    return order(context, "mesh.leave", params, [](const json::Value&) {
        return "left the mesh; the daemon keeps running and 'meshctl discover' rejoins";
    });
}

std::string render_reloaded(const json::Value& result, const Style& style) {
    const std::vector<std::string> applied = texts_of(result["applied"]);
    const std::vector<std::string> waiting = texts_of(result["restart"]);
    Listing rows;
    if (applied.empty() && waiting.empty()) {
        return "nothing has changed\n";
    }
    for (const std::string& key : applied) {
        rows.add("applied", key, Tone::Good);
    }
    for (const std::string& key : waiting) {
        rows.add("needs a restart", key, Tone::Warn);
    }
    return rows.print(style);
}

ExitCode run_reload(Context& context, const Arguments&) {
    return show(context, "config.reload", "{}", render_reloaded);
}

constexpr std::array<Option, 1> kLeaveOptions = {
    {{"restarting", "", "say that the box will be back soon, so that nobody is alarmed"}}};

}  // namespace

constexpr Verb kDiscoverVerb = {
    .name = "discover",
    .summary = "Look for other boxes now; rejoin after leave",
    .arguments = {},
    .options = {},
    .example = "meshctl discover",
    .run = run_discover,
};

constexpr Verb kReloadVerb = {
    .name = "reload",
    .summary = "Have the daemon read its configuration again",
    .arguments = {},
    .options = {},
    .example = "meshctl reload\nmeshctl reload --json | jq -r '.restart[]'",
    .run = run_reload,
    .notes =
        "Says which keys are in force now, and which need a restart (sudo systemctl restart\n"
        "meshd). Where a file is wrong nothing changes, and the words say where. For root, the\n"
        "user meshd runs as, and members of group meshd-admin (else exit code 5).",
};

constexpr Verb kLeaveVerb = {
    .name = "leave",
    .summary = "Say goodbye to the mesh and close all links",
    .arguments = {},
    .options = kLeaveOptions,
    .example = "meshctl leave\nmeshctl leave --restarting",
    .run = run_leave,
};

}  // namespace meshd::cli
