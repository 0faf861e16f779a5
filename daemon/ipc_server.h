// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace meshd {

/// Where the local API listens: `configured`, else /run/meshd/meshd.sock for root, else
/// $XDG_RUNTIME_DIR/meshd/meshd.sock. Fails where none applies.
tl::expected<std::string, std::string> choose_socket_path(const std::string& configured);

/// The local API's Unix socket: connections, lines and bounded output queues. What the lines mean
/// is decided elsewhere (RpcService). One slow, silent or dying client harms no other. The process
/// must ignore SIGPIPE.
///
/// Mode 0660 of group `meshd` where that group exists and this process may give it, else 0600.
class IpcServer {
  public:
    using ClientId = std::uint64_t;

    /// Connections in all, and of one user, so that one user's mistake leaves room for root.
    static constexpr std::size_t kClientsMax = 256;
    static constexpr std::size_t kClientsPerUserMax = 128;
    /// Bytes waiting for a client: beyond the first, events are refused and no further line of it
    /// is taken; beyond the second it is closed. Between them the largest reply has room (16 MiB).
    static constexpr std::size_t kEventBytesMax = std::size_t{4} << 20;
    static constexpr std::size_t kReplyBytesMax = std::size_t{32} << 20;

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

  private:
    struct Client;

    IpcServer(uv_loop_t* loop, std::string path, Callbacks callbacks);
    void on_connection();
    void on_bytes(Client& client, std::string_view bytes);
    void take_lines(Client& client);
    void on_end(Client& client);
    void on_turn();
    void flush(Client& client);
    void on_written(Client& client, int status);
    void start_reading(Client& client);
    void find_closed_halves();
    void close_client(Client& client);

    uv_loop_t* loop_;
    std::string path_;
    Callbacks callbacks_;
    std::string access_text_;
    dev_t socket_device_ = 0;
    ino_t socket_inode_ = 0;
    uv_pipe_t* listener_ = nullptr;
    uv_prepare_t* prepare_ = nullptr;
    uv_timer_t* half_closed_timer_ = nullptr;
    std::map<ClientId, std::unique_ptr<Client>> clients_;
    ClientId last_client_ = 0;
    std::vector<char> read_room_;
};

}  // namespace meshd
