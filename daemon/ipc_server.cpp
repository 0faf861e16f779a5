// SPDX-License-Identifier: Apache-2.0
#include "daemon/ipc_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/ipc_client.h"
#include "daemon/ipc_peer.h"
#include "daemon/ipc_socket.h"
#include "ipc/error.h"
#include "ipc/request.h"
#include "proto/base/assert.h"

namespace meshd {
namespace {

constexpr int kBacklog = 128;
/// libuv reads up to 32 times this in one turn; half a MiB of requests takes some 20 ms.
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::uint64_t kHalfClosedIntervalMs = 1000;
constexpr std::int64_t kRetryAfterMs = 1000;

template <class Handle>
void close_handle(Handle* handle) {
    if (handle != nullptr) {
        uv_close(reinterpret_cast<uv_handle_t*>(handle),
                 [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
    }
}

int descriptor(const uv_pipe_t* pipe) {
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<const uv_handle_t*>(pipe), &fd);
    return fd;
}

/// True where the other end is closed altogether; after shutdown(SHUT_WR) alone it still reads.
bool is_hung_up(const uv_pipe_t* pipe) {
    pollfd state{descriptor(pipe), 0, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

std::string overloaded_line(std::string message) {
    ipc::Error error;
    error.code = ipc::ErrorCode::Overloaded;
    error.message = std::move(message);
    error.retry_after_ms = kRetryAfterMs;
    return ipc::print_error("null", error) + "\n";
}

}  // namespace

IpcServer::IpcServer(uv_loop_t* loop, std::string path, Callbacks callbacks)
    : loop_(loop), path_(std::move(path)), callbacks_(std::move(callbacks)) {
    read_room_.resize(kReadBytes);
}

tl::expected<std::unique_ptr<IpcServer>, std::string> IpcServer::open(uv_loop_t* loop,
                                                                      const std::string& path,
                                                                      Callbacks callbacks) {
    const auto bound = bind_ipc_socket(path);
    if (!bound) {
        return tl::unexpected(bound.error());
    }
    std::unique_ptr<IpcServer> server(new IpcServer(loop, path, std::move(callbacks)));
    server->access_text_ = bound->access_text;
    struct stat info {};
    if (lstat(path.c_str(), &info) == 0) {
        server->socket_device_ = info.st_dev;
        server->socket_inode_ = info.st_ino;
    }

    server->listener_ = new uv_pipe_t{};
    uv_pipe_init(loop, server->listener_, 0);
    server->listener_->data = server.get();
    int result = uv_pipe_open(server->listener_, bound->fd);
    if (result == 0) {
        result = uv_listen(reinterpret_cast<uv_stream_t*>(server->listener_), kBacklog,
                           [](uv_stream_t* stream, int status) {
                               if (status == 0) {
                                   static_cast<IpcServer*>(stream->data)->on_connection();
                               }
                           });
    }
    if (result != 0) {
        return tl::unexpected("socket " + path + ": cannot listen: " + uv_strerror(result));
    }
    server->prepare_ = new uv_prepare_t{};
    uv_prepare_init(loop, server->prepare_);
    server->prepare_->data = server.get();
    uv_prepare_start(server->prepare_, [](uv_prepare_t* prepare) {
        static_cast<IpcServer*>(prepare->data)->on_turn();
    });
    server->half_closed_timer_ = new uv_timer_t{};
    uv_timer_init(loop, server->half_closed_timer_);
    server->half_closed_timer_->data = server.get();
    return server;
}

IpcServer::~IpcServer() {
    callbacks_ = {};
    for (auto& [id, client] : clients_) {
        // What was answered still goes out, as far as the kernel takes it at once.
        if (!client->is_doomed && !client->is_writing && !client->pending.empty()) {
            uv_buf_t buffer =
                uv_buf_init(client->pending.data(), static_cast<unsigned>(client->pending.size()));
            uv_try_write(reinterpret_cast<uv_stream_t*>(client->pipe), &buffer, 1);
        }
        close_client(*client);
    }
    // uv_close cancels writes under way, whose buffers must outlive the callbacks: the loop runs
    // them after this object is gone, so they go with the clients that are handed over there.
    for (auto& [id, client] : clients_) {
        client->server = nullptr;
        static_cast<void>(client.release());
    }
    close_handle(listener_);
    close_handle(prepare_);
    close_handle(half_closed_timer_);
    struct stat info {};
    if (lstat(path_.c_str(), &info) == 0 && info.st_dev == socket_device_ &&
        info.st_ino == socket_inode_) {
        unlink(path_.c_str());
    }
}

void IpcServer::on_connection() {
    auto client = std::make_unique<Client>();
    client->server = this;
    client->id = ++last_client_;
    client->pipe = new uv_pipe_t{};
    uv_pipe_init(loop_, client->pipe, 0);
    client->pipe->data = client.get();
    if (uv_accept(reinterpret_cast<uv_stream_t*>(listener_),
                  reinterpret_cast<uv_stream_t*>(client->pipe)) != 0) {
        close_handle(client->pipe);
        return;
    }
    const auto peer = read_ipc_peer(descriptor(client->pipe));
    if (!peer) {
        close_handle(client->pipe);
        return;
    }
    client->uid = peer->uid;
    const auto of_user =
        static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [&](auto& one) {
            return one.second->uid == client->uid;
        }));
    if (clients_.size() >= kClientsMax || of_user >= kClientsPerUserMax) {
        std::string line =
            overloaded_line(clients_.size() >= kClientsMax
                                ? "too many connections: at most " + std::to_string(kClientsMax)
                                : "too many connections of one user: at most " +
                                      std::to_string(kClientsPerUserMax));
        uv_buf_t buffer = uv_buf_init(line.data(), static_cast<unsigned>(line.size()));
        uv_try_write(reinterpret_cast<uv_stream_t*>(client->pipe), &buffer, 1);
        close_handle(client->pipe);
        return;
    }
    Client& accepted = *client;
    clients_.emplace(accepted.id, std::move(client));
    start_reading(accepted);
}

void IpcServer::start_reading(Client& client) {
    client.is_reading = true;
    uv_read_start(
        reinterpret_cast<uv_stream_t*>(client.pipe),
        [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
            // One room for all: what was read is taken before the next read.
            std::vector<char>& room = static_cast<Client*>(handle->data)->server->read_room_;
            *buffer = uv_buf_init(room.data(), static_cast<unsigned>(room.size()));
        },
        [](uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
            auto& reader = *static_cast<Client*>(stream->data);
            if (size > 0) {
                reader.server->on_bytes(reader, {buffer->base, static_cast<std::size_t>(size)});
            } else if (size < 0) {
                reader.server->on_end(reader);
            }
        });
}

void IpcServer::on_bytes(Client& client, std::string_view bytes) {
    client.lines.append(bytes);
    take_lines(client);
    if (client.closes_after || client.is_doomed || client.queued() > kEventBytesMax) {
        client.is_reading = false;
        uv_read_stop(reinterpret_cast<uv_stream_t*>(client.pipe));
    }
}

void IpcServer::take_lines(Client& client) {
    // One read may hold many requests with large replies: the rest waits until these are out.
    while (!client.is_doomed && client.queued() <= kEventBytesMax) {
        const auto line = client.lines.next_line();
        if (!line) {
            break;
        }
        callbacks_.on_line(client.id, *line);
    }
    if (client.lines.is_too_long() && !client.closes_after && !client.is_doomed) {
        callbacks_.on_line_too_long(client.id);
        client.closes_after = true;
    }
}

void IpcServer::on_end(Client& client) {
    client.is_reading = false;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(client.pipe));
    if (const auto line = client.lines.last_line(); line && !client.is_doomed) {
        callbacks_.on_line(client.id, *line);
    }
    client.has_ended = true;
    if (is_hung_up(client.pipe)) {
        client.is_doomed = true;
    } else if (uv_is_active(reinterpret_cast<uv_handle_t*>(half_closed_timer_)) == 0) {
        uv_timer_start(
            half_closed_timer_,
            [](uv_timer_t* timer) { static_cast<IpcServer*>(timer->data)->find_closed_halves(); },
            kHalfClosedIntervalMs, kHalfClosedIntervalMs);
    }
}

void IpcServer::find_closed_halves() {
    // libuv tells nothing more after the end of file, and nothing may ever be written that would.
    bool is_any_left = false;
    for (auto& [id, client] : clients_) {
        if (client->has_ended) {
            client->is_doomed = client->is_doomed || is_hung_up(client->pipe);
            is_any_left = is_any_left || !client->is_doomed;
        }
    }
    if (!is_any_left) {
        uv_timer_stop(half_closed_timer_);
    }
}

bool IpcServer::send(ClientId id, std::string_view line, bool is_event) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second->is_doomed) {
        return false;
    }
    Client& client = *found->second;
    if (is_event && client.queued() + line.size() > kEventBytesMax) {
        client.was_refused = true;
        return false;
    }
    if (client.queued() + line.size() > kReplyBytesMax) {
        client.is_doomed = true;
        return false;
    }
    client.pending += line;
    return true;
}

