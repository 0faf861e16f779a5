// SPDX-License-Identifier: Apache-2.0
#include "cli/context.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/failure.h"
#include "ipc/client/socket_path.h"

namespace meshd::cli {
namespace {

/// 0, or the errno that ended it.
int write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            // Somebody else made the terminal non-blocking.
            pollfd polled{descriptor, POLLOUT, 0};
            poll(&polled, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

}  // namespace

std::vector<std::string> Context::sockets() const {
    return ipc::socket_candidates(ipc::socket_choice_from_environment(globals_.socket));
}

tl::expected<ipc::Client, ipc::ClientError> Context::connect() const {
    return ipc::Client::connect(sockets(), deadline());
}

tl::expected<ipc::Reply, ipc::ClientError> Context::try_call(std::string_view method,
                                                             std::string_view params,
                                                             std::chrono::milliseconds extra) {
    if (!client_) {
        auto client = connect();
        if (!client) {
            return tl::unexpected(std::move(client.error()));
        }
        client_.emplace(std::move(*client));
    }
    return client_->call(method, params, deadline() + extra);
}

tl::expected<ipc::Reply, ExitCode> Context::call(std::string_view method, std::string_view params,
                                                 std::chrono::milliseconds extra) {
    auto reply = try_call(method, params, extra);
    if (!reply) {
        return tl::unexpected(fail(reply.error()));
    }
    return std::move(*reply);
}

bool Context::write(std::string_view text) {
    if (has_lost_output_) {
        return false;
    }
    const int error = write_all(STDOUT_FILENO, text);
    if (error == 0) {
        return true;
    }
    has_lost_output_ = true;
    // Whoever closed the pipe, as `head` does, knows.
    if (error != EPIPE) {
        say("cannot write to standard output: " + std::string(std::strerror(error)));
    }
    return false;
}

bool Context::write_line(std::string text) {
    text.push_back('\n');
    return write(text);
}

void Context::say(std::string_view text) {
    write_all(STDERR_FILENO, "meshctl: " + std::string(text) + "\n");
}

ExitCode Context::fail(const ipc::ClientError& error) {
    const Failure failure = explain(error);
    return fail(failure.code, failure.text);
}

ExitCode Context::fail(ExitCode code, std::string_view text) {
    say(text);
    return code;
}

ExitCode show(Context& context, std::string_view method, std::string_view params, Render render,
              std::chrono::milliseconds extra) {
    return ask(
        context, method, std::string(params),
        [&](const json::Value& result) { context.write(render(result, context.style())); }, extra);
}

ExitCode ask(Context& context, std::string_view method, const MadeParams& params,
             const std::function<void(const json::Value& result)>& tell,
             std::chrono::milliseconds extra) {
    const auto reply = ask_for(context, method, params, tell, extra);
    return reply ? ExitCode::Ok : reply.error();
}

tl::expected<ipc::Reply, ExitCode> ask_for(
    Context& context, std::string_view method, const MadeParams& params,
    const std::function<void(const json::Value& result)>& tell, std::chrono::milliseconds extra) {
    if (!params) {
        return tl::unexpected(Context::fail(ExitCode::Usage, params.error()));
    }
    auto reply = context.call(method, *params, extra);
    if (!reply) {
        return reply;
    }
    const json::Value result = reply->result();
    if (context.is_json()) {
        context.write_line(result.print());
    } else {
        tell(result);
    }
    return reply;
}

ExitCode order(Context& context, std::string_view method, const MadeParams& params,
               const std::function<std::string(const json::Value& result)>& words,
               std::chrono::milliseconds extra) {
    return ask(
        context, method, params, [&](const json::Value& result) { context.confirm(words(result)); },
        extra);
}

}  // namespace meshd::cli
