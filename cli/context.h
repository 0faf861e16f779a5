// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "cli/exit_code.h"
#include "cli/format.h"
#include "ipc/client/client.h"

namespace meshd::cli {

struct Globals {
    std::string socket;
    bool is_json = false;
    bool is_quiet = false;
    std::chrono::milliseconds timeout{5000};
    Style style;
};

/// What a verb works with: the daemon, standard output for data, standard error for words.
class Context {
  public:
    explicit Context(Globals globals) : globals_(std::move(globals)) {}

    const Globals& globals() const { return globals_; }
    bool is_json() const { return globals_.is_json; }
    bool is_quiet() const { return globals_.is_quiet; }
    const Style& style() const { return globals_.style; }
    ipc::Deadline deadline() const { return std::chrono::steady_clock::now() + globals_.timeout; }

    /// Where the daemon is looked for, in this order.
    std::vector<std::string> sockets() const;
    /// A new connection.
    tl::expected<ipc::Client, ipc::ClientError> connect() const;
    /// Calls the daemon, connecting at the first call. The reply may take `extra` longer than the
    /// user's timeout. A failure has been told to the user already.
    tl::expected<ipc::Reply, ExitCode> call(std::string_view method, std::string_view params = "{}",
                                            std::chrono::milliseconds extra = {});
    /// The same, without telling.
    tl::expected<ipc::Reply, ipc::ClientError> try_call(std::string_view method,
                                                        std::string_view params = "{}",
                                                        std::chrono::milliseconds extra = {});

    /// Writes data at once. False after a failure, now or before: then there is no use going on.
    bool write(std::string_view text);
    /// The same as a line.
    bool write_line(std::string text);
    /// Writes a line that only says that it worked; nothing with --quiet.
    bool confirm(std::string text) { return is_quiet() || write_line(std::move(text)); }
    /// A hint on standard error; nothing with --quiet.
    void hint(std::string_view text) const {
        if (!is_quiet()) {
            say(text);
        }
    }
    /// True where output was lost.
    bool has_lost_output() const { return has_lost_output_; }

    /// Says it on standard error, with the program's name before it.
    static void say(std::string_view text);
    /// Says what went wrong.
    static ExitCode fail(const ipc::ClientError& error);
    static ExitCode fail(ExitCode code, std::string_view text);

  private:
    Globals globals_;
    std::optional<ipc::Client> client_;
    bool has_lost_output_ = false;
};

using Render = std::string (*)(const json::Value& result, const Style& style);

/// Calls the method and prints its result: as it is with --json, else rendered. `extra` as of
/// Context::call.
ExitCode show(Context& context, std::string_view method, std::string_view params, Render render,
              std::chrono::milliseconds extra = {});

/// Params made from a command line, or what is wrong with it as a sentence without full stop.
using MadeParams = tl::expected<std::string, std::string>;

/// Calls the method and prints its result: as it is with --json, else by `tell`. Params that could
/// not be made are a usage error.
ExitCode ask(Context& context, std::string_view method, const MadeParams& params,
             const std::function<void(const json::Value& result)>& tell,
             std::chrono::milliseconds extra = {});

/// The same, and gives the reply to a verb that has more to do with it.
tl::expected<ipc::Reply, ExitCode> ask_for(
    Context& context, std::string_view method, const MadeParams& params,
    const std::function<void(const json::Value& result)>& tell,
    std::chrono::milliseconds extra = {});

/// The same for a method whose result only says that it worked: with --quiet it prints nothing.
ExitCode order(Context& context, std::string_view method, const MadeParams& params,
               const std::function<std::string(const json::Value& result)>& words,
               std::chrono::milliseconds extra = {});

}  // namespace meshd::cli
