// SPDX-License-Identifier: Apache-2.0
#include "ipc/client/event_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>

#include "ipc/client/message.h"

namespace meshd::ipc {
namespace {

using std::chrono::steady_clock;
using Kind = ClientError::Kind;

constexpr std::size_t kReadBytes = 64 * 1024;
/// Reads of one dispatch(), so that a stream of events leaves the program's loop its turn.
constexpr int kReadsMax = 16;

}  // namespace

tl::expected<EventClient, ClientError> EventClient::connect(const std::vector<std::string>& paths,
                                                            Deadline deadline) {
    return connect_socket(paths, deadline).map([](Descriptor&& descriptor) {
        return EventClient(std::move(descriptor));
    });
}

EventClient::EventClient(Descriptor descriptor) : descriptor_(std::move(descriptor)) {
    fcntl(descriptor_.get(), F_SETFL, fcntl(descriptor_.get(), F_GETFL) | O_NONBLOCK);
}

short EventClient::wanted() const {
    return static_cast<short>(unsent_.empty() ? POLLIN : POLLIN | POLLOUT);
}

std::optional<Deadline> EventClient::next_deadline() const {
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
}

void EventClient::call(std::string_view method, std::string_view params, Deadline deadline,
                       OnReply on_reply) {
    start(method, params, Call{deadline, std::move(on_reply), {}, false});
}

void EventClient::subscribe(std::string_view params, Deadline deadline, OnEvent on_event,
                            OnReply on_reply) {
    start("events.subscribe", params,
          Call{deadline, std::move(on_reply), std::move(on_event), false});
}

void EventClient::start(std::string_view method, std::string_view params, Call call) {
    const std::uint64_t id = ++last_id_;
    if (error_ || unsent_.size() + params.size() > kUnsentBytesMax) {
        // Told by the next dispatch(), as everything is.
        call.was_refused = true;
        call.deadline = Deadline::min();
    } else {
        unsent_ += print_call(id, method, params);
    }
    deadlines_.emplace(call.deadline, id);
    calls_.emplace(id, std::move(call));
}

bool EventClient::dispatch() {
    if (!error_) {
        send_some();
    }
    if (!error_) {
        read_some();
    }
    expire();
    // What was read may have led to new calls.
    if (!error_) {
        send_some();
    }
    return !error_;
}

bool EventClient::wait_and_dispatch(Deadline deadline) {
    const Deadline until = std::min(deadline, next_deadline().value_or(deadline));
    // Compared first: the time from now to Deadline::min() has no number.
    const Deadline now = steady_clock::now();
    constexpr std::chrono::milliseconds kHour{3'600'000};
    const auto left =
        until > now ? std::min(std::chrono::ceil<std::chrono::milliseconds>(until - now), kHour)
                    : std::chrono::milliseconds(0);
    pollfd polled{descriptor_.get(), wanted(), 0};
    poll(&polled, 1, static_cast<int>(left.count()));
    return dispatch();
}

void EventClient::send_some() {
    std::size_t sent = 0;
    while (sent < unsent_.size()) {
        const ssize_t size = ::send(descriptor_.get(), unsent_.data() + sent, unsent_.size() - sent,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno != EAGAIN) {
            // The daemon may have said why before it closed: that is still to be read.
            sent = unsent_.size();
        }
        if (size <= 0) {
            break;
        }
        sent += static_cast<std::size_t>(size);
    }
    unsent_.erase(0, sent);
}

void EventClient::read_some() {
    std::array<char, kReadBytes> room;
    for (int reads = 0; reads < kReadsMax; ++reads) {
        const ssize_t size = recv(descriptor_.get(), room.data(), room.size(), MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            return;
        }
        if (size <= 0) {
            end(closed());
            return;
        }
        lines_.append({room.data(), static_cast<std::size_t>(size)});
        while (const auto line = lines_.next_line()) {
            auto document = parse_message(*line);
            if (!document) {
                end(document.error());
                return;
            }
            take(std::move(*document));
        }
        if (lines_.is_too_long()) {
            end(failure(Kind::Protocol, "a line without an end"));
            return;
        }
        if (static_cast<std::size_t>(size) < room.size()) {
            return;
        }
    }
}

void EventClient::take(json::Document document) {
    const json::Value root = document.root();
    if (root["method"].exists()) {
        const Event event(std::move(document));
        const auto name = event.params()["subscription"].as_string().value_or("");
        const auto found = subscriptions_.find(name);
        if (found != subscriptions_.end()) {
            // A copy: the callback may subscribe and unsubscribe.
            const OnEvent on_event = found->second;
            on_event(event);
        }
        return;
    }
    const json::Value id = root["id"];
    if (id.is_null() && root["error"].exists() && !calls_.empty()) {
        // A daemon that could not read a request answers with id null: the first unanswered one.
        answer(calls_.begin()->first, read_reply(std::move(document)));
        return;
    }
    // An answer that came too late is nobody's.
    const std::uint64_t number = id.as_uint().value_or(0);
    answer(number, read_reply(std::move(document)));
}

void EventClient::answer(std::uint64_t id, tl::expected<Reply, ClientError> reply) {
    auto call = calls_.extract(id);
    if (call.empty()) {
        return;
    }
    deadlines_.erase({call.mapped().deadline, id});
    if (reply && call.mapped().on_event) {
        subscriptions_[std::string(reply->result()["subscription"].as_string().value_or(""))] =
            std::move(call.mapped().on_event);
    }
    if (call.mapped().on_reply) {
        call.mapped().on_reply(std::move(reply));
    }
}

void EventClient::expire() {
    // Calls that the callbacks make are not before the ids known now.
    const std::uint64_t newest = last_id_;
    while (!deadlines_.empty()) {
        const auto [deadline, id] = *deadlines_.begin();
        if (id > newest || (!error_ && deadline > steady_clock::now())) {
            return;
        }
        const bool was_refused = calls_.at(id).was_refused;
        answer(id, tl::unexpected(error_ ? *error_
                                  : was_refused
                                      ? failure(Kind::Protocol, "too many requests wait to be sent")
                                      : failure(Kind::Timeout, "no answer within the time given")));
    }
}

void EventClient::end(const ClientError& why) {
    error_ = why;
    unsent_.clear();
    subscriptions_.clear();
}

}  // namespace meshd::ipc
