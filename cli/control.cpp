// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
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

constexpr Verb kLeaveVerb = {
    .name = "leave",
    .summary = "Say goodbye to the mesh and close all links",
    .arguments = {},
    .options = kLeaveOptions,
    .example = "meshctl leave\nmeshctl leave --restarting",
    .run = run_leave,
};

}  // namespace meshd::cli
