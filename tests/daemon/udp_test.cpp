// SPDX-License-Identifier: Apache-2.0
#include "daemon/udp.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "daemon/name_lookup.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

/// A loop that gives up after some seconds.
struct Loop {
    Loop() {
        REQUIRE(uv_loop_init(&loop) == 0);
        uv_timer_init(&loop, &deadline);
    }
    ~Loop() {
        uv_close(reinterpret_cast<uv_handle_t*>(&deadline), nullptr);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
    }
    bool run_until(const std::function<bool()>& is_done) {
        uv_timer_start(
            &deadline, [](uv_timer_t*) {}, 8000, 0);
        while (!is_done() && uv_is_active(reinterpret_cast<uv_handle_t*>(&deadline)) != 0) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        uv_timer_stop(&deadline);
        return is_done();
    }
    uv_loop_t loop{};
    uv_timer_t deadline{};
};

std::vector<LocalInterface> loopback() {
    LocalInterface lo;
    lo.name = "lo";
    lo.index = 1;
    lo.address = {127, 0, 0, 1};
    lo.netmask = {255, 0, 0, 0};
    lo.broadcast = Ipv4{127, 255, 255, 255};
    lo.is_loopback = true;
    lo.is_up = true;
    return {lo};
}

/// Far from the ports that daemons and other tests of this machine use.
std::uint16_t test_port() {
    return static_cast<std::uint16_t>(20'000 + getpid() % 8'000 * 4);
}

std::uint64_t counter(const Udp& udp, std::string_view wanted) {
    for (const auto& [name, value] : udp.counters()) {
        if (name == wanted) {
            return value;
        }
    }
    return 0;
}

struct Speaker {
    Speaker(Loop& loop, std::uint16_t port)
        : udp(
              &loop.loop, port, 10min,
              [this](const Endpoint&, Bytes datagram) {
                  ++heard;
                  kinds.push_back(datagram[1]);
              },
              [] {}) {}
    void beacon() {
        udp.queue({Endpoint{{}, 0, 1}, true, outside(limits::kHelloBytes)});
        udp.flush();
    }
    static Buffer outside(std::size_t bytes) {
        Buffer datagram(bytes);
        datagram[0] = limits::kVersionMax;
        datagram[1] = 1;
        return datagram;
    }
    static Buffer in_session(std::uint8_t session) {
        Buffer datagram(100);
        datagram[0] = limits::kVersionMax;
        datagram[1] = 2;
        datagram[7] = session;
        return datagram;
    }
    std::size_t heard = 0;
    std::vector<std::uint8_t> kinds;  ///< of what was heard
    Udp udp;
};

/// Somebody else's socket on this machine.
struct OtherProgram {
    explicit OtherProgram(const Endpoint& to)
        : fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
          address(ipv4_address({127, 0, 0, 1}, to.port)) {}
    OtherProgram(const OtherProgram&) = delete;
    OtherProgram& operator=(const OtherProgram&) = delete;
    ~OtherProgram() { close(fd); }
    void send(const Buffer& datagram) const {
        sendto(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&address),
               sizeof address);
    }
    int fd;
    sockaddr_in address;
};

bool can_bind(std::uint16_t port, int option) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    if (option != 0) {
        setsockopt(fd, SOL_SOCKET, option, &one, sizeof one);
    }
    const sockaddr_in local = ipv4_address({127, 0, 0, 1}, port);
    const bool is_bound = bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0;
    close(fd);
    return is_bound;
}

}  // namespace

TEST_CASE("udp: a beacon is heard by its sender and by others, and counted apart") {
    Loop loop;
    Speaker one(loop, test_port());
    Speaker two(loop, test_port());
    CHECK(one.udp.update(TimePoint(1s), loopback()));
    CHECK(two.udp.update(TimePoint(1s), loopback()));
    REQUIRE(one.udp.addresses().size() == 1);
    CHECK(one.udp.addresses() != two.udp.addresses());
    CHECK_FALSE(one.udp.update(TimePoint(2s), loopback()));
    one.beacon();
    CHECK(loop.run_until([&] { return one.heard == 1 && two.heard == 1; }));
    CHECK(counter(one.udp, "udp_beacons_own") == 1);
    CHECK(counter(one.udp, "udp_beacons_broadcast") == 0);
    CHECK(counter(two.udp, "udp_beacons_own") == 0);
    CHECK(counter(two.udp, "udp_beacons_broadcast") == 1);
}

TEST_CASE("udp: an interface that goes closes its socket, and one that comes opens it") {
    Loop loop;
    Speaker one(loop, test_port());
    CHECK_FALSE(one.udp.update(TimePoint(1s), {}));
    CHECK(one.udp.describe() == "no interface");
    one.beacon();
    CHECK(counter(one.udp, "udp_sent_without_socket") == 1);
    CHECK(one.udp.update(TimePoint(2s), loopback()));
    auto moved = loopback();
    moved[0].address = {127, 0, 0, 2};
    CHECK(one.udp.update(TimePoint(3s), moved));
    CHECK(one.udp.addresses().at(0).same_address(ipv4_endpoint({127, 0, 0, 2}, test_port())));
    CHECK(one.udp.update(TimePoint(4s), {}));
    CHECK(one.udp.addresses().empty());
}

