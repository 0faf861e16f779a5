// SPDX-License-Identifier: Apache-2.0
#include "daemon/ipc_server.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "daemon/ipc_peer.h"
#include "daemon/ipc_socket.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;

namespace {

using ClientId = IpcServer::ClientId;

/// A connection made by hand; reads and writes never wait.
class Connection {
  public:
    explicit Connection(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        is_connected_ =
            connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { close(fd_); }

    bool is_connected() const { return is_connected_; }
    /// Bytes the kernel took.
    std::size_t write(std::string_view bytes) {
        const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return size > 0 ? static_cast<std::size_t>(size) : 0;
    }
    std::string read() {
        std::string bytes(1 << 20, '\0');
        const ssize_t size = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
        has_ended_ = size == 0 || (size < 0 && errno != EAGAIN);
        bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return bytes;
    }
    bool has_ended() {
        read();
        return has_ended_;
    }
    void end_writing() { shutdown(fd_, SHUT_WR); }

  private:
    int fd_;
    bool is_connected_ = false;
    bool has_ended_ = false;
};

/// A server that notes what it hears and echoes lines on demand.
class Bench {
  public:
    Bench() {
        signal(SIGPIPE, SIG_IGN);
        uv_loop_init(&loop_);
        server = open(path());
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        server.reset();
        uv_run(&loop_, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop_) == 0);
    }

    std::string path() const { return (dir.path() / "m.sock").string(); }
    std::unique_ptr<IpcServer> open(const std::string& at) {
        IpcServer::Callbacks callbacks;
        callbacks.on_line = [this](ClientId client, std::string_view line) {
            lines.emplace_back(line);
            last_client = client;
            if (is_echoing) {
                server->send(client, std::string(line) + padding + "\n", false);
            }
        };
        callbacks.on_line_too_long = [this](ClientId client) {
            server->send(client, "too long\n", false);
        };
        callbacks.on_client_gone = [this](ClientId client) { gone.insert(client); };
        callbacks.on_client_writable = [this](ClientId client) { writable.insert(client); };
        callbacks.is_waiting = [this](ClientId) { return is_waiting; };
        auto opened = IpcServer::open(&loop_, at, std::move(callbacks));
        error = opened ? "" : opened.error();
        return opened ? std::move(*opened) : nullptr;
    }
    /// Turns of the loop, without waiting; everything local is done after a few.
    void turn(int turns = 8) {
        for (int i = 0; i < turns; ++i) {
            uv_run(&loop_, UV_RUN_NOWAIT);
        }
    }

    TemporaryDir dir;
    std::unique_ptr<IpcServer> server;
    std::string error;
    std::vector<std::string> lines;
    std::set<ClientId> gone;
    std::set<ClientId> writable;
    ClientId last_client = 0;
    bool is_echoing = true;
    std::string padding;  ///< makes replies longer than requests
    bool is_waiting = false;

  private:
    uv_loop_t loop_{};
};

}  // namespace

TEST_CASE("ipc server: lines arrive whole however they are cut, and replies go back") {
    Bench bench;
    Connection client(bench.path());
    client.write("on");
    bench.turn();
    CHECK(bench.lines.empty());
    client.write("e\ntwo\nthr");
    bench.turn();
    CHECK(bench.lines == std::vector<std::string>{"one", "two"});
    CHECK(client.read() == "one\ntwo\n");
}

TEST_CASE("ipc server: the socket is for its user alone where there is no group meshd") {
    Bench bench;
    struct stat info {};
    REQUIRE(stat(bench.path().c_str(), &info) == 0);
    if (bench.server->access_text() == "0600") {
        CHECK((info.st_mode & 0777) == 0600);
    } else {
        CHECK((info.st_mode & 0777) == 0660);
    }
}

TEST_CASE("ipc server: a client that ends its side still gets its replies, then is closed") {
    Bench bench;
    Connection client(bench.path());
    client.write("one\n");
    client.end_writing();
    bench.turn();
    CHECK(client.read() == "one\n");
    CHECK(client.has_ended());
    CHECK(bench.gone.size() == 1);
}

TEST_CASE("ipc server: a client that ends its side is kept while something is due to it") {
    Bench bench;
    bench.is_waiting = true;
    bench.is_echoing = false;
    Connection client(bench.path());
    client.write("wait\n");
    client.end_writing();
    bench.turn();
    CHECK_FALSE(client.has_ended());
    CHECK(bench.server->send(bench.last_client, "late\n", false));
    bench.is_waiting = false;
    bench.turn();
    CHECK(client.read() == "late\n");
    CHECK(client.has_ended());
}

TEST_CASE("ipc server: a client that dies is forgotten and harms no other") {
    Bench bench;
    Connection other(bench.path());
    {
        Connection dying(bench.path());
        dying.write("half a li");
        bench.turn();
    }
    bench.turn();
    CHECK(bench.gone.size() == 1);
    CHECK_FALSE(bench.server->send(*bench.gone.begin(), "x\n", false));
    other.write("still here\n");
    bench.turn();
    CHECK(other.read() == "still here\n");
}

