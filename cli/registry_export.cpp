// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/entry_filter.h"
#include "cli/entry_line.h"
#include "cli/file_sink.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

struct Counts {
    std::uint64_t exported = 0;
    std::uint64_t expired = 0;
    std::optional<std::uint64_t> expected;
};

/// Entries held, for the bar; nothing where filters leave some out.
std::optional<std::uint64_t> expected_count(const Context& context, ipc::Client& client,
                                            const Arguments& arguments) {
    for (const Option& filter : kEntryFilterOptions) {
        if (arguments.has(filter.name)) {
            return std::nullopt;
        }
    }
    const auto status = client.call("mesh.status", "{}", context.deadline());
    return status ? status->result()["store"]["entries"].as_uint() : std::nullopt;
}

std::string lines_of(const json::Value& entries, Counts& counts) {
    std::string text;
    const std::int64_t now = wall_ms();
    for (const json::Value& entry : entries) {
        const std::string line = print_entry_line(entry, now);
        line.empty() ? ++counts.expired : ++counts.exported;
        text += line.empty() ? line : line + "\n";
    }
    return text;
}

ExitCode incomplete(const FileSink& sink, const Counts& counts, ExitCode code,
                    std::string_view why) {
    const std::string left = sink.is_file()
                                 ? printable(sink.path()) + " is left as it was"
                                 : "after " + print_count(counts.exported, "entry", "entries") +
                                       ": the export is not complete";
    return Context::fail(code, std::string(why) + "; " + left);
}

/// Asks for each page while the one before is written.
ExitCode copy_pages(Context& context, ipc::Client& client, const Arguments& arguments,
                    FileSink& sink, Counts& counts) {
    const Interrupt interrupt;
    Progress progress("exported");
    if (progress.is_shown()) {
        counts.expected = expected_count(context, client, arguments);
    }
    EntryPage page;
    page.limit = kEntryPageMax;
    page.has_embeddings = !arguments.has("no-embeddings");
    std::string params = list_params(arguments, page);
    auto call = client.send("registry.list", params, context.deadline());
    while (true) {
        if (!call) {
            return Context::fail(call.error());
        }
        const auto reply = client.receive(*call, context.deadline());
        if (!reply) {
            progress.wipe();
            const ExitCode code = Context::fail(reply.error());
            return incomplete(sink, counts, code, "the export ended early");
        }
        const json::Value result = reply->result();
        const bool has_more = result["next"].is_string();
        if (has_more) {
            page.after = result["next"].as_string().value_or("");
            call = client.send("registry.list", list_params(arguments, page), context.deadline());
        }
        if (!sink.write(lines_of(result["entries"], counts))) {
            return ExitCode::Refused;
        }
        const std::uint64_t done = counts.exported + counts.expired;
        progress.update(counts.exported, counts.expected && *counts.expected > 0
                                             ? std::optional(static_cast<double>(done) /
                                                             static_cast<double>(*counts.expected))
                                             : std::nullopt);
        if (!has_more) {
            return sink.close() ? ExitCode::Ok : ExitCode::Refused;
        }
        if (interrupt.has_come()) {
            progress.wipe();
            return incomplete(sink, counts, ExitCode::Partial, "interrupted");
        }
    }
}

ExitCode run(Context& context, const Arguments& arguments) {
    auto client = context.connect();
    if (!client) {
        return Context::fail(client.error());
    }
    FileSink sink(context, {.path = arguments.text("FILE")});
    if (!sink.open()) {
        return ExitCode::Refused;
    }
    Counts counts;
    const ExitCode code = copy_pages(context, *client, arguments, sink, counts);
    if (code != ExitCode::Ok) {
        return code;
    }
    if (context.is_json() && sink.is_file()) {
        std::string text;
        json::Writer(text)
            .begin_object()
            .member("exported", counts.exported)
            .member("expired", counts.expired)
            .end_object();
        context.write_line(text);
    } else {
        context.hint("exported " + print_count(counts.exported, "entry", "entries"));
    }
    return ExitCode::Ok;
}

constexpr std::array<Argument, 1> kArguments = {
    {{"FILE", "where to; - or none is standard output", false, false, ValueKind::Path}}};
constexpr std::array<Option, 5> kOptions = {{
    kEntryFilterOptions[0],
    kEntryFilterOptions[1],
    kEntryFilterOptions[2],
    kEntryFilterOptions[3],
    {"no-embeddings", "", "without the vectors"},
}};

}  // namespace

constexpr Verb kRegistryExportVerb = {
    .name = "registry export",
    .summary = "Write the registry to a file, one entry a line",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl registry export mesh.ndjson\n"
        "meshctl registry export - --type person | gzip > persons.ndjson.gz",
    .run = run,
    .notes =
        "A line is a JSON object: hash, type, embedding, space, metadata, ttl_ms, exported_ms,\n"
        "timestamp_ms, node, age_ms. ttl_ms is what is left of the entry's life at exported_ms "
        "(wall\n"
        "time), so that an import never lengthens it; node and age_ms are for information. A file\n"
        "appears under its name once it is whole.",
};

}  // namespace meshd::cli
