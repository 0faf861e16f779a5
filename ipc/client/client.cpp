// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ipc/client/message.h"

namespace meshd::ipc {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

tl::expected<Client, ClientError> Client::connect(const std::vector<std::string>& paths,
                                                  Deadline deadline) {
    return connect_socket(paths, deadline).map([](Descriptor&& descriptor) {
        return Client(std::move(descriptor));
    });
}

Client::Client(Descriptor descriptor) : descriptor_(std::move(descriptor)) {
    fcntl(descriptor_.get(), F_SETFL, fcntl(descriptor_.get(), F_GETFL) | O_NONBLOCK);
}

tl::expected<Reply, ClientError> Client::call(std::string_view method, std::string_view params,
                                              Deadline deadline) {
    const auto id = send(method, params, deadline);
    if (!id) {
        return tl::unexpected(id.error());
    }
    return receive(*id, deadline);
}

tl::expected<std::uint64_t, ClientError> Client::send(std::string_view method,
                                                      std::string_view params, Deadline deadline) {
    const std::uint64_t id = ++last_id_;
    const std::string line = print_call(id, method, params);
    if (auto sent = send_line(line, deadline); !sent) {
        return tl::unexpected(std::move(sent.error()));
    }
    calls_.emplace(id, std::nullopt);
    return id;
}

tl::expected<Reply, ClientError> Client::receive(std::uint64_t id, Deadline deadline) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
        return tl::unexpected(failure(ClientError::Kind::Protocol, "no such call is under way"));
    }
    while (!found->second) {
        auto text = read_text(deadline);
        if (!text) {
            calls_.erase(found);
            return tl::unexpected(std::move(text.error()));
        }
        if (!keep(std::move(*text))) {
            calls_.erase(found);
            return tl::unexpected(
                failure(ClientError::Kind::Protocol, "an answer that nobody asked for"));
        }
    }
    json::Document document = std::move(*found->second);
    calls_.erase(found);
    return read_reply(std::move(document));
}

bool Client::keep(json::Document document) {
    const json::Value root = document.root();
    if (root["method"].exists()) {
        keep_event(std::move(document));
        return true;
    }
    std::uint64_t id = root["id"].as_uint().value_or(0);
    if (root["id"].is_null() && root["error"].exists()) {
        // A daemon that could not read a request answers with id null: the first unanswered one.
        const auto first = std::find_if(calls_.begin(), calls_.end(),
                                        [](const auto& call) { return !call.second; });
        id = first == calls_.end() ? 0 : first->first;
    }
    const auto call = calls_.find(id);
    if (call != calls_.end() && !call->second) {
        call->second = std::move(document);
        return true;
    }
    // A late answer to a call that was given up is no harm.
    return id > 0 && id <= last_id_ && call == calls_.end();
}

tl::expected<Event, ClientError> Client::next_event(std::optional<Deadline> deadline) {
    while (events_.empty()) {
        auto text = read_text(deadline);
        if (!text) {
            return tl::unexpected(std::move(text.error()));
        }
        keep(std::move(*text));
    }
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

void Client::keep_event(json::Document document) {
    if (document.root()["method"].as_string() != "event") {
        return;
    }
    if (events_.size() == kEventsKeptMax) {
        events_.pop_front();
        ++events_lost_;
    }
    events_.emplace_back(std::move(document));
}

tl::expected<void, ClientError> Client::send_line(std::string_view line, Deadline deadline) {
    while (!line.empty()) {
        const ssize_t sent = ::send(descriptor_.get(), line.data(), line.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            line.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (sent < 0 && errno == EPIPE) {
            // The daemon may have said why before it closed: the reply is still to be read.
            return {};
        }
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return tl::unexpected(closed());
        }
        if (auto ready = wait(POLLOUT, deadline); !ready) {
            return ready;
        }
    }
    return {};
}

tl::expected<json::Document, ClientError> Client::read_text(std::optional<Deadline> deadline) {
    while (true) {
        const std::size_t newline = unread_.find('\n', searched_);
        if (newline != std::string::npos) {
            const std::string line = unread_.substr(0, newline);
            unread_.erase(0, newline + 1);
            searched_ = 0;
            if (line.find_first_not_of(" \t\r") == std::string::npos) {
                continue;
            }
            return parse_message(line);
        }
        searched_ = unread_.size();
        if (unread_.size() > kLineBytesMax) {
            return tl::unexpected(failure(ClientError::Kind::Protocol, "a line without an end"));
        }
        const std::size_t had = unread_.size();
        unread_.resize(had + kReadBytes);
        const ssize_t got = recv(descriptor_.get(), unread_.data() + had, kReadBytes, 0);
        const int why = errno;
        unread_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) {
            return tl::unexpected(closed());
        }
        if (got < 0) {
            if (why != EAGAIN && why != EINTR) {
                return tl::unexpected(closed());
            }
            if (auto ready = wait(POLLIN, deadline); !ready) {
                return tl::unexpected(std::move(ready.error()));
            }
        }
    }
}

tl::expected<void, ClientError> Client::wait(short events, std::optional<Deadline> deadline) {
    while (true) {
        int timeout_ms = -1;
        if (deadline) {
            const Deadline now = steady_clock::now();
            if (*deadline <= now) {
                return tl::unexpected(
                    failure(ClientError::Kind::Timeout, "no answer within the time given"));
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now);
            constexpr std::chrono::milliseconds kHour{3'600'000};
            timeout_ms = static_cast<int>(std::min(left, kHour).count());
        }
        std::array<pollfd, 2> polled{{{descriptor_.get(), events, 0}, {interrupt_, POLLIN, 0}}};
        const int ready = poll(polled.data(), polled.size(), timeout_ms);
        if (ready < 0 && errno != EINTR) {
            return tl::unexpected(failure(ClientError::Kind::Protocol, std::strerror(errno)));
        }
        if (ready <= 0) {
            continue;
        }
        if (polled[1].revents != 0) {
            return tl::unexpected(failure(ClientError::Kind::Interrupted, "interrupted"));
        }
        return {};
    }
}

}  // namespace meshd::ipc