TEST_CASE("udp: a foreign program on the port is told, and no trouble once it is gone") {
    Loop loop;
    const int foreign = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in any = ipv4_address({0, 0, 0, 0}, test_port());
    REQUIRE(bind(foreign, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    Speaker one(loop, test_port());
    CHECK(one.udp.update(TimePoint(10s), loopback()));
    // Links still work, from one of the next ports.
    CHECK(one.udp.addresses().at(0).port > test_port());
    REQUIRE(one.udp.troubles().size() == 1);
    CHECK(one.udp.troubles()[0].find("held by another program") != std::string::npos);
    close(foreign);
    one.udp.update(TimePoint(12s), loopback());
    CHECK(one.udp.troubles().size() == 1);
    one.udp.update(TimePoint(15s), loopback());
    CHECK(one.udp.troubles().empty());
    one.beacon();
    CHECK(loop.run_until([&] { return one.heard == 1; }));
}

TEST_CASE("udp: a flood of strangers keeps no datagram of a session waiting or away") {
    Loop loop;
    Speaker one(loop, test_port());
    one.udp.update(TimePoint(1s), loopback());
    REQUIRE(counter(one.udp, "udp_unsplit") == 0);
    const OtherProgram stranger(one.udp.addresses().at(0));
    // Far more than the strangers' socket holds; nothing reads meanwhile.
    for (int i = 0; i < 5000; ++i) {
        stranger.send(Speaker::outside(1000));
        if (i % 50 == 0) {
            stranger.send(Speaker::in_session(1));
        }
    }
    const auto sessions = [&] { return std::count(one.kinds.begin(), one.kinds.end(), 2); };
    CHECK(loop.run_until([&] { return sessions() == 100; }));
    const auto last = std::find(one.kinds.rbegin(), one.kinds.rend(), 2);
    // At most one turn of strangers came before.
    CHECK(std::count(last, one.kinds.rend(), 1) <= 64);
    CHECK(counter(one.udp, "udp_strangers_dropped") > 0);
    CHECK(counter(one.udp, "udp_links_dropped") == 0);
}

TEST_CASE("udp: a flood is read with pauses, and to its end") {
    Loop loop;
    Speaker one(loop, test_port());
    one.udp.update(TimePoint(1s), loopback());
    const OtherProgram stranger(one.udp.addresses().at(0));
    for (int i = 0; i < 200; ++i) {
        stranger.send(Speaker::outside(100));
    }
    CHECK(loop.run_until([&] { return one.heard == 200; }));
    CHECK(counter(one.udp, "udp_rests") == 3);
}

TEST_CASE("udp: the kernel keeps sessions away that are not in being, and foreign keys") {
    Loop loop;
    Speaker one(loop, test_port());
    one.udp.update(TimePoint(1s), loopback());
    const OtherProgram stranger(one.udp.addresses().at(0));
    one.udp.set_sessions({SessionId{7}, SessionId{9}});
    one.udp.set_key_hints({0x1234});
    for (std::uint8_t session = 0; session < 10; ++session) {
        stranger.send(Speaker::in_session(session));
    }
    Buffer hinted = Speaker::outside(100);
    stranger.send(hinted);
    hinted[2] = 0x12;
    hinted[3] = 0x34;
    stranger.send(hinted);
    CHECK(loop.run_until([&] { return one.heard == 3; }));
    CHECK(counter(one.udp, "udp_links_dropped") == 8);
    CHECK(counter(one.udp, "udp_strangers_dropped") == 1);
    one.udp.set_sessions({});
    one.udp.set_key_hints({});
    stranger.send(Speaker::in_session(7));
    stranger.send(Speaker::outside(100));
    CHECK(loop.run_until([&] { return one.heard == 4; }));
    CHECK(counter(one.udp, "udp_links_dropped") == 9);
    // What was counted stays so where the sockets go.
    one.udp.update(TimePoint(2s), {});
    CHECK(counter(one.udp, "udp_links_dropped") == 9);
    CHECK(counter(one.udp, "udp_strangers_dropped") == 1);
    CHECK(counter(one.udp, "udp_filters_refused") == 0);
}

TEST_CASE("udp: nobody else gets the port of the links, with whatever socket option") {
    Loop loop;
    Speaker one(loop, test_port());
    one.udp.update(TimePoint(1s), loopback());
    const std::uint16_t port = one.udp.addresses().at(0).port;
    for (const int option : {0, SO_REUSEADDR, SO_REUSEPORT}) {
        CHECK_FALSE(can_bind(port, option));
    }
    one.udp.update(TimePoint(2s), {});
    CHECK(can_bind(port, 0));
}

TEST_CASE("name lookup: a name of this machine is found beside the loop") {
    Loop loop;
    std::vector<Ipv4> addresses;
    NameLookup lookup(&loop.loop, [&](const std::string& name, const LookupResult& result) {
        CHECK(name == "localhost");
        REQUIRE(result);
        addresses = *result;
    });
    lookup.start("localhost");
    CHECK(loop.run_until([&] { return !addresses.empty(); }));
    CHECK(addresses.at(0) == Ipv4{127, 0, 0, 1});
}

TEST_CASE("name lookup: what cannot be a name fails with a reason, one after the other") {
    Loop loop;
    std::size_t failed = 0;
    NameLookup lookup(&loop.loop, [&](const std::string&, const LookupResult& result) {
        REQUIRE_FALSE(result);
        CHECK_FALSE(result.error().empty());
        ++failed;
    });
    for (int i = 0; i < 10; ++i) {
        // Longer than a label may be: refused without asking anybody.
        lookup.start(std::string(70, 'x') + "..y");
    }
    CHECK(loop.run_until([&] { return failed == 10; }));
}

TEST_CASE("name lookup: its end does not wait for answers") {
    Loop loop;
    {
        NameLookup lookup(&loop.loop, [](const auto&, const auto&) { FAIL("an answer too late"); });
        for (int i = 0; i < 10; ++i) {
            lookup.start("localhost");
        }
    }
    CHECK(uv_run(&loop.loop, UV_RUN_DEFAULT) == 0);
}
