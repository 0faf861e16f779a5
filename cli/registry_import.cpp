// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/entry_import.h"
#include "cli/input.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

std::string counts_json(const ImportCounts& counts, const std::string& node) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().member("node", node).member("stored", counts.stored);
    writer.member("refused", counts.refused).member("expired", counts.expired);
    writer.member("merged", counts.merged).member("other_nodes", counts.other_nodes);
    writer.member("lines", counts.lines).key("next_line");
    counts.next_line ? writer.unsigned_integer(*counts.next_line) : writer.null();
    writer.end_object();
    return text;
}

std::string counts_words(const ImportCounts& counts, const std::string& node) {
    std::string out = "imported " + print_count(counts.stored, "entry", "entries") +
                      " as sightings by this box, " + node;
    const auto add = [&out](std::uint64_t count, std::string_view words) {
        if (count > 0) {
            out += "\n  " + std::to_string(count) + " " + std::string(words);
        }
    };
    add(counts.refused, "refused");
    add(counts.expired, "left out: their life is over");
    add(counts.merged, "left out: the same hash with a newer sighting in the file");
    add(counts.other_nodes, "left out: sightings by other boxes");
    add(counts.not_durable, "NOT on disk: 'meshctl status' says why");
    return out;
}

ExitCode run(Context& context, const Arguments& arguments) {
    auto reader =
        LineReader::open(arguments.has("FILE") ? std::string(arguments.text("FILE")) : "-");
    if (!reader) {
        return Context::fail(ExitCode::Usage, reader.error());
    }
    auto client = context.connect();
    if (!client) {
        return Context::fail(client.error());
    }
    const auto status = client->call("mesh.status", "{}", context.deadline());
    if (!status) {
        return Context::fail(status.error());
    }
    const std::string node = print_value(status->result()["node_id"]);

    ImportOptions options;
    options.only_node = arguments.text("only-node");
    options.from_line = static_cast<std::uint64_t>(arguments.number("from-line").value_or(1));
    options.is_durable = arguments.has("durable");
    EntryImport import(context, *client, *reader, options);
    const ExitCode code = import.run();
    context.write_line(context.is_json() ? counts_json(import.counts(), node)
                                         : counts_words(import.counts(), node));
    if (const auto next = import.counts().next_line) {
        context.hint("go on with --from-line " + std::to_string(*next));
    }
    return code;
}

constexpr std::array<Argument, 1> kArguments = {
    {{"FILE", "lines as 'registry export' writes them; - or none is standard input", false, false,
      ValueKind::Path}}};
constexpr std::array<Option, 3> kOptions = {{
    {"only-node", "N", "only the lines of this box's sightings", ValueKind::Text},
    {"from-line", "L", "begin with this line", ValueKind::Number, 1, 1'000'000'000'000},
    {"durable", "", "wait until they are on this box's disk"},
}};

}  // namespace

constexpr Verb kRegistryImportVerb = {
    .name = "registry import",
    .summary = "Put the entries of a file into the registry, as this box's own sightings",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl registry import mesh.ndjson\n"
        "zcat persons.ndjson.gz | meshctl registry import - --only-node cam-2",
    .run = run,
    .notes =
        "Whatever box a line names, the entry becomes a sighting by this box; of several lines of\n"
        "one hash behind each other the newest counts. ttl_ms is taken as what was left at\n"
        "exported_ms, else as counting from now. A bad line is told as file:line: reason, the "
        "others\n"
        "go on. Exit code 4: some were refused, or Ctrl-C ended it; it says with which line to go "
        "on,\n"
        "and importing a line twice does no harm.",
};

}  // namespace meshd::cli
