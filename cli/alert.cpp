// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/message_object.h"
#include "cli/render.h"
#include "cli/verbs.h"

namespace meshd::cli {

namespace {

std::string reach_of(const json::Value& result, bool has_waited) {
    const json::Value pending = result["pending"];
    const std::size_t delivered = result["delivered"].size();
    const std::size_t others = delivered + pending.size();
    if (others == 0) {
        return "no other box is there to hear it\n";
    }
    if (!has_waited) {
        return "sent to " + print_count(others, "other box", "other boxes") + ", not waited for\n";
    }
    // Boxes that are away get it when they return; they are not among those waited for.
    std::string out =
        "delivered to " + std::to_string(delivered) + " of " +
        (others == 1 ? "1 other box that is" : std::to_string(others) + " other boxes that are") +
        " alive\n";
    if (pending.size() > 0) {
        out += "pending: " + join(texts_of(pending), ", ") + "\n";
    }
    return out;
}

}  // namespace

std::string render_raised(const json::Value& result, bool has_waited) {
    const bool is_repeated = result["repeated"].as_bool().value_or(false);
    std::string out = print_value(result["id"]) + ": " +
                      (is_repeated ? "repeated: an alert of this key is held already, and nothing "
                                     "was sent anew\n"
                                   : reach_of(result, has_waited));
    if (const auto durable = result["durable"].as_bool()) {
        out += *durable ? "kept on disk\n"
                        : "NOT on disk: a power cut loses it where no other box has it; 'meshctl "
                          "status' says why\n";
    }
    return out;
}

namespace {

constexpr std::chrono::milliseconds kWaitDefault{1000};

ExitCode run(Context& context, const Arguments& arguments) {
    const auto object = message_object(arguments.text("ALERT"), "alert");
    if (!object) {
        return Context::fail(ExitCode::Usage, object.error());
    }
    const auto wait = arguments.duration("wait").value_or(kWaitDefault);
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member_raw("alert", *object);
    if (arguments.has("priority")) {
        writer.member("priority", arguments.text("priority"));
    }
    if (arguments.has("dedupe-key")) {
        writer.member("dedupe_key", arguments.text("dedupe-key"));
    }
    if (const auto ttl = arguments.duration("ttl")) {
        writer.member("ttl_ms", ttl->count());
    }
    writer.member("wait_ms", wait.count()).end_object();

    const auto reply = context.call("alerts.raise", params, wait);
    if (!reply) {
        return reply.error();
    }
    const json::Value result = reply->result();
    const bool has_waited = wait.count() > 0;
    if (context.is_json()) {
        context.write_line(result.print());
    } else {
        context.write(render_raised(result, has_waited));
    }
    return has_waited && result["pending"].size() > 0 ? ExitCode::Partial : ExitCode::Ok;
}

constexpr std::array<Argument, 1> kArguments = {
    {{"ALERT", "a JSON object, or a text sent as {\"message\": text}; - reads standard input"}}};
constexpr std::array<Option, 4> kOptions = {{
    {"priority", "P", "how urgent (default normal)", ValueKind::Choice, 0, 0,
     "low|normal|high|critical"},
    {"wait", "S", "how long to wait for the others to confirm (default 1s, 0 not at all)",
     ValueKind::Duration, 0, 60'000},
    {"dedupe-key", "K", "raise it only where this box holds no alert of this key", ValueKind::Text},
    {"ttl", "D", "age at which all boxes drop it, at most a day (default 24h)", ValueKind::Duration,
     1, 86'400'000},
}};

}  // namespace

constexpr Verb kAlertVerb = {
    .name = "alert",
    .summary = "Raise an alert to all boxes",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl alert '{\"type\":\"intrusion\",\"camera\":3}' --priority critical\n"
        "meshctl alert \"door open\" --wait 5s\n"
        "meshctl alert \"disk full\" --dedupe-key disk --ttl 1h",
    .run = run,
    .notes =
        "Prints the alert's id, who has it, and whether it is on this box's disk. Exit code 4: "
        "some\n"
        "boxes had not confirmed when the wait was over; the alert still goes to them.",
};

}  // namespace meshd::cli
