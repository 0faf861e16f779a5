// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/sim/event_queue.h"
#include "tests/sim/network.h"

namespace meshd::sim {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

Transmit unicast(const Network& network, Host to, std::size_t interface = 0) {
    Transmit transmit;
    transmit.to = network.interfaces(to)[interface].endpoint;
    transmit.to.interface = 0;
    transmit.bytes = {1, 2, 3};
    return transmit;
}

Transmit beacon(std::uint32_t interface) {
    Transmit transmit;
    transmit.is_beacon = true;
    transmit.to.interface = interface;
    transmit.bytes = {4};
    return transmit;
}

std::vector<Host> targets(const std::vector<Delivery>& deliveries, Host but) {
    std::vector<Host> hosts;
    for (const Delivery& delivery : deliveries) {
        if (delivery.target != but) {
            hosts.push_back(delivery.target);
        }
    }
    std::sort(hosts.begin(), hosts.end());
    return hosts;
}

}  // namespace

TEST_CASE("event queue: events run by time, then in the order of scheduling") {
    EventQueue queue;
    std::string order;
    queue.schedule(TimePoint(seconds(2)), [&] { order += "c"; });
    queue.schedule(TimePoint(seconds(1)), [&] { order += "a"; });
    queue.schedule(TimePoint(seconds(1)), [&] { order += "b"; });
    queue.schedule(TimePoint(seconds(9)), [&] { order += "d"; });
    while (queue.run_one(TimePoint(seconds(5)))) {
    }
    CHECK(order == "abc");
    CHECK(queue.now() == TimePoint(seconds(5)));
    CHECK(queue.size() == 1);
}

TEST_CASE("event queue: an event in the past runs now, and may schedule further ones") {
    EventQueue queue;
    while (queue.run_one(TimePoint(seconds(3)))) {
    }
    int runs = 0;
    queue.schedule(TimePoint(seconds(1)), [&] {
        ++runs;
        queue.schedule(queue.now(), [&] { ++runs; });
    });
    CHECK(queue.run_one(TimePoint(seconds(3))));
    CHECK(queue.run_one(TimePoint(seconds(3))));
    CHECK_FALSE(queue.run_one(TimePoint(seconds(3))));
    CHECK(runs == 2);
}

TEST_CASE("network: a beacon reaches its segment, unicast the one with the address") {
    Network network = two_lans(3, 2);
    Prng prng{Entropy{}};
    CHECK(targets(network.send(0, beacon(1), {}, prng), 0) == std::vector<Host>{1, 2});
    CHECK(targets(network.send(2, beacon(1), {}, prng), 2) == std::vector<Host>{0, 1});
    CHECK(targets(network.send(2, beacon(2), {}, prng), 2) == std::vector<Host>{3, 4});
    CHECK(targets(network.send(0, unicast(network, 1), {}, prng), 0) == std::vector<Host>{1});
    // Host 4 is on the other segment.
    CHECK(network.send(0, unicast(network, 4), {}, prng).empty());
    CHECK(network.figures().unrouted == 1);
}

TEST_CASE("network: the receiver sees the sender's address and its own interface") {
    Network network = two_lans(2, 1);
    Prng prng{Entropy{}};
    const auto deliveries = network.send(2, unicast(network, 1, 1), {}, prng);
    REQUIRE(deliveries.size() == 1);
    CHECK(deliveries[0].from.same_address(network.interfaces(2)[0].endpoint));
    CHECK(deliveries[0].from.interface == 2);
    CHECK(deliveries[0].after == microseconds(200));
}

TEST_CASE("network: deaf pairs and cut links pass nothing") {
    Network network = hub(4);
    Prng prng{Entropy{}};
    CHECK(targets(network.send(1, beacon(1), {}, prng), 1) == std::vector<Host>{0});
    CHECK(targets(network.send(0, beacon(1), {}, prng), 0) == std::vector<Host>{1, 2, 3});
    network.link(0, 2).up = false;
    CHECK(targets(network.send(0, beacon(1), {}, prng), 0) == std::vector<Host>{1, 3});
    CHECK_FALSE(network.send(2, unicast(network, 0), {}, prng).empty());
    CHECK_FALSE(network.is_connected(0, 2));
    network.heal();
    CHECK(network.is_connected(0, 2));
    CHECK_FALSE(network.is_connected(1, 2));
}

