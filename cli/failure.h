// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/exit_code.h"
#include "ipc/client/client.h"

namespace meshd::cli {

/// A failure as the user sees it.
struct Failure {
    ExitCode code = ExitCode::Refused;
    /// Lines without the program's name and without the last newline.
    std::string text;
};

/// Turns an error into advice: what happened, and what to do about it.
Failure explain(const ipc::ClientError& error);

}  // namespace meshd::cli
