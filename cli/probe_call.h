// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the verbs ping and trace have in common: whom they ask, and how long they wait.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <tl/expected.hpp>

#include "cli/arguments.h"

namespace meshd::cli {

struct ProbeCall {
    std::string params;  ///< of mesh.ping and mesh.trace
    std::chrono::milliseconds wait{2000};
};

/// Fails, with a sentence without full stop, where NODE can be no name.
tl::expected<ProbeCall, std::string> probe_call(const Arguments& arguments);

inline constexpr std::array<Argument, 1> kProbeArguments = {{{"NODE", "which box"}}};
inline constexpr Option kProbeWaitOption = {
    "wait", "S", "how long to wait for an answer (default 2s)", ValueKind::Duration, 1, 60'000};

}  // namespace meshd::cli
