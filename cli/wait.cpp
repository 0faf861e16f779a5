// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTimeoutDefault{60'000};
/// No event says that a daemon is there, nor that two stores are equal.
constexpr milliseconds kConnectPause{200};
constexpr milliseconds kSynchronisedPause{500};
/// Events come in bursts: what follows so soon is looked at together.
constexpr milliseconds kBurst{20};

struct Goal {
    std::uint64_t nodes = 0;
    std::vector<std::string> names;
    bool is_synchronised = false;
};

struct Look {
    std::uint64_t alive = 0;
    std::vector<std::string> missing;  ///< empty: the goal is reached
};

void look_at_nodes(const json::Value& nodes, const Goal& goal, Look& look) {
    std::map<std::string, std::string> statuses;
    for (const json::Value& node : nodes["nodes"]) {
        const std::string status(node["status"].as_string().value_or(""));
        look.alive += status == "alive" ? 1 : 0;
        statuses[std::string(node["node_id"].as_string().value_or(""))] = status;
    }
    if (look.alive < goal.nodes) {
        look.missing.push_back(std::to_string(look.alive) + " of " + std::to_string(goal.nodes) +
                               " boxes are alive");
    }
    for (const std::string& name : goal.names) {
        const auto it = statuses.find(name);
        if (it == statuses.end()) {
            look.missing.push_back(printable(name) + " is not known");
        } else if (it->second != "alive") {
            look.missing.push_back(printable(name) + " is " + printable(it->second));
        }
    }
}

/// Equal with each peer at a moment since `begun`: in a busy mesh two stores are never equal for
/// long, but what was there at the beginning has then arrived.
void look_at_peers(const json::Value& peers, Clock::time_point begun, Look& look) {
    const auto elapsed = std::chrono::duration_cast<milliseconds>(Clock::now() - begun).count();
    std::vector<std::string> behind;
    for (const json::Value& peer : peers["peers"]) {
        const auto agreed = peer["agreed_ms"].as_int();
        if (!agreed || *agreed > elapsed) {
            behind.push_back(print_value(peer["node_id"]));
        }
    }
    if (peers["peers"].size() == 0) {
        look.missing.push_back("there is no link yet");
    } else if (!behind.empty()) {
        look.missing.push_back("not synchronised with " + join(behind, ", "));
    }
}

class Waiting {
  public:
    Waiting(Context& context, Goal goal, milliseconds timeout)
        : context_(context), goal_(std::move(goal)), deadline_(begun_ + timeout) {}

    ExitCode run() {
        while (true) {
            if (const auto code = try_connection()) {
                return *code;
            }
        }
    }

  private:
    /// Nothing where the daemon has gone and is to be waited for again.
    std::optional<ExitCode> try_connection() {
        auto client = context_.connect();
        if (!client) {
            const bool may_come =
                client.error().kind == ipc::ClientError::Kind::NoDaemon &&
                std::all_of(client.error().tried.begin(), client.error().tried.end(),
                            [](const auto& tried) {
                                return tried.error == ENOENT || tried.error == ECONNREFUSED;
                            });
            if (!may_come || Clock::now() >= deadline_) {
                return Context::fail(client.error());
            }
            if (interrupt_.wait(std::min(kConnectPause, rest()))) {
                return interrupted();
            }
            return std::nullopt;
        }
        client->set_interrupt(interrupt_.descriptor());
        const auto ended = watch(*client);
        if (!ended) {
            return finish(ExitCode::Ok);
        }
        switch (ended->kind) {
            case ipc::ClientError::Kind::Closed:
                return std::nullopt;
            case ipc::ClientError::Kind::Interrupted:
                return interrupted();
            case ipc::ClientError::Kind::Timeout:
                return finish(ExitCode::Partial);
            case ipc::ClientError::Kind::NoDaemon:
            case ipc::ClientError::Kind::Protocol:
            case ipc::ClientError::Kind::Remote:
                break;
        }
        return Context::fail(*ended);
    }

