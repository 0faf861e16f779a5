// SPDX-License-Identifier: Apache-2.0
#include "cli/event_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <deque>
#include <optional>
#include <set>

namespace meshd::cli {
namespace {

constexpr std::chrono::milliseconds kReconnectPause{500};

/// The daemon holds as many past events.
constexpr std::size_t kAlertsRemembered = 4096;

int signal_pipe_end = -1;

/// Makes SIGINT and SIGTERM a readable descriptor. A second signal kills, as it would without this.
class Interrupt {
  public:
    Interrupt() {
        std::array<int, 2> ends{-1, -1};
        if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
            return;
        }
        read_end_ = ipc::Descriptor(ends[0]);
        write_end_ = ipc::Descriptor(ends[1]);
        signal_pipe_end = ends[1];
        struct sigaction action {};
        action.sa_handler = [](int) {
            const char byte = 0;
            [[maybe_unused]] const ssize_t written = write(signal_pipe_end, &byte, 1);
        };
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(SIGINT, &action, nullptr);
        sigaction(SIGTERM, &action, nullptr);
    }
    int descriptor() const { return read_end_.get(); }
    /// True where a signal came within the time.
    bool wait(std::chrono::milliseconds time) const {
        pollfd polled{read_end_.get(), POLLIN, 0};
        return poll(&polled, 1, static_cast<int>(time.count())) > 0;
    }

  private:
    ipc::Descriptor read_end_;
    ipc::Descriptor write_end_;
};

std::string subscribe_params(const EventFilter& filter, const std::string& since) {
    std::string params;
    json::Writer writer(params);
    writer.begin_object();
    if (!filter.kinds.empty()) {
        writer.key("kinds").begin_array();
        for (const std::string& kind : filter.kinds) {
            writer.string(kind);
        }
        writer.end_array();
    }
    if (!filter.priority.empty()) {
        writer.member("priority", filter.priority);
    }
    if (!since.empty()) {
        writer.member("since", since);
    }
    writer.end_object();
    return params;
}

std::uint64_t cursor_number(std::string_view cursor) {
    std::uint64_t number = 0;
    std::from_chars(cursor.data(), cursor.data() + cursor.size(), number);
    return number;
}

class Stream {
  public:
    Stream(Context& context, const EventFilter& filter) : context_(context), filter_(filter) {}

    /// Connects, at the second time and later until it succeeds.
    tl::expected<ipc::Client, ipc::ClientError> open() {
        while (true) {
            auto client = try_open();
            if (client || !has_connected_ ||
                client.error().kind == ipc::ClientError::Kind::Interrupted ||
                client.error().kind == ipc::ClientError::Kind::Remote) {
                return client;
            }
            if (interrupt_.wait(kReconnectPause)) {
                client.error().kind = ipc::ClientError::Kind::Interrupted;
                return client;
            }
        }
    }

    /// Hands over events until one of the ends; nothing where the handler wants no more.
    std::optional<ipc::ClientError> drain(ipc::Client& client,
                                          const std::function<bool(const ipc::Event&)>& on_event) {
        while (true) {
            const auto event = client.next_event(std::nullopt);
            if (!event) {
                return event.error();
            }
            if (is_repeat(*event)) {
                continue;
            }
            if (!on_event(*event)) {
                return std::nullopt;
            }
        }
    }

  private:
    tl::expected<ipc::Client, ipc::ClientError> try_open() {
        auto client = context_.connect();
        if (!client) {
            return client;
        }
        client->set_interrupt(interrupt_.descriptor());
        const auto reply =
            client->subscribe(subscribe_params(filter_, since_), context_.deadline());
        if (!reply) {
            return tl::unexpected(reply.error());
        }
        if (since_.empty()) {
            since_ = reply->result()["cursor"].as_string().value_or("");
        }
        if (has_connected_) {
            Context::say("the daemon is back");
        }
        has_connected_ = true;
        return client;
    }

    /// After a reconnection delivery is at least once, and a daemon that has started anew tells
    /// alerts again under a new cursor. A gap is told with any cursor.
    bool is_repeat(const ipc::Event& event) {
        if (event.kind() == "lagged") {
            return false;
        }
        if (!event.cursor().empty()) {
            if (!since_.empty() && cursor_number(event.cursor()) <= cursor_number(since_)) {
                return true;
            }
            since_ = event.cursor();
        }
        return event.kind() == "alert" && !remember(event.data()["id"].as_string().value_or(""));
    }

    /// False where the alert is among the last ones already.
    bool remember(std::string_view id) {
        if (!alerts_.emplace(id).second) {
            return false;
        }
        alerts_by_age_.emplace_back(id);
        if (alerts_by_age_.size() > kAlertsRemembered) {
            alerts_.erase(alerts_by_age_.front());
            alerts_by_age_.pop_front();
        }
        return true;
    }

    Context& context_;
    const EventFilter& filter_;
    Interrupt interrupt_;
    std::string since_;
    std::set<std::string, std::less<>> alerts_;
    std::deque<std::string> alerts_by_age_;
    bool has_connected_ = false;
};

}  // namespace

ExitCode stream_events(
    Context& context, const EventFilter& filter,
    const std::function<tl::expected<void, ipc::ClientError>(ipc::Client&)>& on_start,
    const std::function<bool(const ipc::Event&)>& on_event) {
    Stream stream(context, filter);
    for (bool is_first = true;; is_first = false) {
        auto client = stream.open();
        if (!client) {
            return client.error().kind == ipc::ClientError::Kind::Interrupted
                       ? ExitCode::Ok
                       : Context::fail(client.error());
        }
        if (is_first) {
            if (const auto started = on_start(*client); !started) {
                return started.error().kind == ipc::ClientError::Kind::Interrupted
                           ? ExitCode::Ok
                           : Context::fail(started.error());
            }
        }
        const auto error = stream.drain(*client, on_event);
        if (!error || error->kind == ipc::ClientError::Kind::Interrupted) {
            return ExitCode::Ok;
        }
        if (error->kind != ipc::ClientError::Kind::Closed) {
            return Context::fail(*error);
        }
        Context::say("the daemon closed the connection; waiting until it is back");
    }
}

}  // namespace meshd::cli
