// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "proto/base/json.h"
#include "proto/node.h"

namespace meshd {

/// Parses an application's JSON object of at most `bytes_max` bytes; the error says what was wrong
/// with `field`.
tl::expected<json::Document, CommandError> parse_object(const std::string& text, const char* field,
                                                        std::size_t bytes_max);

}  // namespace meshd
