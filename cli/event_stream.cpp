// SPDX-License-Identifier: Apache-2.0
#include "cli/event_stream.h"

#include <chrono>
#include <optional>

#include "cli/interrupt.h"
#include "ipc/client/event_resume.h"

namespace meshd::cli {
namespace {

constexpr std::chrono::milliseconds kReconnectPause{500};

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
    if (!filter.type.empty()) {
        writer.member("type", filter.type);
    }
    if (!filter.topic.empty()) {
        writer.member("topic", filter.topic);
    }
    if (!since.empty()) {
        writer.member("since", since);
    } else if (filter.has_replay) {
        writer.member("replay", true);
    }
    writer.end_object();
    return params;
}

class Stream {
  public:
    Stream(Context& context, const EventFilter& filter)
        : context_(context), filter_(filter), resume_(filter.since) {}

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
            if (!resume_.is_new(*event)) {
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
            client->subscribe(subscribe_params(filter_, resume_.cursor()), context_.deadline());
        if (!reply) {
            return tl::unexpected(reply.error());
        }
        resume_.start_at(reply->result()["cursor"].as_string().value_or(""));
        if (has_connected_) {
            context_.hint("the daemon is back");
        }
        has_connected_ = true;
        return client;
    }

    Context& context_;
    const EventFilter& filter_;
    Interrupt interrupt_;
    ipc::EventResume resume_;
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
        context.hint("the daemon closed the connection; waiting until it is back");
    }
}

}  // namespace meshd::cli