    /// Until the goal is reached (then nothing), the time is up or the connection ends.
    std::optional<ipc::ClientError> watch(ipc::Client& client) {
        const auto subscribed =
            client.subscribe(R"({"kinds":["node","link"]})", deadline_ + kConnectPause);
        if (!subscribed) {
            return subscribed.error();
        }
        while (true) {
            if (const auto looked = look(client); !looked) {
                return looked.error();
            }
            if (look_.missing.empty()) {
                return std::nullopt;
            }
            const bool is_timed = goal_.is_synchronised;
            const auto until =
                is_timed ? std::min(deadline_, Clock::now() + kSynchronisedPause) : deadline_;
            auto event = client.next_event(until);
            while (event) {
                event = client.next_event(std::min(deadline_, Clock::now() + kBurst));
            }
            const bool is_over = Clock::now() >= deadline_;
            if (event.error().kind != ipc::ClientError::Kind::Timeout || is_over) {
                return event.error();
            }
        }
    }

    tl::expected<void, ipc::ClientError> look(ipc::Client& client) {
        look_ = {};
        const auto nodes = client.call("mesh.nodes", "{}", deadline_ + kConnectPause);
        if (!nodes) {
            return tl::unexpected(nodes.error());
        }
        look_at_nodes(nodes->result(), goal_, look_);
        if (goal_.is_synchronised) {
            const auto peers = client.call("mesh.peers", "{}", deadline_ + kConnectPause);
            if (!peers) {
                return tl::unexpected(peers.error());
            }
            look_at_peers(peers->result(), begun_, look_);
        }
        return {};
    }

    ExitCode finish(ExitCode code) {
        if (code != ExitCode::Ok && look_.missing.empty()) {
            look_.missing.push_back("the daemon does not answer");
        }
        const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - begun_).count();
        if (context_.is_json()) {
            std::string text;
            json::Writer writer(text);
            writer.begin_object()
                .member("reached", code == ExitCode::Ok)
                .member("nodes_alive", look_.alive)
                .member("waited_ms", waited)
                .key("missing")
                .begin_array();
            for (const std::string& missing : look_.missing) {
                writer.string(missing);
            }
            writer.end_array().end_object();
            context_.write_line(text);
        } else if (code == ExitCode::Ok) {
            context_.confirm(print_count(look_.alive, "box is", "boxes are") + " alive" +
                             (goal_.is_synchronised ? ", and this one has what they have" : ""));
        }
        return code == ExitCode::Ok
                   ? code
                   : Context::fail(code, "after " + print_duration(static_cast<double>(waited)) +
                                             ": " + join(look_.missing, "; "));
    }

    static ExitCode interrupted() { return Context::fail(ExitCode::Partial, "interrupted"); }

    milliseconds rest() const {
        return std::max(milliseconds(0),
                        std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now()));
    }

    Context& context_;
    Goal goal_;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point deadline_;
    Interrupt interrupt_;
    Look look_;
};

ExitCode run(Context& context, const Arguments& arguments) {
    Goal goal;
    goal.nodes = static_cast<std::uint64_t>(arguments.number("nodes").value_or(0));
    goal.names = arguments.all("node");
    goal.is_synchronised = arguments.has("synchronised");
    if (goal.nodes == 0 && goal.names.empty() && !goal.is_synchronised) {
        return Context::fail(ExitCode::Usage,
                             "wait for what? Say --nodes N, --node NAME or --synchronised");
    }
    return Waiting(context, std::move(goal),
                   arguments.duration(GlobalOption::kTimeout).value_or(kTimeoutDefault))
        .run();
}

constexpr std::array<Option, 3> kOptions = {{
    {"nodes", "N", "until so many boxes are alive, this one included", ValueKind::Number, 1,
     1'000'000},
    {
        .name = "node",
        .value = "NAME",
        .help = "until this box is alive; may come several times",
        .kind = ValueKind::Text,
        .is_many = true,
    },
    {"synchronised", "", "until this box has what each of its peers has"},
}};

}  // namespace

constexpr Verb kWaitVerb = {
    .name = "wait",
    .summary = "Wait until boxes are there, or this one has all data",
    .arguments = {},
    .options = kOptions,
    .example =
        "meshctl wait --nodes 5 --timeout 30\n"
        "meshctl wait --node cam-3 --synchronised && start-recording",
    .run = run,
    .notes =
        "For scripts: all that is asked for must hold at once. It waits for the daemon, too, and\n"
        "for 60 seconds where --timeout says nothing else. Exit code 4: the time was up; the "
        "words\n"
        "say what is missing. 3: no daemon came.",
};

}  // namespace meshd::cli
