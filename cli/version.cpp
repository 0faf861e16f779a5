// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

ExitCode run(Context& context, const Arguments&) {
    const auto reply = context.try_call("mesh.status");
    const json::Value daemon = reply ? reply->result()["version"] : json::Value();
    if (context.is_json()) {
        std::string text;
        json::Writer writer(text);
        writer.begin_object().member("meshctl", MESHD_VERSION).key("meshd");
        daemon.exists() ? writer.value(daemon) : writer.null();
        writer.end_object();
        context.write_line(text);
        return ExitCode::Ok;
    }
    context.write_line("meshctl " MESHD_VERSION);
    if (daemon.exists()) {
        context.write_line("meshd " + print_value(daemon));
    } else {
        context.hint("no meshd answers, so its version is not known");
    }
    return ExitCode::Ok;
}

}  // namespace

constexpr Verb kVersionVerb = {
    .name = "version",
    .summary = "Show the versions of meshctl and of the running daemon",
    .arguments = {},
    .options = {},
    .example = "meshctl version",
    .run = run,
};

}  // namespace meshd::cli
