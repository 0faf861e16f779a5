// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <filesystem>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/render.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {

std::string render_backup(const json::Value& result, const Style& style) {
    Listing rows;
    rows.add("backup", print_value(result["path"]), Tone::Strong);
    rows.add("size", print_size(result["bytes"].as_double().value_or(0)));
    rows.add("records", print_value(result["records"]));
    return rows.print(style);
}

namespace {

/// A large store on an SD card takes a while.
constexpr std::chrono::milliseconds kExtra{10 * 60'000};

ExitCode run(Context& context, const Arguments& arguments) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (arguments.has("PATH")) {
        // The daemon runs in a directory of its own.
        std::error_code error;
        const std::filesystem::path path =
            std::filesystem::absolute(std::filesystem::path(arguments.text("PATH")), error);
        if (error) {
            return Context::fail(ExitCode::Usage,
                                 "cannot tell where PATH begins: " + error.message());
        }
        writer.member("path", path.lexically_normal().string());
    }
    writer.end_object();
    return show(context, "store.backup", params, render_backup, kExtra);
}

constexpr std::array<Argument, 1> kArguments = {
    {{"PATH", "file to write, which must not exist yet; in the state directory where none is given",
      false, false}}};

}  // namespace

constexpr Verb kBackupVerb = {
    .name = "backup",
    .summary = "Write a copy of the store to a file, while the daemon runs",
    .arguments = kArguments,
    .options = {},
    .example = "meshctl backup\nmeshctl backup /var/backups/mesh.db",
    .run = run,
    .notes =
        "The daemon writes the file, with its own rights. Only root, the daemon's user and "
        "members\n"
        "of group meshd-admin may ask for it (else exit code 5).",
};

}  // namespace meshd::cli
