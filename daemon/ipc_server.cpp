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
/// Taken at once from one client; the next is read when these are worked off.
constexpr std::size_t kReadBytes = 64 * 1024;
/// Time for one client's turn, and for all turns before the loop looks at the network and the
/// timers again. A single line may take longer.
constexpr std::uint64_t kTurnNs = 500'000;
constexpr std::uint64_t kTurnsNs = 1'000'000;
/// Replies are written before the end of a turn where they are more than this.
constexpr std::size_t kFlushBytes = 64 * 1024;
/// A larger buffer is not kept for the next reply.
constexpr std::size_t kSpareBytesMax = 256 * 1024;
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
    server->start_serving();
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
    close_handle(check_);
    close_handle(busy_);
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
    client->pid = peer->pid;
    const auto user = users_.find(client->uid);
    if (clients_.size() >= kClientsMax ||
        (user != users_.end() && user->second.clients >= kClientsPerUserMax)) {
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
    ++users_[accepted.uid].clients;
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
    enqueue(client);
    // libuv would read on for half a MiB: others wait.
    client.is_reading = false;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(client.pipe));
    count_held(client);
}

void IpcServer::start_serving() {
    check_ = new uv_check_t{};
    uv_check_init(loop_, check_);
    check_->data = this;
    uv_check_start(check_,
                   [](uv_check_t* check) { static_cast<IpcServer*>(check->data)->serve_turns(); });
    busy_ = new uv_idle_t{};
    uv_idle_init(loop_, busy_);
}

void IpcServer::enqueue(Client& client) {
    client.has_lines = true;
    if (!client.is_in_turn) {
        client.is_in_turn = true;
        turns_.push_back(client.id);
    }
}

void IpcServer::serve_turns() {
    const std::uint64_t end = uv_hrtime() + kTurnsNs;
    while (!turns_.empty()) {
        const auto found = clients_.find(turns_.front());
        turns_.pop_front();
        if (found == clients_.end()) {
            continue;
        }
        Client& client = *found->second;
        client.is_in_turn = false;
        if (serve(client)) {
            enqueue(client);
        }
        if (uv_hrtime() >= end) {
            break;
        }
    }
    if (turns_.empty()) {
        uv_idle_stop(busy_);
    } else if (uv_is_active(reinterpret_cast<uv_handle_t*>(busy_)) == 0) {
        // An idle handle keeps the loop from waiting.
        uv_idle_start(busy_, [](uv_idle_t*) {});
    }
}

/// One turn; true where the client wants another.
bool IpcServer::serve(Client& client) {
    const std::uint64_t end = uv_hrtime() + kTurnNs;
    // One read may hold many requests with large replies: the rest waits until these are out.
    for (std::size_t taken = 0; !client.is_doomed && client.queued() <= kEventBytesMax; ++taken) {
        if (taken == kLinesPerTurnMax || (taken > 0 && uv_hrtime() >= end)) {
            count_held(client);
            if (client.pending.size() > kFlushBytes && !client.is_writing) {
                flush(client);
            }
            return !client.is_doomed;
        }
        const auto line = client.lines.next_line();
        if (!line) {
            client.has_lines = false;
            break;
        }
        callbacks_.on_line(client.id, *line);
    }
    if (client.lines.is_too_long() && !client.closes_after && !client.is_doomed) {
        callbacks_.on_line_too_long(client.id);
        client.closes_after = true;
    }
    if (!client.has_lines && client.has_ended && !client.is_doomed) {
        if (const auto line = client.lines.last_line()) {
            callbacks_.on_line(client.id, *line);
        }
    }
    count_held(client);
    touch(client);
    return false;
}

