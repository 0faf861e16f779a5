// SPDX-License-Identifier: Apache-2.0
#include "daemon/udp.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

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
              &loop.loop, port, 10min, [this](const Endpoint&, Bytes) { ++heard; }, [] {}) {}
    void beacon() {
        udp.queue({Endpoint{{}, 0, 1}, true, Buffer(100)});
        udp.flush();
    }
    std::size_t heard = 0;
    Udp udp;
};

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
