// SPDX-License-Identifier: Apache-2.0
/// \file
/// The texts both kinds of client send and take. Not installed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "ipc/client/reply.h"

namespace meshd::ipc {

ClientError failure(ClientError::Kind kind, std::string message);
/// Closed, in the words of both.
ClientError closed();

/// One request line with its newline. `params` is JSON text.
std::string print_call(std::uint64_t id, std::string_view method, std::string_view params);
/// A line of the daemon; Protocol where it is no JSON object.
tl::expected<json::Document, ClientError> parse_message(std::string_view line);
/// What a response says: Remote where it is an error, Protocol where it is neither.
tl::expected<Reply, ClientError> read_reply(json::Document document);

}  // namespace meshd::ipc
