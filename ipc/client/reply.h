// SPDX-License-Identifier: Apache-2.0
/// \file
/// What comes back from the daemon: results, errors and events, for both kinds of client.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "ipc/client/descriptor.h"
#include "proto/base/json.h"

namespace meshd::ipc {

using Deadline = std::chrono::steady_clock::time_point;

/// One socket that was tried and why it did not connect.
struct SocketAttempt {
    std::string path;
    int error = 0;  ///< errno
};

/// Why there is no result.
struct ClientError {
    enum class Kind {
        NoDaemon,     ///< nothing connected; `tried` says what
        Closed,       ///< the daemon closed the connection
        Timeout,      ///< the deadline passed
        Interrupted,  ///< the interrupt descriptor became readable
        Protocol,     ///< what came is no JSON-RPC, or a line beyond kLineBytesMax
        Remote,       ///< the daemon refused: `code`, `message` and `data` are its own
    };
    Kind kind = Kind::Protocol;
    std::string message;
    int code = 0;  ///< an ErrorCode, or one this build does not know
    /// JSON text of error.data; empty where there is none.
    std::string data;
    std::vector<SocketAttempt> tried;
};

/// The answer to one call.
class Reply {
  public:
    explicit Reply(json::Document document) : document_(std::move(document)) {}
    /// Valid while the Reply lives.
    json::Value result() const { return document_.root()["result"]; }

  private:
    json::Document document_;
};

/// One `event` notification.
class Event {
  public:
    explicit Event(json::Document document) : document_(std::move(document)) {}
    /// {subscription, kind, cursor, timestamp_ms, data}; valid while the Event lives.
    json::Value params() const { return document_.root()["params"]; }
    std::string_view kind() const { return params()["kind"].as_string().value_or(""); }
    std::string_view cursor() const { return params()["cursor"].as_string().value_or(""); }
    json::Value data() const { return params()["data"]; }

  private:
    json::Document document_;
};

/// A connected, non-blocking socket: the first of `paths` that connects. Fails with NoDaemon,
/// listing each attempt.
tl::expected<Descriptor, ClientError> connect_socket(const std::vector<std::string>& paths,
                                                     Deadline deadline);

}  // namespace meshd::ipc