TEST_CASE("ipc server: a line beyond the limit is answered and the client closed") {
    Bench bench;
    Connection client(bench.path());
    const std::string bytes(64 * 1024, 'x');
    for (std::size_t sent = 0; sent <= (1 << 20);) {
        const std::size_t taken = client.write(bytes);
        sent += taken;
        bench.turn(1);
        if (taken == 0 && client.has_ended()) {
            break;
        }
    }
    bench.turn();
    CHECK(bench.lines.empty());
    CHECK(bench.gone.size() == 1);
}

TEST_CASE("ipc server: events for a slow client are refused beyond the limit, then it is told") {
    Bench bench;
    Connection client(bench.path());
    client.write("hello\n");
    bench.turn();
    const std::string event(256 * 1024, 'e');
    std::size_t taken = 0;
    while (bench.server->send(bench.last_client, event, true)) {
        ++taken;
    }
    CHECK(taken == IpcServer::kEventBytesMax / event.size());
    CHECK(bench.server->send(bench.last_client, "reply\n", false));
    std::string got;
    for (int i = 0; i < 1000 && bench.writable.empty(); ++i) {
        bench.turn(1);
        got += client.read();
    }
    CHECK(bench.writable.count(bench.last_client) == 1);
    CHECK(bench.server->send(bench.last_client, event, true));
}

TEST_CASE("ipc server: a client that takes no replies is closed before memory grows") {
    Bench bench;
    Connection client(bench.path());
    client.write("hello\n");
    bench.turn();
    const std::string reply(1 << 20, 'r');
    std::size_t taken = 0;
    while (taken < 100 && bench.server->send(bench.last_client, reply, false)) {
        ++taken;
    }
    CHECK(taken == IpcServer::kReplyBytesMax / reply.size());
    bench.turn();
    CHECK(bench.gone.count(bench.last_client) == 1);
}

TEST_CASE("ipc server: nothing is read from a client that does not take its replies") {
    Bench bench;
    Connection client(bench.path());
    const std::string line = std::string(32 * 1024 - 1, 'x') + "\n";
    std::size_t accepted = 0;
    for (int i = 0; i < 2000; ++i) {
        accepted += client.write(line);
        bench.turn(1);
    }
    CHECK(accepted < 2 * IpcServer::kEventBytesMax);
    CHECK(bench.gone.empty());
    std::size_t got = 0;
    for (int i = 0; i < 2000 && got < accepted / line.size() * line.size(); ++i) {
        bench.turn(1);
        got += client.read().size();
    }
    CHECK(got >= accepted / line.size() * line.size());
}

TEST_CASE("ipc server: requests sent ahead wait while the replies before them are large") {
    Bench bench;
    bench.padding.assign(std::size_t{16} << 20, 'p');
    Connection client(bench.path());
    client.write("a\nb\nc\nd\n");
    bench.turn();
    CHECK(bench.lines.size() == 1);
    std::size_t got = 0;
    const std::size_t expected = 4 * (bench.padding.size() + 2);
    for (int i = 0; i < 10000 && got < expected; ++i) {
        bench.turn(1);
        got += client.read().size();
    }
    CHECK(got == expected);
    CHECK(bench.lines == std::vector<std::string>{"a", "b", "c", "d"});
    CHECK(bench.gone.empty());
    client.write("e\n");
    bench.turn();
    CHECK(bench.lines.size() == 5);
}

TEST_CASE("ipc server: one user's connections end at a limit with a reason") {
    Bench bench;
    rlimit limit{};
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 2 * IpcServer::kClientsPerUserMax + 64) {
        MESSAGE("skipped: this process may open too few files");
        return;
    }
    std::vector<std::unique_ptr<Connection>> connections;
    for (std::size_t i = 0; i < IpcServer::kClientsPerUserMax; ++i) {
        connections.push_back(std::make_unique<Connection>(bench.path()));
        bench.turn(2);
    }
    Connection one_more(bench.path());
    bench.turn();
    CHECK(one_more.read().find("\"code\":900") != std::string::npos);
    CHECK(one_more.has_ended());
    connections.pop_back();
    bench.turn();
    Connection again(bench.path());
    again.write("x\n");
    bench.turn();
    CHECK(again.read() == "x\n");
}

