// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/event_line.h"
#include "cli/event_stream.h"
#include "cli/suggestion.h"
#include "cli/verbs.h"
#include "ipc/event_kind.h"

namespace meshd::cli {
namespace {

/// What is wrong with the first wrong one.
std::optional<std::string> wrong_kind(const std::vector<std::string>& kinds) {
    std::vector<std::string> known(ipc::kEventGroupNames.begin(), ipc::kEventGroupNames.end());
    known.insert(known.end(), ipc::kEventKindNames.begin(), ipc::kEventKindNames.end());
    for (const std::string& kind : kinds) {
        if (std::find(known.begin(), known.end(), kind) == known.end()) {
            const std::string meant = did_you_mean(kind, known);
            return "there is no kind of event '" + printable(kind) + "'" +
                   (meant.empty() ? "; it may be " + join(known, ", ") : meant);
        }
    }
    return std::nullopt;
}

/// Of whom an event tells; empty where of nobody: that one passes every filter.
std::string_view node_of(const json::Value& data) {
    for (const std::string_view name : {"node_id", "source", "node", "by"}) {
        if (const auto node = data[name].as_string()) {
            return *node;
        }
    }
    return {};
}

bool is_wanted(const std::vector<std::string>& nodes, const ipc::Event& event) {
    const std::string_view node = node_of(event.data());
    return nodes.empty() || node.empty() ||
           std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

ExitCode run(Context& context, const Arguments& arguments) {
    if (const auto wrong = wrong_kind(arguments.all("KIND"))) {
        return Context::fail(ExitCode::Usage, *wrong);
    }
    EventFilter filter;
    filter.kinds = arguments.all("KIND");
    filter.priority = arguments.text("priority");
    filter.topic = arguments.text("topic");
    filter.type = arguments.text("type");
    filter.since = arguments.text("since");
    filter.has_replay = arguments.has("replay");
    if (filter.has_replay && !filter.since.empty()) {
        return Context::fail(ExitCode::Usage, "--since and --replay exclude each other");
    }
    std::optional<std::int64_t> left = arguments.number("count");
    const auto on_start = [](ipc::Client&) -> tl::expected<void, ipc::ClientError> { return {}; };
    const std::vector<std::string>& nodes = arguments.all("node");
    return stream_events(context, filter, on_start, [&](const ipc::Event& event) {
        if (!is_wanted(nodes, event)) {
            return true;
        }
        const bool written =
            context.write_line(context.is_json() ? event.params().print()
                                                 : print_event(event.params(), context.style()));
        return written && !(left && --*left == 0);
    });
}

constexpr std::array<Argument, 1> kArguments = {
    {{"KIND", "kinds or groups (node, link, state, alert, registry, shared, note); all without any",
      false, true}}};
constexpr std::array<Option, 7> kOptions = {{
    {
        .name = "node",
        .value = "NODE",
        .help = "only what tells of this box; may come several times",
        .kind = ValueKind::Text,
        .is_many = true,
    },
    {"priority", "P", "only alerts of this priority and higher", ValueKind::Choice, 0, 0,
     "low|normal|high|critical"},
    {"type", "T", "only registry events of entries of this type", ValueKind::Text},
    {"topic", "T", "only notes of this topic", ValueKind::Text},
    {"count", "N", "end after so many events", ValueKind::Number, 1, 1'000'000'000},
    {"since", "CURSOR", "begin with the events after this one, as far as they are held",
     ValueKind::Text},
    {"replay", "", "begin with all events that are held"},
}};

}  // namespace

constexpr Verb kWatchVerb = {
    .name = "watch",
    .summary = "Print events as they happen",
    .arguments = kArguments,
    .options = kOptions,
    .example =
        "meshctl watch\nmeshctl watch node alert --priority high --json\nmeshctl watch alert "
        "--replay\nmeshctl watch note --topic lights\nmeshctl watch --node cam-3",
    .run = run,
    .notes =
        "Kinds: node.joined, node.left, node.offline, node.unreachable, node.returned,\n"
        "node.restarting, node.conflict, node.isolated, node.rejoined, node.forgotten,\n"
        "state.changed, alert, link.up, link.down, registry.put, registry.deleted,\n"
        "shared.changed, note, overload, lagged; search.request and search.answer come only to\n"
        "programs that answer or ask.\n"
        "Ends with Ctrl-C; when the daemon goes, it waits and goes on behind the last event once\n"
        "it is back, and prints each alert once. With --json it prints one event per line; its\n"
        "`cursor` is what --since takes.",
};

}  // namespace meshd::cli
