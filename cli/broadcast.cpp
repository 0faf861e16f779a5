// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/message_object.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

constexpr std::string_view kTopicDefault = "meshctl";

ExitCode run(Context& context, const Arguments& arguments) {
    const auto note = message_object(arguments.text("NOTE"), "note", arguments.has("text"));
    if (!note) {
        return Context::fail(ExitCode::Usage, note.error());
    }
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    writer.member("topic", arguments.has("topic") ? arguments.text("topic") : kTopicDefault);
    writer.member_raw("note", *note).end_object();
    return order(context, "notes.broadcast", params, [](const json::Value& result) {
        const std::uint64_t boxes = result["nodes"].as_uint().value_or(0);
        return boxes == 0 ? "no other box is there to hear it"
                          : "sent to " + print_count(boxes, "other box", "other boxes");
    });
}

constexpr std::array<Argument, 1> kArguments = {
    {{"NOTE", "a JSON object, or a text sent as {\"message\": text}; - reads standard input"}}};
constexpr std::array<Option, 2> kOptions = {{
    {"topic", "T", "what it is about, for programs to choose by (default meshctl)",
     ValueKind::Text},
    {"text", "", "the note is a text, also where it begins like a JSON object"},
}};

}  // namespace

constexpr Verb kBroadcastVerb = {
    .name = "broadcast",
    .summary = "Send a note to all other boxes, at most once to each",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl broadcast 'lights on'\n"
        "meshctl broadcast '{\"scene\":\"night\"}' --topic lights --json",
    .run = run,
    .notes =
        "It is not stored: a box that is not there now never gets it. What must arrive is an\n"
        "alert (meshctl alert).",
};

}  // namespace meshd::cli
