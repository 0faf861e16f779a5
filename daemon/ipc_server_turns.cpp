// SPDX-License-Identifier: Apache-2.0
// What clients send: read, cut into lines, and served in turns.
#include <poll.h>

#include "daemon/ipc_client.h"
#include "daemon/ipc_server.h"

namespace meshd {
namespace {

/// Replies are written before the end of a turn where they are more than this.
constexpr std::size_t kFlushBytes = 64 * 1024;
/// Time for one client's turn, and for all turns before the loop looks at the network and the
/// timers again. A single line may take longer.
constexpr std::uint64_t kTurnNs = 500'000;
constexpr std::uint64_t kTurnsNs = 1'000'000;
constexpr std::uint64_t kHalfClosedIntervalMs = 1000;

/// True where the other end is closed altogether; after shutdown(SHUT_WR) alone it still reads.
bool is_hung_up(const uv_pipe_t* pipe) {
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<const uv_handle_t*>(pipe), &fd);
    pollfd state{fd, 0, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace

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
    // libuv would read on for half a MiB while others wait, and in each turn of the loop.
    if (client.is_in_turn || bytes.size() == read_room_.size()) {
        stop_reading(client);
    }
    client.lines.append(bytes);
    enqueue(client);
    count_held(client);
}

void IpcServer::stop_reading(Client& client) {
    if (client.is_reading) {
        client.is_reading = false;
        uv_read_stop(reinterpret_cast<uv_stream_t*>(client.pipe));
    }
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
            stop_reading(client);
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
    if (client.has_lines || client.closes_after || client.is_doomed) {
        stop_reading(client);
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
    stop_reading(client);
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

}  // namespace meshd
