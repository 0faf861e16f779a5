// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "cli/context.h"
#include "cli/exit_code.h"
#include "ipc/client/client.h"

namespace meshd::cli {

struct EventFilter {
    std::vector<std::string> kinds;  ///< empty = all
    std::string priority;            ///< least priority of alerts; empty = any
    std::string topic;               ///< of notes; empty = any
    std::string type;                ///< of entries, in events of the registry; empty = any
    std::string since;               ///< cursor to go on behind; empty = begins with what comes
    bool has_replay = false;         ///< without `since`: begins with all events held
};

/// Subscribes and hands over each event until the handler returns false, a failure, or SIGINT or
/// SIGTERM (then Ok). Where the daemon goes away after the first subscription, says so, and goes on
/// behind the last event once it is back: each alert is
/// handed over once. `on_start` runs once, after the first subscription.
ExitCode stream_events(
    Context& context, const EventFilter& filter,
    const std::function<tl::expected<void, ipc::ClientError>(ipc::Client&)>& on_start,
    const std::function<bool(const ipc::Event&)>& on_event);

}  // namespace meshd::cli
