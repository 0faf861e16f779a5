// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <tl/expected.hpp>

namespace meshd::cli {

/// The merge patch that the words of `state set` mean, as JSON text: either one JSON object, or
/// KEY=VALUE each, where VALUE is JSON if it parses as such and a text otherwise. The error is a
/// sentence without full stop.
tl::expected<std::string, std::string> state_patch(std::span<const std::string> words);

}  // namespace meshd::cli
