// SPDX-License-Identifier: Apache-2.0
/// \file
/// One line from a client as calls (JSON-RPC 2.0, sections 4 and 6), and the texts of responses.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ipc/error.h"
#include "proto/base/json.h"

namespace meshd::ipc {

/// Calls in one batch: a client that has more to ask sends more lines.
inline constexpr std::size_t kBatchRequestsMax = 256;
/// Arrays and objects inside each other in a request.
inline constexpr unsigned kRequestDepthMax = 64;

/// One call. `method` and `params` live as long as the Incoming they came in.
struct Request {
    /// JSON text, to be echoed; "null" in a notification.
    std::string id;
    /// No `id` member: whatever happens, nothing is answered.
    bool is_notification = false;
    std::string_view method;
    /// Absent, an object or an array.
    json::Value params;
};

/// JSON that is no request: answered even without an id, with the id where one could be read.
struct Refusal {
    std::string id = "null";
    Error error;
};

/// A line, taken apart.
class Incoming {
  public:
    /// Never fails as a whole: what is wrong is an entry of `items`.
    static Incoming parse(std::string_view line);

    /// True where the replies go into an array. An empty or too long batch is answered like a
    /// single request.
    bool is_batch() const { return is_batch_; }
    const std::vector<tl::expected<Request, Refusal>>& items() const { return items_; }

  private:
    json::Document document_;
    bool is_batch_ = false;
    std::vector<tl::expected<Request, Refusal>> items_;
};

/// A response object, without newline. `id` and `result` are JSON texts.
std::string print_result(std::string_view id, std::string_view result);
std::string print_error(std::string_view id, const Error& error);
/// {"jsonrpc":"2.0","method":…,"params":…}, without newline. `params` is JSON text.
std::string print_notification(std::string_view method, std::string_view params);

}  // namespace meshd::ipc