void IpcServer::on_end(Client& client) {
    client.is_reading = false;
    uv_read_stop(reinterpret_cast<uv_stream_t*>(client.pipe));
    client.has_ended = true;
    // A last line may have come without its newline.
    enqueue(client);
    if (is_hung_up(client.pipe)) {
        doom(client);
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
            // Its last call may have been answered by nothing, as a notification is.
            touch(*client);
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
    if (is_event && client.queued() + line.size() > event_room(client)) {
        client.was_refused = true;
        return false;
    }
    touch(client);
    if (client.queued() + line.size() > kReplyBytesMax) {
        doom(client);
        return false;
    }
    if (client.pending.capacity() < spare_.capacity() && client.pending.empty()) {
        client.pending.swap(spare_);
    }
    client.pending += line;
    count_held(client);
    return !client.is_doomed;
}

std::size_t IpcServer::event_room(const Client& client) const {
    if (client.queued() == 0) {
        return kEventBytesMax;
    }
    const std::size_t held = users_.at(client.uid).bytes;
    const std::size_t left = held < kBytesPerUserMax ? kBytesPerUserMax - held : 0;
    return std::min(kEventBytesMax, left / kEventShare);
}

void IpcServer::touch(Client& client) {
    if (!client.is_touched) {
        client.is_touched = true;
        touched_.push_back(client.id);
    }
}

void IpcServer::doom(Client& client) {
    client.is_doomed = true;
    touch(client);
}

void IpcServer::count_held(Client& client) {
    User& user = users_[client.uid];
    const std::size_t held = client.held();
    user.bytes = user.bytes - client.counted + held;
    client.counted = held;
    if (user.bytes > kBytesPerUserMax) {
        relieve(client.uid);
    }
}

void IpcServer::relieve(uid_t uid) {
    Client* fattest = nullptr;
    for (auto& [id, client] : clients_) {
        if (client->uid == uid && !client->is_doomed &&
            (fattest == nullptr || client->counted > fattest->counted)) {
            fattest = client.get();
        }
    }
    if (fattest != nullptr) {
        users_[uid].bytes -= fattest->counted;
        fattest->counted = 0;
        doom(*fattest);
    }
}

std::optional<IpcServer::Caller> IpcServer::caller(ClientId id) const {
    const auto found = clients_.find(id);
    return found == clients_.end() ? std::nullopt
                                   : std::optional(Caller{found->second->uid, found->second->pid});
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
    // What is told of the end of one client may touch others: those wait for the next turn at most.
    std::vector<ClientId> touched;
    touched.swap(touched_);
    for (const ClientId id : touched) {
        const auto found = clients_.find(id);
        if (found == clients_.end()) {
            continue;
        }
        Client& client = *found->second;
        client.is_touched = false;
        if (!client.is_doomed && !client.is_writing) {
            flush(client);
        }
        if (client.is_doomed) {
            auto node = clients_.extract(found);
            const auto user = users_.find(client.uid);
            user->second.bytes -= client.counted;
            if (--user->second.clients == 0) {
                users_.erase(user);
            }
            close_client(client);
            static_cast<void>(node.mapped().release());  // deleted with its handle
            callbacks_.on_client_gone(id);
        }
    }
    if (!touched_.empty()) {
        uv_idle_start(busy_, [](uv_idle_t*) {});
    }
}

void IpcServer::flush(Client& client) {
    auto* stream = reinterpret_cast<uv_stream_t*>(client.pipe);
    if (!client.pending.empty()) {
        uv_buf_t buffer =
            uv_buf_init(client.pending.data(), static_cast<unsigned>(client.pending.size()));
        const int written = uv_try_write(stream, &buffer, 1);
        if (written < 0 && written != UV_EAGAIN) {
            doom(client);
            return;
        }
        if (written == static_cast<int>(client.pending.size())) {
            client.pending.clear();
            if (client.pending.capacity() > spare_.capacity() &&
                client.pending.capacity() <= kSpareBytesMax) {
                spare_.swap(client.pending);
            }
            client.pending = {};
        } else {
            client.writing = std::exchange(client.pending, {});
            client.writing_from = static_cast<std::size_t>(std::max(written, 0));
            write_rest(client);
            count_held(client);
            return;
        }
        count_held(client);
    }
    client.is_doomed = client.is_doomed || client.closes_after;
    if (client.queued() > kEventBytesMax / 2 || client.is_doomed) {
        return;
    }
    if (client.was_refused) {
        client.was_refused = false;
        callbacks_.on_client_writable(client.id);
        touch(client);
    }
    if (client.has_lines) {
        enqueue(client);
        // It may be that nothing else wakes the loop.
        uv_idle_start(busy_, [](uv_idle_t*) {});
    } else if (client.has_ended) {
        client.is_doomed = client.queued() == 0 && !callbacks_.is_waiting(client.id);
    } else if (!client.is_reading) {
        start_reading(client);
    }
}

void IpcServer::write_rest(Client& client) {
    client.is_writing = true;
    client.write.data = &client;
    uv_buf_t rest = uv_buf_init(client.writing.data() + client.writing_from,
                                static_cast<unsigned>(client.writing.size() - client.writing_from));
    const int result = uv_write(&client.write, reinterpret_cast<uv_stream_t*>(client.pipe), &rest,
                                1, [](uv_write_t* write, int status) {
                                    auto& writer = *static_cast<Client*>(write->data);
                                    writer.is_writing = false;
                                    if (writer.server != nullptr) {
                                        writer.server->on_written(writer, status);
                                    }
                                });
    if (result != 0) {
        client.is_writing = false;
        doom(client);
    }
}

void IpcServer::on_written(Client& client, int status) {
    client.writing = {};
    client.writing_from = 0;
    count_held(client);
    client.is_doomed = client.is_doomed || status != 0;
    touch(client);
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
