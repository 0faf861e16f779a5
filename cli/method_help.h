// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proto/base/json.h"

namespace meshd::cli {

/// What the daemon's OpenRPC document says about one method and its params. The error, where there
/// is no such method, is a sentence without full stop.
tl::expected<std::string, std::string> method_help(const json::Value& document,
                                                   std::string_view name);

}  // namespace meshd::cli
