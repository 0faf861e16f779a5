// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/search_question.h"
#include "cli/search_results.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

constexpr std::chrono::milliseconds kWaitDefault{2000};

std::string query_params(const Arguments& arguments, const SearchQuestion& question,
                         std::chrono::milliseconds wait) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member_raw("query", question.query);
    writer.member("search_type", question.type).member("timeout_ms", wait.count());
    if (arguments.has("node")) {
        writer.key("nodes").begin_array();
        for (const std::string& node : arguments.all("node")) {
            writer.string(node);
        }
        writer.end_array();
    }
    if (const auto limit = arguments.number("limit")) {
        writer.member("limit", *limit);
    }
    writer.end_object();
    return params;
}

ExitCode run(Context& context, const Arguments& arguments) {
    const auto question = search_question(arguments);
    if (!question) {
        return Context::fail(ExitCode::Usage, question.error());
    }
    const auto wait = arguments.duration("wait").value_or(kWaitDefault);
    const auto reply = ask_for(
        context, "search.query", query_params(arguments, *question, wait),
        [&](const json::Value& result) {
            context.write(render_found(result, context.style()));
            for (const std::string& line : search_words(result)) {
                context.hint(line);
            }
        },
        wait);
    if (!reply) {
        return reply.error();
    }
    return reply->result()["complete"].as_bool().value_or(false) ? ExitCode::Ok : ExitCode::Partial;
}

constexpr std::array<Argument, 1> kArguments = {
    {{"SEARCH_TYPE", "what the programs on the boxes are asked for, as person", false}}};
constexpr std::array<Option, 11> kOptions = {{
    {"query", "JSON", "what exactly they are asked: an object (default {})", ValueKind::Text},
    {"hash", "H", "all sightings of this hash", ValueKind::Text},
    {
        .name = "metadata",
        .value = "K=V",
        .help = "entries with this in their metadata: a value, or a range as 2..5, 2.., ..5",
        .kind = ValueKind::Text,
        .is_many = true,
    },
    {"embedding", "FILE",
     "entries most like this vector: JSON array, .npy, *.f32, *.f16; - reads it", ValueKind::Path},
    {"space", "S", "name of the model that made the embedding", ValueKind::Text},
    {"raw", "", "the embedding's file holds raw f32 values"},
    {"type", "T", "only entries of this type", ValueKind::Text},
    {"max-age", "D", "only entries at most so old, as 10m", ValueKind::Duration, 1,
     10LL * 365 * 24 * 3600 * 1000},
    {
        .name = "node",
        .value = "NODE",
        .help = "ask only this box; may come several times",
        .kind = ValueKind::Text,
        .is_many = true,
    },
    {"limit", "N", "at most so many results of each box (default 10)", ValueKind::Number, 1, 1'000},
    {"wait", "S", "how long to wait for the boxes (default 2s)", ValueKind::Duration, 1, 60'000},
}};

}  // namespace

constexpr Verb kSearchVerb = {
    .name = "search",
    .summary = "Ask all boxes for entries, or their programs for anything",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl search --hash 9f86d081\n"
        "meshctl search --metadata camera=3 --metadata score=0.8.. --max-age 1h\n"
        "meshctl search --embedding face.npy --space arcface-r50 --limit 5\n"
        "meshctl search person --query '{\"coat\":\"red\"}' --wait 5s",
    .run = run,
    .notes =
        "Every box answers from its own entries. Those of boxes that are not there are looked up\n"
        "on this one, and marked stale. It ends as soon as all have answered. Standard error says\n"
        "who did; exit code 4: not all did.",
};

}  // namespace meshd::cli
