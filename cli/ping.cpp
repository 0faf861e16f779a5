// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/probe_call.h"
#include "cli/round_trips.h"
#include "cli/verbs.h"
#include "ipc/error.h"

namespace meshd::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kCountDefault = 4;
constexpr milliseconds kIntervalDefault{1000};

std::string print_answer(const json::Value& result) {
    std::string out = print_count(result["hops"].as_uint().value_or(0), "hop", "hops") + ", " +
                      print_duration_ms(result["rtt_ms"]);
    // The first and the last of the path are the two ends.
    std::vector<std::string> path = texts_of(result["path"]);
    if (path.size() > 2) {
        out += " by " + join(std::span(path).subspan(1, path.size() - 2), ", ");
    }
    return out;
}

/// The box is known, and did not answer this time.
bool is_lost(const ipc::ClientError& error) {
    const auto code = static_cast<ipc::ErrorCode>(error.code);
    return error.kind == ipc::ClientError::Kind::Remote &&
           (code == ipc::ErrorCode::NodeUnreachable || code == ipc::ErrorCode::NoAnswer);
}

using Answer = tl::expected<ipc::Reply, ipc::ClientError>;

/// False where it cannot be written.
bool tell(Context& context, const std::string& node, std::uint64_t number, const Answer& answer) {
    return context.write_line(
        node + ": number " + std::to_string(number) + ", " +
        (answer ? print_answer(answer->result()) : printable(answer.error().message)));
}

bool tell_json(Context& context, const Answer& answer) {
    if (answer) {
        return context.write_line(answer->result().print());
    }
    Context::say(printable(answer.error().message));
    return true;
}

ExitCode run(Context& context, const Arguments& arguments) {
    const auto probe = probe_call(arguments);
    if (!probe) {
        return Context::fail(ExitCode::Usage, probe.error());
    }
    const auto interval = arguments.duration("interval").value_or(kIntervalDefault);
    const auto count =
        static_cast<std::uint64_t>(arguments.number("count").value_or(kCountDefault));
    const bool has_lines = !context.is_json() && !context.is_quiet();
    const std::string node = printable(arguments.text("NODE"));

    const Interrupt interrupt;
    auto client = context.connect();
    if (!client) {
        return Context::fail(client.error());
    }
    client->set_interrupt(interrupt.descriptor());
    RoundTrips trips;
    while (true) {
        const auto next = std::chrono::steady_clock::now() + interval;
        const auto reply =
            client->call("mesh.ping", probe->params, context.deadline() + probe->wait);
        if (!reply && reply.error().kind == ipc::ClientError::Kind::Interrupted) {
            break;
        }
        if (!reply && !is_lost(reply.error())) {
            return Context::fail(reply.error());
        }
        trips.add(reply ? reply->result()["rtt_ms"].as_double() : std::nullopt);
        const bool is_written = context.is_json() ? tell_json(context, reply)
                                : has_lines       ? tell(context, node, trips.sent(), reply)
                                                  : true;
        if (!is_written || trips.sent() == count) {
            break;
        }
        const auto rest = std::chrono::ceil<milliseconds>(next - std::chrono::steady_clock::now());
        if (interrupt.wait(std::max(rest, milliseconds(0)))) {
            break;
        }
    }
    if (!context.is_json()) {
        context.write(trips.print(node));
    }
    return trips.answered() > 0 ? ExitCode::Ok : ExitCode::Partial;
}

constexpr std::array<Option, 3> kOptions = {{
    {
        .name = "count",
        .value = "N",
        .help = "end after so many (default 4); 0 goes on until Ctrl-C",
        .kind = ValueKind::Number,
        .min = 0,
        .max = 1'000'000'000,
        .letter = 'c',
    },
    {
        .name = "interval",
        .value = "S",
        .help = "from one to the next (default 1s)",
        .kind = ValueKind::Duration,
        .min = 10,
        .max = 3'600'000,
        .letter = 'i',
    },
    kProbeWaitOption,
}};

}  // namespace

constexpr Verb kPingVerb = {
    .name = "ping",
    .summary = "Measure the round trip to a box, over however many hops",
    .arguments = kProbeArguments,
    .options = kOptions,
    .example =
        "meshctl ping cam-5\n"
        "meshctl ping cam-5 -c 100 -i 100ms --quiet\n"
        "meshctl ping cam-5 -c 1 --json | jq .rtt_ms",
    .run = run,
    .notes =
        "Asks the meshd over there, by the way that notes and searches go too. Exit code 4: no\n"
        "answer at all. With --json it prints one result per ping, a line each, and no summary.",
};

}  // namespace meshd::cli
