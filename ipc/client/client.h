// SPDX-License-Identifier: Apache-2.0
/// \file
/// A blocking client of the daemon's local API (ipc/API.md): JSON-RPC 2.0 over a Unix stream
/// socket, one JSON text per line. Every call that may block takes a deadline. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ipc/client/descriptor.h"
#include "ipc/client/reply.h"
#include "ipc/framing.h"

namespace meshd::ipc {

/// One connection. Events that arrive while a call waits for its reply are kept for next_event().
class Client {
  public:
    /// The daemon pages its listings; a line beyond this is no daemon of ours.
    static constexpr std::size_t kLineBytesMax = kReplyBytesMax;
    /// Events kept while calls wait. Beyond it the oldest go and are counted in events_lost().
    static constexpr std::size_t kEventsKeptMax = 4096;

    /// The first of `paths` that connects. Fails with NoDaemon, listing each attempt.
    static tl::expected<Client, ClientError> connect(const std::vector<std::string>& paths,
                                                     Deadline deadline);
    /// Takes over a connected stream socket.
    explicit Client(Descriptor descriptor);

    /// Waiting ends with Interrupted once `descriptor` is readable. It stays the caller's; -1 =
    /// none.
    void set_interrupt(int descriptor) { interrupt_ = descriptor; }

    /// `params`: JSON text of an object or array. Replies to earlier calls that timed out are
    /// dropped. After any failure but Remote and Timeout the connection is of no further use.
    tl::expected<Reply, ClientError> call(std::string_view method, std::string_view params,
                                          Deadline deadline);

    /// Sends without waiting for the answer, so that several calls are under way at once. Returns
    /// what receive() takes. A call never received costs its answer's memory.
    tl::expected<std::uint64_t, ClientError> send(std::string_view method, std::string_view params,
                                                  Deadline deadline);
    /// The answer to a call sent before, once and in any order; answers to other calls under way
    /// are kept. After a Timeout the answer will be dropped.
    tl::expected<Reply, ClientError> receive(std::uint64_t id, Deadline deadline);

    /// events.subscribe with these params; its events come from next_event().
    tl::expected<Reply, ClientError> subscribe(std::string_view params, Deadline deadline) {
        return call("events.subscribe", params, deadline);
    }
    /// The next event, in the order sent. Without a deadline it waits for ever.
    tl::expected<Event, ClientError> next_event(std::optional<Deadline> deadline);

    std::uint64_t events_lost() const { return events_lost_; }

  private:
    tl::expected<void, ClientError> send_line(std::string_view line, Deadline deadline);
    tl::expected<json::Document, ClientError> read_text(std::optional<Deadline> deadline);
    tl::expected<void, ClientError> wait(short events, std::optional<Deadline> deadline);
    void keep_event(json::Document document);
    /// Takes the next text of the daemon; false where it is no message of ours.
    bool keep(json::Document document);

    Descriptor descriptor_;
    int interrupt_ = -1;
    std::uint64_t last_id_ = 0;
    /// Calls under way; the answer where it has come.
    std::map<std::uint64_t, std::optional<json::Document>> calls_;
    std::uint64_t events_lost_ = 0;
    std::string unread_;
    std::size_t searched_ = 0;  ///< bytes of unread_ known to hold no newline
    std::deque<Event> events_;
};

}  // namespace meshd::ipc