TEST_CASE("network: loss and duplication come as often as set") {
    Network network = lan(2);
    Prng prng{Entropy{}};
    network.defaults().loss = 0.2;
    network.defaults().duplicate = 0.1;
    std::size_t arrived = 0;
    for (int i = 0; i < 10'000; ++i) {
        arrived += network.send(0, unicast(network, 1), {}, prng).size();
    }
    // 0.8 * 1.1 = 0.88, and 4 standard deviations are 0.02.
    CHECK(arrived > 8'600);
    CHECK(arrived < 9'000);
}

TEST_CASE("network: jitter keeps the order, reordering breaks it") {
    Network network = lan(2);
    Prng prng{Entropy{}};
    network.defaults().jitter = milliseconds(50);
    const auto overtakes = [&](Duration from) {
        TimePoint last{};
        int count = 0;
        for (int i = 0; i < 1'000; ++i) {
            const TimePoint now(from + i * milliseconds(1));
            const TimePoint arrival =
                now + network.send(0, unicast(network, 1), now, prng)[0].after;
            count += arrival < last ? 1 : 0;
            last = std::max(last, arrival);
        }
        return count;
    };
    CHECK(overtakes(seconds(1)) == 0);
    network.defaults().reorder = 0.2;
    CHECK(overtakes(seconds(10)) > 50);
}

TEST_CASE("network: a partial LAN stays connected") {
    for (std::uint8_t seed = 0; seed < 20; ++seed) {
        Prng prng{Entropy{seed}};
        const Network network = random_partial_lan(12, 0.8, prng);
        std::vector<Host> reached{0};
        for (std::size_t next = 0; next < reached.size(); ++next) {
            for (Host host = 0; host < network.hosts(); ++host) {
                if (network.is_connected(reached[next], host) &&
                    std::find(reached.begin(), reached.end(), host) == reached.end()) {
                    reached.push_back(host);
                }
            }
        }
        CHECK(reached.size() == network.hosts());
    }
}

TEST_CASE("network: without its cable an interface neither sends nor hears, nor has an address") {
    Prng prng{Entropy{1}};
    Network network = two_lans(2, 2);
    network.set_carrier(1, 0, false);
    CHECK(network.addresses(1).size() == 1);
    CHECK_FALSE(network.is_connected(0, 1));
    CHECK(network.is_connected(1, 2));
    CHECK(network.send(0, unicast(network, 1), TimePoint(), prng).empty());
    CHECK(targets(network.send(0, beacon(1), TimePoint(), prng), 0).empty());
    CHECK(targets(network.send(1, beacon(0), TimePoint(), prng), 1) == std::vector<Host>{2, 3});
    network.repair();
    CHECK(targets(network.send(0, unicast(network, 1), TimePoint(), prng), 0) ==
          std::vector<Host>{1});
}

TEST_CASE("network: who has a new address is reached there, and not at the old one") {
    Prng prng{Entropy{1}};
    Network network = two_lans(2, 2);
    const Transmit old = unicast(network, 0);
    network.readdress(0, 0, 0);
    CHECK(network.send(1, old, TimePoint(), prng).empty());
    CHECK(targets(network.send(1, unicast(network, 0), TimePoint(), prng), 1) ==
          std::vector<Host>{0});
    CHECK(targets(network.send(1, beacon(1), TimePoint(), prng), 1) == std::vector<Host>{0});
    network.readdress(0, 0, 1);
    CHECK(network.is_connected(0, 3));
    CHECK(targets(network.send(0, beacon(1), TimePoint(), prng), 0) == std::vector<Host>{1, 2, 3});
}

TEST_CASE("network: over a segment that is down nothing passes") {
    Prng prng{Entropy{1}};
    Network network = lan(2);
    network.set_segment(0, false);
    CHECK_FALSE(network.is_connected(0, 1));
    CHECK(network.addresses(0).size() == 1);
    CHECK(network.send(0, unicast(network, 1), TimePoint(), prng).empty());
    CHECK(network.send(0, beacon(1), TimePoint(), prng).empty());
}

}  // namespace meshd::sim
