// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace meshd::cli {

/// What meshctl tells the shell.
enum class ExitCode {
    Ok = 0,
    Refused = 1,       ///< the daemon said no, or the output could not be written
    Usage = 2,         ///< the command line makes no sense
    NoDaemon = 3,      ///< nothing answers at the socket
    Partial = 4,       ///< the time was up, or not every box has confirmed
    NotPermitted = 5,  ///< this user may not
};

}  // namespace meshd::cli
