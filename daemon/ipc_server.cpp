// SPDX-License-Identifier: Apache-2.0
#include "daemon/ipc_server.h"

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
        ++clients_refused_;
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

std::vector<std::pair<std::string_view, std::uint64_t>> IpcServer::counters() const {
    return {{"api_clients_refused", clients_refused_},
            {"api_clients_closed", clients_closed_},
            {"api_events_refused", events_refused_}};
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

}  // namespace meshd
