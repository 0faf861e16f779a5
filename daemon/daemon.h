// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/config_file.h"

namespace meshd {

/// Exit codes of meshd; part of its interface.
enum class ExitCode : int {
    Ok = 0,
    Failure = 1,  ///< port, socket or state directory unusable
    Usage = 2,
    Configuration = 3,
};

/// Runs a node until SIGTERM or SIGINT, then says goodbye to the mesh (SIGUSR1: and that it will be
/// back); a second signal ends it at once. SIGHUP reads `sources`, of which `settings` are, again.
/// Says on the log what keeps it from starting.
ExitCode run_daemon(const ConfigSources& sources, const Settings& settings);

}  // namespace meshd
