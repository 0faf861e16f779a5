// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config_access.h"
#include "daemon/keys_access.h"
#include "daemon/mesh_access.h"
#include "ipc/method_table.h"

namespace meshd {

/// The local API without sockets (ipc/API.md): lines in, lines out. Owns pending requests,
/// subscriptions and the ring of past events. The socket server owns connections and their output
/// queues. It splits lines with ipc::LineSplitter, so that all share one limit.
class RpcService {
  public:
    using ClientId = std::uint64_t;

    struct Callbacks {
        /// Queues one line (with its newline) for a client. `is_event`: a notification, which the
        /// server may refuse (false) when the client's queue is full; replies are always taken.
        /// Must not call back into the service; a connection found broken here is reported by
        /// on_client_gone from the loop.
        std::function<bool(ClientId client, std::string line, bool is_event)> send;
        /// Whether the client may do what harms the whole node: leave the mesh, write backups.
        /// Nobody may where it is empty.
        std::function<bool(ClientId client)> is_admin = {};
        /// The user a client belongs to, for limits per user; all are of one where it is empty.
        std::function<std::uint32_t(ClientId client)> user_of = {};
        /// A call that changes something is about to be tried, or was not permitted: for the log.
        std::function<void(ClientId client, const ipc::Method& method, bool is_permitted)>
            on_write = {};
        /// What the socket server counted, by name: belongs into mesh.stats' counters.
        std::function<std::vector<std::pair<std::string_view, std::uint64_t>>()> counters = {};
        /// Asks for a call of on_timeout() at that time, or soon after; the last one counts.
        std::function<void(TimePoint at)> wake_at = {};
        /// Null: the methods of the configuration fail.
        ConfigAccess* config = nullptr;
        /// Null: the methods of the mesh keys fail.
        KeysAccess* keys = nullptr;
    };

    /// Calls that wait for the mesh, of one client and of one user: more than a process has
    /// threads, and few enough that all together stay small.
    static constexpr std::size_t kWaitingPerClientMax = 64;
    static constexpr std::size_t kWaitingPerUserMax = 512;

    RpcService(MeshAccess& mesh, Callbacks callbacks);
    ~RpcService();

    /// One line from a client, without its newline.
    void on_line(ClientId client, std::string_view line);
    /// A line grew beyond the limit; the server closes the client after this reply is sent.
    void on_line_too_long(ClientId client);
    void on_client_gone(ClientId client);
    /// The client's queue has room again: a `lagged` notice goes out where events were lost.
    void on_client_writable(ClientId client);
    /// True while something may still be sent to the client unasked: a call waits for its answer,
    /// it has subscriptions, or it serves searches. A client that shut down its writing side (end
    /// of file, but no hang-up) is kept so long.
    bool is_waiting(ClientId client) const;
    /// An output of the node: answers the waiting call, or becomes an event.
    void on_output(const Output& output);
    /// Early calls do nothing.
    void on_timeout();

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshd
