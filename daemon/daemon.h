// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/settings.h"

namespace meshd {

/// Exit codes of meshd; part of its interface.
enum class ExitCode : int {
    Ok = 0,
    Failure = 1,  ///< port, socket or state directory unusable
    Usage = 2,
    Configuration = 3,
};

/// Runs a node until SIGTERM or SIGINT, then says goodbye to the mesh; a second signal ends it at
/// once. Says on the log what keeps it from starting.
ExitCode run_daemon(const Settings& settings);

}  // namespace meshd
