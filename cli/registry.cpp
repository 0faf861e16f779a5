// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <initializer_list>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/embedding_file.h"
#include "cli/entry_filter.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

std::string space_of(const json::Value& entry) {
    return entry["space"].is_string()
               ? print_value(entry["space"]) + " (" + print_value(entry["dimension"]) + ")"
               : "-";
}

std::string metadata_of(const json::Value& entry) {
    return entry["metadata"].size() == 0 ? "-" : print_value(entry["metadata"]);
}

Table entry_table() {
    return Table({{"HASH"},
                  {"NODE"},
                  {"TYPE"},
                  {"AGE", Align::Right},
                  {"TTL", Align::Right},
                  {"SPACE"},
                  {"METADATA"}});
}

void add_entry(Table& table, const json::Value& entry) {
    table.add_row({print_value(entry["hash"]), print_value(entry["node"]),
                   print_value(entry["type"]), print_duration_ms(entry["age_ms"]),
                   print_duration_ms(entry["ttl_ms"]), space_of(entry), metadata_of(entry)});
}

// ---- put ----

tl::expected<std::string, std::string> metadata_object(std::string_view text) {
    const auto parsed = json::Document::parse(text, json::Limits{});
    if (!parsed) {
        return tl::unexpected("--metadata is " + print_error(parsed.error()));
    }
    if (!parsed->root().is_object()) {
        return tl::unexpected(std::string("--metadata is no JSON object"));
    }
    return parsed->root().print();
}

/// The params of registry.put.
tl::expected<std::string, std::string> put_params(const Arguments& arguments) {
    if (!arguments.has("type")) {
        return tl::unexpected(std::string("--type is missing"));
    }
    if (arguments.has("embedding") != arguments.has("space")) {
        return tl::unexpected(
            std::string(arguments.has("space")
                            ? "--space says what made an embedding: --embedding is missing"
                            : "--embedding needs --space, the name of the model that made it"));
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("hash", arguments.text("HASH"));
    writer.member("type", arguments.text("type"));
    if (arguments.has("embedding")) {
        const auto embedding = embedding_of_file(std::string(arguments.text("embedding")));
        if (!embedding) {
            return tl::unexpected("--embedding: " + embedding.error());
        }
        writer.member_raw("embedding", *embedding).member("space", arguments.text("space"));
    }
    if (arguments.has("metadata")) {
        const auto metadata = metadata_object(arguments.text("metadata"));
        if (!metadata) {
            return tl::unexpected(metadata.error());
        }
        writer.member_raw("metadata", *metadata);
    }
    if (const auto ttl = arguments.duration("ttl")) {
        writer.member("ttl_ms", ttl->count());
    }
    if (arguments.has("durable")) {
        writer.member("durable", true);
    }
    writer.end_object();
    return params;
}

ExitCode run_put(Context& context, const Arguments& arguments) {
    const auto words = [&](const json::Value& result) {
        const std::string_view where =
            result["durable"].as_bool().value_or(false) ? ", kept on disk"
            : arguments.has("durable")                  ? ", NOT on disk: 'meshctl status' says why"
                                                        : ", on disk within a second or so";
        return "stored " + printable(arguments.text("HASH")) + std::string(where);
    };
    return order(context, "registry.put", put_params(arguments), words);
}

// ---- get ----

std::string get_params(const Arguments& arguments, const std::string& after) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("hash", arguments.text("HASH"));
    if (arguments.has("embedding")) {
        writer.member("embedding", true);
    }
    if (!after.empty()) {
        writer.member("after", after);
    }
    writer.end_object();
    return params;
}

ExitCode run_get(Context& context, const Arguments& arguments) {
    Table table = entry_table();
    std::string embeddings;
    std::string after;
    std::uint64_t count = 0;
    do {
        const auto reply = context.call("registry.get", get_params(arguments, after));
        if (!reply) {
            return reply.error();
        }
        const json::Value result = reply->result();
        if (context.is_json() && !context.write_line(result.print())) {
            return ExitCode::Refused;
        }
        for (const json::Value& entry : result["entries"]) {
            add_entry(table, entry);
            ++count;
            if (entry["embedding"].is_object()) {
                embeddings += "embedding of " + print_value(entry["node"]) + ": " +
                              print_value(entry["embedding"]) + "\n";
            }
        }
        after = result["next"].as_string().value_or("");
    } while (!after.empty());
    if (count == 0) {
        return Context::fail(
            ExitCode::Refused,
            "no sighting of '" + printable(arguments.text("HASH")) + "' is held here");
    }
    if (!context.is_json()) {
        context.write(table.print(context.style()) + embeddings);
    }
    return ExitCode::Ok;
}

// ---- rm ----