bool IpcServer::is_admin(ClientId id) const {
    const auto found = clients_.find(id);
    if (found == clients_.end()) {
        return false;
    }
    // Asked anew each time: who makes the group later need not restart the daemon.
    const auto peer = read_ipc_peer(descriptor(found->second->pipe));
    return peer && is_admin_peer(*peer, geteuid(), find_admin_group());
}

void IpcServer::on_turn() {
    std::vector<ClientId> gone;
    for (auto& [id, client] : clients_) {
        if (!client->is_doomed && !client->is_writing) {
            flush(*client);
        }
        if (client->is_doomed) {
            gone.push_back(id);
        }
    }
    for (const ClientId id : gone) {
        auto node = clients_.extract(id);
        close_client(*node.mapped());
        static_cast<void>(node.mapped().release());  // deleted with its handle
        callbacks_.on_client_gone(id);
    }
}

void IpcServer::flush(Client& client) {
    auto* stream = reinterpret_cast<uv_stream_t*>(client.pipe);
    if (!client.pending.empty()) {
        uv_buf_t buffer =
            uv_buf_init(client.pending.data(), static_cast<unsigned>(client.pending.size()));
        const int written = uv_try_write(stream, &buffer, 1);
        if (written < 0 && written != UV_EAGAIN) {
            client.is_doomed = true;
            return;
        }
        if (written == static_cast<int>(client.pending.size())) {
            client.pending = {};
        } else {
            client.writing = client.pending.substr(static_cast<std::size_t>(std::max(written, 0)));
            client.pending.clear();
            client.is_writing = true;
            client.write.data = &client;
            uv_buf_t rest =
                uv_buf_init(client.writing.data(), static_cast<unsigned>(client.writing.size()));
            const int result =
                uv_write(&client.write, stream, &rest, 1, [](uv_write_t* write, int status) {
                    auto& writer = *static_cast<Client*>(write->data);
                    writer.is_writing = false;
                    if (writer.server != nullptr) {
                        writer.server->on_written(writer, status);
                    }
                });
            if (result != 0) {
                client.is_writing = false;
                client.is_doomed = true;
            }
            return;
        }
    }
    client.is_doomed = client.is_doomed || client.closes_after;
    if (client.queued() > kEventBytesMax / 2 || client.is_doomed) {
        return;
    }
    if (!client.is_reading && !client.has_ended) {
        take_lines(client);
        if (!client.closes_after && !client.is_doomed && client.queued() <= kEventBytesMax) {
            start_reading(client);
        }
        if (!client.pending.empty()) {
            flush(client);
            return;
        }
    }
    if (client.was_refused) {
        client.was_refused = false;
        callbacks_.on_client_writable(client.id);
        if (!client.pending.empty()) {
            flush(client);
        }
    }
    if (client.has_ended && client.queued() == 0 && !callbacks_.is_waiting(client.id)) {
        client.is_doomed = true;
    }
}

void IpcServer::on_written(Client& client, int status) {
    client.writing.clear();
    client.is_doomed = client.is_doomed || status != 0;
}

void IpcServer::close_client(Client& client) {
    // The client's memory goes with its handle: a write under way is cancelled before that.
    client.server = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(client.pipe), [](uv_handle_t* handle) {
        const std::unique_ptr<Client> last(static_cast<Client*>(handle->data));
        delete reinterpret_cast<uv_pipe_t*>(handle);
    });
}

}  // namespace meshd
