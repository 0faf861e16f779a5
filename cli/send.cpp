// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/message_object.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

constexpr std::chrono::milliseconds kWaitDefault{5000};

std::string print_sent(const json::Value& result) {
    const std::string node = print_value(result["node"]);
    return result["acknowledged"].as_bool().value_or(false)
               ? node + " has it, after " + print_duration_ms(result["took_ms"])
               : "sent to " + node + ", which was not asked to confirm";
}

ExitCode run(Context& context, const Arguments& arguments) {
    const auto note = message_object(arguments.text("NOTE"), "note", arguments.has("text"));
    if (!note) {
        return Context::fail(ExitCode::Usage, note.error());
    }
    const auto wait = arguments.duration("wait").value_or(kWaitDefault);
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("node", arguments.text("NODE")).member_raw("note", *note);
    if (arguments.has("no-ack")) {
        writer.member("ack", false);
    }
    writer.member("timeout_ms", wait.count()).end_object();
    return order(context, "notes.send", params, print_sent, wait);
}

constexpr std::array<Argument, 2> kArguments = {{
    {"NODE", "which box"},
    {"NOTE", "a JSON object, or a text sent as {\"message\": text}; - reads standard input"},
}};
constexpr std::array<Option, 3> kOptions = {{
    {"text", "", "the note is a text, also where it begins like a JSON object"},
    {"no-ack", "", "do not wait until that box has it"},
    {"wait", "S", "how long to try (default 5s)", ValueKind::Duration, 1, 60'000},
}};

}  // namespace

constexpr Verb kSendVerb = {
    .name = "send",
    .summary = "Send a note to one box",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl send cam-5 '{\"do\":\"zoom\",\"to\":[3,4]}'\n"
        "meshctl send cam-5 'lights on' --wait 20s\n"
        "jq -c . plan.json | meshctl send cam-5 - --quiet",
    .run = run,
    .notes =
        "The programs there that watch events of kind note get it. A box that is away for a\n"
        "moment is waited for. Exit code 4: the time was up; the words say why.",
};

}  // namespace meshd::cli
