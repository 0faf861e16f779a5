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

ExitCode run(Context& context, const Arguments& arguments) {
    if (const auto wrong = wrong_kind(arguments.all("KIND"))) {
        return Context::fail(ExitCode::Usage, *wrong);
    }
    EventFilter filter;
    filter.kinds = arguments.all("KIND");
    filter.priority = arguments.text("priority");
    std::optional<std::int64_t> left = arguments.number("count");
    const auto on_start = [](ipc::Client&) -> tl::expected<void, ipc::ClientError> { return {}; };
    return stream_events(context, filter, on_start, [&](const ipc::Event& event) {
        const bool written =
            context.write_line(context.is_json() ? event.params().print()
                                                 : print_event(event.params(), context.style()));
        return written && !(left && --*left == 0);
    });
}

constexpr std::array<Argument, 1> kArguments = {
    {{"KIND", "only these kinds or groups (node, link, state, alert); all where none is given",
      false, true}}};
constexpr std::array<Option, 2> kOptions = {{
    {"priority", "P", "only alerts of this priority and higher", ValueKind::Choice, 0, 0,
     "low|normal|high|critical"},
    {"count", "N", "end after so many events", ValueKind::Number, 1, 1'000'000'000},
}};

}  // namespace

constexpr Verb kWatchVerb = {
    .name = "watch",
    .summary = "Print events as they happen",
    .arguments = kArguments,
    .options = kOptions,
    .example = "meshctl watch\nmeshctl watch node alert --priority high --json",
    .run = run,
    .notes =
        "Kinds: node.joined, node.left, node.offline, node.unreachable, node.returned,\n"
        "node.restarting, node.conflict, state.changed, alert, link.up, link.down, lagged.\n"
        "Ends with Ctrl-C. With --json it prints one event per line.",
};

}  // namespace meshd::cli
