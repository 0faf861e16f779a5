// SPDX-License-Identifier: Apache-2.0
/// \file
/// A client of the daemon's local API for programs with an event loop: nothing waits, answers and
/// events come by callback. Any loop will do that watches a descriptor: poll, epoll, libuv, Qt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/client/descriptor.h"
#include "ipc/client/reply.h"
#include "ipc/framing.h"

namespace meshd::ipc {

/// One connection. The loop watches descriptor() for what wanted() says, and calls dispatch() when
/// it is ready or next_deadline() has come; callbacks come from dispatch() alone. They may call
/// anything but dispatch() and the destructor. Each call is answered once: by its result, the
/// daemon's error, Timeout, or what ended the connection. Not thread-safe.
///
///     client.call("mesh.status", "{}", deadline, [](auto reply) { … });
///     while (client.dispatch()) {
///         poll client.descriptor() for client.wanted() until client.next_deadline()
///     }
class EventClient {
  public:
    using OnReply = std::function<void(tl::expected<Reply, ClientError>)>;
    using OnEvent = std::function<void(const Event&)>;

    /// Requests not yet taken by the daemon. Beyond it calls fail with Protocol.
    static constexpr std::size_t kUnsentBytesMax = std::size_t{16} << 20;

    /// Waits until connected, a moment where the daemon runs. Fails with NoDaemon.
    static tl::expected<EventClient, ClientError> connect(const std::vector<std::string>& paths,
                                                          Deadline deadline);
    /// Takes over a connected stream socket.
    explicit EventClient(Descriptor descriptor);

    int descriptor() const { return descriptor_.get(); }
    /// POLLIN, with POLLOUT while something waits to be sent.
    short wanted() const;
    /// When the first call under way times out; nothing where none may.
    std::optional<Deadline> next_deadline() const;

    /// `params`: JSON text of an object or array. It goes out with the next dispatch(), at the
    /// latest.
    void call(std::string_view method, std::string_view params, Deadline deadline,
              OnReply on_reply);
    /// events.subscribe with these params. `on_reply` comes first, then its events, in order. An
    /// end of the connection ends the subscription: connect anew and subscribe since the last
    /// cursor (EventResume does the bookkeeping).
    void subscribe(std::string_view params, Deadline deadline, OnEvent on_event, OnReply on_reply);

    /// Sends and reads what goes without waiting and calls back. False once the connection has
    /// ended: all calls were told, and error() says why.
    bool dispatch();
    /// Waits for the descriptor, until `deadline` at most, and dispatches: for programs that have
    /// no loop yet.
    bool wait_and_dispatch(Deadline deadline);
    const std::optional<ClientError>& error() const { return error_; }

  private:
    struct Call {
        Deadline deadline;
        OnReply on_reply;
        OnEvent on_event;          ///< of a subscription
        bool was_refused = false;  ///< it was never sent: too much waits already
    };

    void start(std::string_view method, std::string_view params, Call call);
    void send_some();
    void read_some();
    void take(json::Document document);
    void answer(std::uint64_t id, tl::expected<Reply, ClientError> reply);
    void expire();
    void end(const ClientError& why);

    Descriptor descriptor_;
    LineSplitter lines_{kReplyBytesMax};
    std::string unsent_;
    std::uint64_t last_id_ = 0;
    std::map<std::uint64_t, Call> calls_;
    std::set<std::pair<Deadline, std::uint64_t>> deadlines_;
    std::map<std::string, OnEvent, std::less<>> subscriptions_;
    std::optional<ClientError> error_;
};

}  // namespace meshd::ipc
