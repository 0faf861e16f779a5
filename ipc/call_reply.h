// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "ipc/error.h"
#include "proto/base/ids.h"

namespace meshd::ipc {

/// What a handler makes of a call: its result, its error, or the command whose answer will be the
/// result. It has no default value, so a path through a handler without a reply does not compile.
class [[nodiscard]] CallReply {
  public:
    struct Done {
        std::string result;  ///< JSON object
    };

    static CallReply done(std::string result) { return CallReply(Done{std::move(result)}); }
    static CallReply failed(Error error) { return CallReply(std::move(error)); }
    static CallReply pending(RequestId request) { return CallReply(request); }

    /// Each is null unless the reply is of that kind.
    Done* as_done() { return std::get_if<Done>(&content_); }
    Error* as_failed() { return std::get_if<Error>(&content_); }
    const RequestId* as_pending() const { return std::get_if<RequestId>(&content_); }

  private:
    using Content = std::variant<Done, Error, RequestId>;
    explicit CallReply(Content content) : content_(std::move(content)) {}
    Content content_;
};

}  // namespace meshd::ipc
