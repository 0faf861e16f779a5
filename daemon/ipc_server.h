// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace meshd {

/// Where the local API listens: `configured`, else /run/meshd/meshd.sock for root, else
/// $XDG_RUNTIME_DIR/meshd/meshd.sock. Fails where none applies.
tl::expected<std::string, std::string> choose_socket_path(const std::string& configured);

/// The local API's Unix socket: connections, lines and bounded output queues. What the lines mean
/// is decided elsewhere (RpcService). One slow, silent, greedy or dying client harms no other:
/// clients take turns of a few lines each, the mesh between them, and what is held for one user is
/// bounded. The process must ignore SIGPIPE.
///
/// Mode 0660 of group `meshd` where that group exists and this process may give it, else 0600.
class IpcServer {
  public:
    using ClientId = std::uint64_t;

    /// Connections in all, and of one user, so that one user's mistake leaves room for root.
    static constexpr std::size_t kClientsMax = 1280;
    static constexpr std::size_t kClientsPerUserMax = 1024;
    /// Bytes waiting for a client: beyond the first, events are refused and no further line of it
    /// is taken; beyond the second it is closed. Between them the largest reply has room (16 MiB).
    static constexpr std::size_t kEventBytesMax = std::size_t{4} << 20;
    static constexpr std::size_t kReplyBytesMax = std::size_t{32} << 20;
    /// Bytes of half-sent lines and unread output held for all connections of one user: beyond it
    /// that connection is closed which holds most. Events for one connection may fill a share of
    /// what is left of it, so that slow subscribers leave room for one that reads (the dynamic
    /// thresholds of Choudhury and Hahne, 1998). So memory is bounded whatever clients do, and who
    /// reads what it asked for is not hurt by a neighbour that does not.
    static constexpr std::size_t kBytesPerUserMax = std::size_t{64} << 20;
    static constexpr std::size_t kEventShare = 4;
    /// Taken at once from one client; the next is read when these are worked off.
    static constexpr std::size_t kReadBytes = std::size_t{64} << 10;
    /// Lines of one client that are worked off before the next client's turn: some tens of
    /// microseconds, so that a thousand busy clients keep another waiting for less than 0.1 s.
    static constexpr std::size_t kLinesPerTurnMax = 16;

    struct Callbacks {
        std::function<void(ClientId client, std::string_view line)> on_line;
        std::function<void(ClientId client)> on_line_too_long;
        std::function<void(ClientId client)> on_client_gone;
        std::function<void(ClientId client)> on_client_writable;
        /// Whether a reply or events may still come: a client that has sent its end of file is
        /// closed when not.
        std::function<bool(ClientId client)> is_waiting;
    };

    /// Binds and listens. A socket file that nobody answers at is replaced: the caller holds the
    /// state directory's lock, so that it cannot be a daemon just starting there. Fails with what
    /// to do where another program answers, or the path cannot be used.
    static tl::expected<std::unique_ptr<IpcServer>, std::string> open(uv_loop_t* loop,
                                                                      const std::string& path,
                                                                      Callbacks callbacks);
    IpcServer(const IpcServer&) = delete;
    IpcServer& operator=(const IpcServer&) = delete;
    /// Closes all connections and removes the socket file if it is still this server's.
    ~IpcServer();

    const std::string& path() const { return path_; }
    /// "0660, group meshd" or "0600".
    const std::string& access_text() const { return access_text_; }

    /// Queues a line for a client. False: the client is gone, or `is_event` and its queue is full;
    /// on_client_writable follows when there is room again.
    bool send(ClientId client, std::string_view line, bool is_event);
    /// Whether the client may do what harms the whole node: root, the user this process runs as,
    /// and members of group meshd-admin, where that group exists.
    bool is_admin(ClientId client) const;

    /// "api_…": connections refused for want of room, connections closed because they held too
    /// much, and events refused because a client reads too slowly (it may get them later).
    std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;

    /// Who connected: nothing where it is gone.
    struct Caller {
        uid_t uid = 0;
        pid_t pid = 0;
    };
    std::optional<Caller> caller(ClientId client) const;

  private:
    struct Client;
    struct User {
        std::size_t clients = 0;
        std::size_t bytes = 0;
    };

    IpcServer(uv_loop_t* loop, std::string path, Callbacks callbacks);
    void on_connection();
    void on_bytes(Client& client, std::string_view bytes);
    void on_end(Client& client);
    void start_serving();
    void serve_turns();
    bool serve(Client& client);
    void on_turn();
    std::size_t event_room(const Client& client) const;
    void touch(Client& client);
    void doom(Client& client);
    void enqueue(Client& client);
    void count_held(Client& client);
    void relieve(uid_t uid);
    void flush(Client& client);
    void write_rest(Client& client);
    void on_written(Client& client, int status);
    void start_reading(Client& client);
    void stop_reading(Client& client);
    void find_closed_halves();
    void close_client(Client& client);

    uv_loop_t* loop_;
    std::string path_;
    Callbacks callbacks_;
    std::string access_text_;
    dev_t socket_device_ = 0;
    ino_t socket_inode_ = 0;
    uv_pipe_t* listener_ = nullptr;
    uv_prepare_t* prepare_ = nullptr;  ///< writes before the loop waits
    uv_check_t* check_ = nullptr;      ///< serves what was read
    uv_idle_t* busy_ = nullptr;        ///< active while lines wait for their turn
    uv_timer_t* half_closed_timer_ = nullptr;
    std::map<ClientId, std::unique_ptr<Client>> clients_;
    std::map<uid_t, User> users_;  ///< those that are connected
    std::deque<ClientId> turns_;   ///< clients with lines, the longest waiting first
    std::vector<ClientId> touched_;
    ClientId last_client_ = 0;
    std::uint64_t clients_refused_ = 0;
    std::uint64_t clients_closed_ = 0;
    std::uint64_t events_refused_ = 0;
    std::vector<char> read_room_;
    /// A used output buffer, so that a busy connection needs no new memory for each reply.
    std::string spare_;
};

}  // namespace meshd