ExitCode run_rm(Context& context, const Arguments& arguments) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("hash", arguments.text("HASH"));
    if (arguments.has("node")) {
        writer.member("node", arguments.text("node"));
    }
    writer.end_object();
    const auto reply = context.call("registry.delete", params);
    if (!reply) {
        return reply.error();
    }
    const std::uint64_t deleted = reply->result()["deleted"].as_uint().value_or(0);
    const std::string hash = "'" + printable(arguments.text("HASH")) + "'";
    if (context.is_json()) {
        context.write_line(reply->result().print());
    } else if (deleted > 0) {
        context.confirm("deleted " + print_count(deleted, "sighting", "sightings") + " of " + hash);
    }
    if (deleted > 0) {
        return ExitCode::Ok;
    }
    const std::string whose =
        arguments.has("node") ? " by '" + printable(arguments.text("node")) + "'" : "";
    return Context::fail(ExitCode::Refused,
                         "no sighting of " + hash + whose + " is held here: nothing deleted");
}

// ---- ls ----

ExitCode run_ls(Context& context, const Arguments& arguments) {
    const bool is_all = arguments.has("all");
    EntryPage page;
    page.limit = arguments.number("limit").value_or(is_all ? kEntryPageMax : page.limit);
    page.after = arguments.text("after");
    Table table = entry_table();
    std::uint64_t count = 0;
    while (true) {
        const auto reply = context.call("registry.list", list_params(arguments, page));
        if (!reply) {
            return reply.error();
        }
        const json::Value result = reply->result();
        if (context.is_json() && !context.write_line(result.print())) {
            return ExitCode::Refused;
        }
        for (const json::Value& entry : result["entries"]) {
            add_entry(table, entry);
            ++count;
        }
        const bool has_more = result["next"].is_string();
        if (is_all && has_more) {
            page.after = result["next"].as_string().value_or("");
            continue;
        }
        if (!context.is_json() &&
            context.write(count == 0 ? "no entries\n" : table.print(context.style())) && has_more) {
            context.hint("there are more: --all, or --after " + print_value(result["next"]));
        }
        return ExitCode::Ok;
    }
}

constexpr std::array<Argument, 1> kHashArgument = {{{"HASH", "which person or object"}}};
constexpr std::array<Option, 6> kPutOptions = {{
    {"type", "T", "what the hash is of, as person (required)", ValueKind::Text},
    {"embedding", "FILE",
     "its vector: a JSON array, .npy, or raw values in *.f32, *.f16; - reads one", ValueKind::Path},
    {"space", "S", "name of the model that made the embedding", ValueKind::Text},
    {"metadata", "JSON", "an object of whatever is to be kept with it", ValueKind::Text},
    {"ttl", "D", "age at which all boxes drop it (default: lives until deleted)",
     ValueKind::Duration, 1, 10LL * 365 * 24 * 3600 * 1000},
    {"durable", "", "wait until it is on this box's disk"},
}};
constexpr std::array<Option, 1> kGetOptions = {{{"embedding", "", "with the vectors, as f16"}}};
constexpr std::array<Option, 1> kRmOptions = {
    {{"node", "NODE", "only the sighting by this box", ValueKind::Text}}};
constexpr std::array<Option, 7> kLsOptions = {{
    kEntryFilterOptions[0],
    kEntryFilterOptions[1],
    kEntryFilterOptions[2],
    kEntryFilterOptions[3],
    {"limit", "N", "at most so many (default 100); with --all, so many at a time",
     ValueKind::Number, 1, kEntryPageMax},
    {"after", "NEXT", "go on behind this one", ValueKind::Text},
    {"all", "", "all of them, page by page"},
}};

}  // namespace

constexpr Verb kRegistryPutVerb = {
    .name = "registry put",
    .summary = "Put this box's sighting of a hash into the registry",
    .arguments = kHashArgument,
    .options = kPutOptions,
    .example =
        "meshctl registry put 9f86d081 --type person --metadata '{\"camera\":3}' --ttl 12h\n"
        "meshctl registry put 9f86d081 --type person --embedding face.f32 --space arcface-r50",
    .run = run_put,
    .notes =
        "It replaces this box's former sighting of the hash. Files *.f32 and *.f16 hold raw\n"
        "little-endian values and nothing else.",
};

constexpr Verb kRegistryGetVerb = {
    .name = "registry get",
    .summary = "Show all sightings of a hash, newest first",
    .arguments = kHashArgument,
    .options = kGetOptions,
    .example =
        "meshctl registry get 9f86d081\n"
        "meshctl registry get 9f86d081 --embedding --json | jq -r .entries[0].embedding.f16",
    .run = run_get,
    .notes =
        "Exit code 1: this box holds no sighting of it. With --json it prints one result per "
        "page,\n"
        "a line each; nearly always there is one.",
};

constexpr Verb kRegistryRmVerb = {
    .name = "registry rm",
    .summary = "Delete the sightings of a hash, on all boxes",
    .arguments = kHashArgument,
    .options = kRmOptions,
    .example = "meshctl registry rm 9f86d081\nmeshctl registry rm 9f86d081 --node cam-2",
    .run = run_rm,
    .notes = "Says how many were deleted. Exit code 1: there were none.",
};

constexpr Verb kRegistryLsVerb = {
    .name = "registry ls",
    .summary = "List the entries of the registry, by hash and box",
    .arguments = {},
    .options = kLsOptions,
    .example =
        "meshctl registry ls --type person --max-age 1h\n"
        "meshctl registry ls --all --json | jq -c '.entries[]'",
    .run = run_ls,
    .notes = "With --all and --json it prints one result per page, a line each.",
};

}  // namespace meshd::cli
