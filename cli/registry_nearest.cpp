// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/embedding_file.h"
#include "cli/search_results.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

MadeParams nearest_params(const Arguments& arguments) {
    if (!arguments.has("space")) {
        return tl::unexpected(
            std::string("--space is missing, the name of the model that made the vector"));
    }
    const auto embedding =
        embedding_of_file(std::string(arguments.text("VECTOR")), arguments.has("raw"));
    if (!embedding) {
        return embedding;
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member_raw("embedding", *embedding);
    writer.member("space", arguments.text("space"));
    if (const auto count = arguments.number("count")) {
        writer.member("k", *count);
    }
    if (arguments.has("type")) {
        writer.member("type", arguments.text("type"));
    }
    if (arguments.has("node")) {
        writer.key("nodes").begin_array();
        for (const std::string& node : arguments.all("node")) {
            writer.string(node);
        }
        writer.end_array();
    }
    if (const auto age = arguments.duration("max-age")) {
        writer.member("max_age_ms", age->count());
    }
    writer.end_object();
    return params;
}

ExitCode run(Context& context, const Arguments& arguments) {
    const auto tell = [&](const json::Value& result) {
        context.write(render_matches(result, context.style()));
        context.hint("compared with " +
                     print_count(result["scanned"].as_uint().value_or(0), "entry", "entries"));
    };
    return ask(context, "registry.nearest", nearest_params(arguments), tell);
}

constexpr std::array<Argument, 1> kArguments = {
    {{"VECTOR", "a file of one: JSON array, .npy, raw *.f32 or *.f16; - reads standard input", true,
      false, ValueKind::Path}}};
constexpr std::array<Option, 6> kOptions = {{
    {"space", "S", "name of the model that made the vector (required)", ValueKind::Text},
    {
        .name = "count",
        .value = "K",
        .help = "so many of the nearest (default 10)",
        .kind = ValueKind::Number,
        .min = 1,
        .max = 1000,
        .letter = 'k',
    },
    {"type", "T", "only entries of this type", ValueKind::Text},
    {
        .name = "node",
        .value = "NODE",
        .help = "only sightings by this box; may come several times",
        .kind = ValueKind::Text,
        .is_many = true,
    },
    {"max-age", "D", "only entries at most so old, as 10m", ValueKind::Duration, 1,
     10LL * 365 * 24 * 3600 * 1000},
    {"raw", "", "the file holds raw little-endian f32 values"},
}};

}  // namespace

constexpr Verb kRegistryNearestVerb = {
    .name = "registry nearest",
    .summary = "Show the entries whose embeddings are most like a vector",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl registry nearest face.npy --space arcface-r50 -k 5\n"
        "embed photo.jpg | meshctl registry nearest - --raw --space arcface-r50 --type person\n"
        "echo '[0.6,0,0.8]' | meshctl registry nearest - --space demo --json | jq .matches[0]",
    .run = run,
    .notes =
        "Exact, among the entries of all boxes as this one holds them. SCORE is the cosine: 1 is\n"
        "the same direction. 'meshctl search --embedding' asks each box instead.",
};

}  // namespace meshd::cli
