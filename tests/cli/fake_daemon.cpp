// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/fake_daemon.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "proto/base/json.h"

namespace meshd::cli {
namespace {

/// Above anything a test sends.
constexpr json::Limits kRequestLimits{std::size_t{64} << 20, 64, std::size_t{1} << 18};

}  // namespace

std::optional<std::string> Connection::read_line() {
    while (true) {
        const std::size_t end = unread_.find('\n');
        if (end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        std::array<char, 4096> piece{};
        const ssize_t got = recv(descriptor_.get(), piece.data(), piece.size(), 0);
        if (got <= 0) {
            return std::nullopt;
        }
        unread_.append(piece.data(), static_cast<std::size_t>(got));
    }
}

void Connection::write(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t sent = send(descriptor_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::string Connection::answer(std::string_view member) {
    const std::string line = read_line().value_or("{}");
    const auto request = json::Document::parse(line, kRequestLimits);
    const std::string id = request ? request->root()["id"].print() : "null";
    write(R"({"jsonrpc":"2.0","id":)" + id + "," + std::string(member) + "}\n");
    return line;
}

void Connection::wait_for_end() {
    while (read_line()) {
    }
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "meshctl-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

FakeDaemon::FakeDaemon(std::vector<Session> sessions)
    : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), stop_(eventfd(0, EFD_CLOEXEC)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path().size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path().data(), path().size());
    REQUIRE(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    REQUIRE(listen(listener_.get(), 8) == 0);
    thread_ = std::thread([this, sessions = std::move(sessions)] { play(sessions); });
}

FakeDaemon::~FakeDaemon() {
    eventfd_write(stop_.get(), 1);
    thread_.join();
}

void FakeDaemon::play(const std::vector<Session>& sessions) const {
    for (const Session& session : sessions) {
        std::array<pollfd, 2> polled{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
        if (poll(polled.data(), polled.size(), -1) <= 0 || polled[1].revents != 0) {
            return;
        }
        Connection connection(
            ipc::Descriptor(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
        session(connection);
    }
}

Session responder(std::function<std::string(std::string_view, const std::string&)> respond) {
    return [respond = std::move(respond)](Connection& connection) {
        while (const auto line = connection.read_line()) {
            const auto request = json::Document::parse(*line, kRequestLimits);
            if (!request) {
                return;
            }
            const json::Value root = request->root();
            connection.write(
                R"({"jsonrpc":"2.0","id":)" + root["id"].print() + "," +
                respond(root["method"].as_string().value_or(""), root["params"].print()) + "}\n");
        }
    };
}

std::pair<ipc::Descriptor, ipc::Descriptor> socket_pair() {
    std::array<int, 2> ends{-1, -1};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    return {ipc::Descriptor(ends[0]), ipc::Descriptor(ends[1])};
}

}  // namespace meshd::cli