TEST_CASE("ipc server: a client that sends thousands of lines ahead leaves others their turn") {
    Bench bench;
    bench.is_echoing = false;
    Connection greedy(bench.path());
    Connection modest(bench.path());
    bench.turn();
    std::string lines;
    for (int i = 0; i < 10'000; ++i) {
        lines += "more\n";
    }
    greedy.write(lines);
    modest.write("one\n");
    for (int i = 0; i < 1000 && bench.lines.size() <= 10'000; ++i) {
        bench.turn(1);
    }
    CHECK(bench.lines.size() == 10'001);
    const auto at = std::find(bench.lines.begin(), bench.lines.end(), "one");
    CHECK(at - bench.lines.begin() <= static_cast<std::ptrdiff_t>(IpcServer::kLinesPerTurnMax));
}

TEST_CASE("ipc server: half lines of one user are bounded, the greediest connection is closed") {
    Bench bench;
    Connection modest(bench.path());
    modest.write("half");
    const std::string part(64 * 1024, 'x');
    std::vector<std::unique_ptr<Connection>> greedy;
    const std::size_t enough = IpcServer::kBytesPerUserMax / (1 << 20) + 4;
    while (greedy.size() < enough && bench.gone.empty()) {
        greedy.push_back(std::make_unique<Connection>(bench.path()));
        for (std::size_t sent = 0; sent < (1 << 20) - part.size();) {
            sent += greedy.back()->write(std::string_view(part).substr(0, 60'000));
            bench.turn(2);
        }
    }
    CHECK_FALSE(bench.gone.empty());
    CHECK(bench.gone.size() < 4);
    CHECK(bench.server->counters()[1] ==
          std::pair<std::string_view, std::uint64_t>("api_clients_closed", bench.gone.size()));
    modest.write(" and half\n");
    bench.turn();
    CHECK(bench.lines == std::vector<std::string>{"half and half"});
    CHECK(modest.read() == "half and half\n");
}

TEST_CASE("ipc server: a user's slow subscribers leave events to one that reads") {
    Bench bench;
    bench.is_echoing = false;
    std::vector<std::unique_ptr<Connection>> slow;
    std::vector<ClientId> clients;
    const std::string event(32 * 1024, 'e');
    std::size_t held = 0;
    for (int i = 0; i < 20; ++i) {
        slow.push_back(std::make_unique<Connection>(bench.path()));
        slow.back()->write("hello\n");
        bench.turn();
        while (bench.server->send(bench.last_client, event, true)) {
            held += event.size();
        }
    }
    CHECK(held < IpcServer::kBytesPerUserMax);
    CHECK(bench.gone.empty());
    Connection reader(bench.path());
    reader.write("hello\n");
    bench.turn();
    for (int i = 0; i < 10; ++i) {
        CHECK(bench.server->send(bench.last_client, event, true));
        bench.turn();
        CHECK(reader.read().size() == event.size());
    }
}

TEST_CASE("ipc server: a path where another server answers is refused") {
    Bench bench;
    CHECK_FALSE(bench.open(bench.path()));
    CHECK(bench.error.find(bench.path()) != std::string::npos);
    CHECK(bench.error.find("--socket") != std::string::npos);
    Connection client(bench.path());
    CHECK(client.is_connected());
}

TEST_CASE(
    "ipc server: a path is taken from when it is bound, not from the first turn of its loop") {
    const TemporaryDir dir;
    const std::string path = (dir.path() / "meshd.sock").string();
    const auto first = bind_ipc_socket(path);
    REQUIRE(first);
    const auto second = bind_ipc_socket(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().find("answers there") != std::string::npos);
    close(first->fd);
}

TEST_CASE("ipc server: a socket file left by a killed daemon is replaced, other files are not") {
    Bench bench;
    const std::string stale = (bench.dir.path() / "stale.sock").string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, stale.data(), stale.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    close(fd);
    CHECK(bench.open(stale));

    const auto file = bench.dir.write("file", "precious");
    CHECK_FALSE(bench.open(file.string()));
    CHECK(std::filesystem::file_size(file) == 8);
    CHECK_FALSE(bench.open((bench.dir.path() / std::string(120, 'x')).string()));
    CHECK_FALSE(bench.open((bench.dir.path() / "no" / "dir.sock").string()));
}

TEST_CASE("ipc server: the socket file goes with the server, unless it is another's by now") {
    Bench bench;
    const std::string path = (bench.dir.path() / "other.sock").string();
    auto first = bench.open(path);
    REQUIRE(first);
    first.reset();
    CHECK_FALSE(std::filesystem::exists(path));

    first = bench.open(path);
    std::filesystem::remove(path);
    const auto second = bench.open(path);
    REQUIRE(second);
    first.reset();
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("ipc server: admins are root, the own user and members of the group, where it exists") {
    const IpcPeer other{1000, {1000, 27}};
    CHECK_FALSE(is_admin_peer(other, 990, std::nullopt));
    CHECK_FALSE(is_admin_peer(other, 990, gid_t{999}));
    CHECK(is_admin_peer(other, 990, gid_t{27}));
    CHECK(is_admin_peer(other, 990, gid_t{1000}));
    CHECK(is_admin_peer(other, 1000, std::nullopt));
    CHECK(is_admin_peer({0, {}}, 990, std::nullopt));
}

TEST_CASE("ipc server: a client of the own user is an admin, one that is gone is not") {
    Bench bench;
    {
        Connection client(bench.path());
        client.write("one\n");
        bench.turn();
        CHECK(bench.server->is_admin(bench.last_client));
    }
    bench.turn();
    CHECK_FALSE(bench.server->is_admin(bench.last_client));
}

TEST_CASE("ipc server: the kernel says who is at the other end") {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const auto peer = read_ipc_peer(ends[0]);
    close(ends[0]);
    close(ends[1]);
    REQUIRE(peer);
    CHECK(peer->uid == getuid());
    CHECK(std::count(peer->groups.begin(), peer->groups.end(), getgid()) >= 1);
    CHECK_FALSE(read_ipc_peer(-1));
}
