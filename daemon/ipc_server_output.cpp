// SPDX-License-Identifier: Apache-2.0
// What clients get: queued within limits, and written before the loop waits.
#include <algorithm>
#include <utility>

#include "daemon/ipc_client.h"
#include "daemon/ipc_server.h"

namespace meshd {
namespace {

/// A larger buffer is not kept for the next reply.
constexpr std::size_t kSpareBytesMax = 256 * 1024;

}  // namespace

bool IpcServer::send(ClientId id, std::string_view line, bool is_event) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second->is_doomed) {
        return false;
    }
    Client& client = *found->second;
    if (is_event && client.queued() + line.size() > event_room(client)) {
        client.was_refused = true;
        ++events_refused_;
        return false;
    }
    touch(client);
    if (client.queued() + line.size() > kReplyBytesMax) {
        ++clients_closed_;
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
        ++clients_closed_;
        doom(*fattest);
    }
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
