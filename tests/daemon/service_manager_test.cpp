// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "daemon/start_delay.h"
#include "tests/daemon/temporary_dir.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

/// The socket of a service manager, and what the environment says of it.
struct Listener {
    TemporaryDir dir;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    Listener() {
        const std::string path = (dir.path() / "notify").string();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        setenv("NOTIFY_SOCKET", path.c_str(), 1);
        setenv("WATCHDOG_USEC", "20000000", 1);
        setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
    }
    ~Listener() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
            unsetenv(name);
        }
        close(fd);
    }
    /// The next message; empty where none has come.
    std::string next() const {
        std::array<char, 4096> bytes{};
        const ssize_t size = recv(fd, bytes.data(), bytes.size(), 0);
        return {bytes.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    }
};

/// Already pending when the start begins to wait for it.
struct Pending {
    explicit Pending(int number) {
        sigset_t one;
        sigemptyset(&one);
        sigaddset(&one, number);
        pthread_sigmask(SIG_BLOCK, &one, &before_);
        raise(number);
    }
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    ~Pending() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

StatusView healthy() {
    StatusView status;
    status.nodes_alive = 3;
    status.nodes_known = 4;
    status.peers = 2;
    status.store.records = 120;
    status.security.mode = SecurityMode::Sealed;
    return status;
}

}  // namespace

TEST_CASE("service manager: without one nothing is sent and nothing is watched") {
    ServiceManager manager;
    CHECK_FALSE(manager.is_listening());
    CHECK_FALSE(manager.watchdog());
    manager.tell_ready("x");
    manager.feed_watchdog();
}

TEST_CASE("service manager: it hears of start, feeding and end") {
    const Listener listener;
    ServiceManager manager;
    CHECK(manager.is_listening());
    CHECK(manager.watchdog() == 20s);
    manager.tell_ready("alone");
    CHECK(listener.next() == "READY=1\nSTATUS=alone");
    manager.feed_watchdog();
    CHECK(listener.next() == "WATCHDOG=1");
    manager.tell_stopping("leaving");
    CHECK(listener.next() == "STOPPING=1\nSTATUS=leaving");
}

TEST_CASE("service manager: a start that takes longer asks for the time it needs") {
    const Listener listener;
    ServiceManager().ask_for_start_time(150s);
    CHECK(listener.next() == "EXTEND_TIMEOUT_USEC=150000000");
}

TEST_CASE("service manager: a start that waits has its whole time behind the delay") {
    const Listener listener;
    const TemporaryDir runtime;
    setenv("RUNTIME_DIRECTORY", runtime.path().c_str(), 1);
    runtime.write("starts", "9 4000000000");
    const Pending ended(SIGTERM);
    CHECK_FALSE(ServiceStart().wait());
    unsetenv("RUNTIME_DIRECTORY");
    CHECK(listener.next().starts_with("STATUS=the last starts failed"));
    CHECK(listener.next() == "EXTEND_TIMEOUT_USEC=150000000");
}

TEST_CASE("service manager: a status is told when it changes") {
    const Listener listener;
    ServiceManager manager;
    manager.tell_ready("alone");
    CHECK(!listener.next().empty());
    manager.show_status("alone");
    CHECK(listener.next().empty());
    manager.show_status("two");
    CHECK(listener.next() == "STATUS=two");
    CHECK(listener.next().empty());
}

TEST_CASE("service manager: a reload is told with its monotonic time, and its end") {
    const Listener listener;
    ServiceManager manager;
    manager.tell_reload(true);
    const std::string begin = "RELOADING=1\nMONOTONIC_USEC=";
    const std::string told = listener.next();
    REQUIRE(told.starts_with(begin));
    CHECK(std::stoll(told.substr(begin.size())) > 0);
    manager.tell_reload(false);
    CHECK(listener.next() == "READY=1");
}

TEST_CASE("service manager: a watchdog for another process is not ours to feed") {
    const Listener listener;
    setenv("WATCHDOG_PID", "1", 1);
    CHECK_FALSE(ServiceManager().watchdog());
}

TEST_CASE("service status: counts, and what is out of the ordinary first") {
    StatusView status = healthy();
    CHECK(service_status(status) == "3 of 4 nodes alive, 2 links, 120 records, sealed");
    status.isolated_for = 3s;
    status.peers = 1;
    CHECK(service_status(status) == "cut off, 3 of 4 nodes alive, 1 link, 120 records, sealed");
    status.has_left = true;
    CHECK(service_status(status).starts_with("has left the mesh"));
}

TEST_CASE("service status: a node without a key says which command gives one") {
    StatusView status = healthy();
    status.security.is_silent = true;
    CHECK(service_status(status).find("waiting for a mesh key: run 'meshctl key new'") == 0);
    CHECK(service_status(status).find("'meshctl key join'") != std::string::npos);
}

TEST_CASE("watchdog: a core that is left waiting at its deadline is stuck") {
    const TimePoint now{100s};
    CHECK_FALSE(is_core_stuck(now, std::nullopt, 1s));
    CHECK_FALSE(is_core_stuck(now, now + 60s, 1s));
    CHECK_FALSE(is_core_stuck(now, now - 1s, 1s));
    CHECK(is_core_stuck(now, now - 1001ms, 1s));
}
