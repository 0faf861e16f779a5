// SPDX-License-Identifier: Apache-2.0
/// \file
/// Stand-ins for the daemon: a thread behind a Unix socket that plays a script.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ipc/client/descriptor.h"

namespace meshd::cli {

/// The daemon's end of one connection.
class Connection {
  public:
    explicit Connection(ipc::Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    /// The next request line without newline; nothing once the client has gone.
    std::optional<std::string> read_line();
    void write(std::string_view text) const;
    /// Reads one request and answers it with `member`: `"result":…` or `"error":…`.
    /// Returns the request.
    std::string answer(std::string_view member);
    /// Blocks until the client closes.
    void wait_for_end();

  private:
    ipc::Descriptor descriptor_;
    std::string unread_;
};

using Session = std::function<void(Connection&)>;

/// A directory of its own, removed at the end.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// Listens at path() and plays `sessions` one after the other, one connection each.
class FakeDaemon {
  public:
    explicit FakeDaemon(std::vector<Session> sessions);
    ~FakeDaemon();
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;

    std::string path() const { return directory_.path() + "/meshd.sock"; }

  private:
    void play(const std::vector<Session>& sessions) const;

    TemporaryDirectory directory_;
    ipc::Descriptor listener_;
    ipc::Descriptor stop_;
    std::thread thread_;
};

/// Answers each request by `respond(method, params text)` → member, as Connection::answer.
Session responder(std::function<std::string(std::string_view, const std::string&)> respond);

/// Two connected sockets; the second is the daemon's.
std::pair<ipc::Descriptor, ipc::Descriptor> socket_pair();

}  // namespace meshd::cli
