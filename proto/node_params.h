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

/// Nothing where a caller may wait for so long: up to limits::kWaitMsMax. Of `timeout_ms`.
std::optional<CommandError> check_wait(Duration wait);
/// Nothing where `text` is a name of at most `bytes_max` bytes (is_name).
std::optional<CommandError> check_name(const std::string& text, const char* field,
                                       std::size_t bytes_max);
CommandError invalid_param(const char* field, std::string message);
/// Try again in 100 ms; `what` says of what there is too much.
CommandError overloaded(const char* what);
CommandError unknown_node(const NodeId& node, const char* field);
/// For what is refused while this node is out of the mesh by its own will.
CommandError left_error();

}  // namespace meshd
