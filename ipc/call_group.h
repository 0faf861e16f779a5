// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/error.h"

namespace meshd::ipc {

/// Bytes of one result, and of all responses to one batch: what is beyond is answered `overloaded`,
/// so that 1 MiB of requests cannot ask for gigabytes of replies.
inline constexpr std::size_t kResultBytesMax = std::size_t{16} << 20;

/// Room for the result of any call that changes something: one that is begun can be answered.
inline constexpr std::size_t kResultReserve = std::size_t{128} << 10;

/// The calls of one line on their way to one reply: a single response, or the array of a batch,
/// sent when the last call is done (JSON-RPC 2.0, section 6). Invariant: each index is finished or
/// skipped once.
class CallGroup {
  public:
    /// `bytes_before`: what else is held for the client and leaves less room.
    CallGroup(bool is_batch, std::size_t calls, std::size_t bytes_before = 0);

    void finish(std::size_t index, std::string_view id, const std::string& result);
    void fail(std::size_t index, std::string_view id, const Error& error);
    /// A notification is done: nothing is answered.
    void skip();

    bool is_complete() const { return open_ == 0; }
    /// True where the next call of the batch should not be begun: its result may find no room.
    bool is_full() const { return is_batch_ && (was_refused_ || bytes_left() < kResultReserve); }
    /// Of the responses there are.
    std::size_t bytes() const { return bytes_; }
    /// What of them its owner has counted as held for the client.
    std::size_t charged() const { return charged_; }
    void charge() { charged_ = bytes_; }
    /// Room left for results.
    std::size_t bytes_left() const;
    /// The reply with its newline; empty where there is nothing to answer. Once, when complete.
    std::string take_line();

  private:
    void put(std::size_t index, std::string response);
    bool is_batch_;
    bool was_refused_ = false;
    std::size_t open_;
    std::size_t bytes_before_;
    std::size_t bytes_ = 0;
    std::size_t charged_ = 0;
    std::vector<std::string> responses_;
};

}  // namespace meshd::ipc
