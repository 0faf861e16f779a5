// SPDX-License-Identifier: Apache-2.0
// With whom links are held: connected, of bounded degree and small diameter, and at rest.
#include <algorithm>
#include <queue>

#include "proto/wire/codec.h"
#include "proto/wire/frame.h"
#include "tests/sim/scene.h"

namespace meshd::sim {

namespace {

/// A scene that looks at all links every few milliseconds.
struct Links : Scene {
    std::size_t degree_peak = 0;
    std::uint64_t handshakes = 0;  ///< messages but beacons, as they arrive
    std::function<bool(const Delivery&)> passes = [](const Delivery&) { return true; };

    Links(std::uint64_t seed, Network network, const Config& config = {})
        : Scene(seed, std::move(network), config) {
        world.set_tap([this](Delivery& delivery) {
            handshakes += is_handshake(delivery) ? 1 : 0;
            return passes(delivery);
        });
        watch();
    }

    static bool is_handshake(const Delivery& delivery) {
        const auto opened = open_datagram(delivery.bytes);
        if (!opened || opened->header.kind != DatagramKind::Outside) {
            return false;
        }
        for (const Item& item : opened->items) {
            const auto message = decode_message(item.kind, item.bytes);
            const auto* hello = message ? std::get_if<Hello>(&*message) : nullptr;
            if (hello != nullptr && hello->address) {
                return false;
            }
        }
        return true;
    }

    void watch() {
        for (Host host = 0; host < world.hosts(); ++host) {
            degree_peak = std::max(degree_peak, degree(host));
        }
        world.after(milliseconds(5), [this] { watch(); });
    }

    std::vector<Host> peers(Host host) const {
        std::vector<Host> peers;
        if (!world.is_running(host)) {
            return peers;
        }
        for (const PeerView& view : world.node(host).peers(world.now(host))) {
            for (Host other = 0; other < world.hosts(); ++other) {
                if (world.id(other) == view.node_id && world.is_running(other)) {
                    peers.push_back(other);
                }
            }
        }
        return peers;
    }
    std::size_t degree(Host host) const {
        return world.is_running(host) ? world.node(host).peers(world.now(host)).size() : 0;
    }
    std::size_t running() const {
        std::size_t running = 0;
        for (Host host = 0; host < world.hosts(); ++host) {
            running += world.is_running(host) ? 1 : 0;
        }
        return running;
    }

    /// Longest way from `from`; nothing where a running node cannot be reached.
    std::optional<std::size_t> eccentricity(const std::vector<std::vector<Host>>& links,
                                            Host from) const {
        std::vector<std::size_t> hops(links.size(), links.size());
        std::queue<Host> queue;
        queue.push(from);
        hops[from] = 0;
        std::size_t reached = 1;
        std::size_t most = 0;
        while (!queue.empty()) {
            const Host host = queue.front();
            queue.pop();
            for (const Host peer : links[host]) {
                if (hops[peer] == links.size()) {
                    hops[peer] = hops[host] + 1;
                    most = hops[peer];
                    reached += 1;
                    queue.push(peer);
                }
            }
        }
        return reached == running() ? std::optional(most) : std::nullopt;
    }
    std::vector<std::vector<Host>> all_links() const {
        std::vector<std::vector<Host>> links;
        for (Host host = 0; host < world.hosts(); ++host) {
            links.push_back(peers(host));
        }
        return links;
    }
    bool is_connected() const {
        const auto links = all_links();
        for (Host host = 0; host < world.hosts(); ++host) {
            if (world.is_running(host)) {
                return eccentricity(links, host).has_value();
            }
        }
        return true;
    }
    /// Nothing where the running nodes are not all connected.
    std::optional<std::size_t> diameter() const {
        const auto links = all_links();
        std::size_t most = 0;
        for (Host host = 0; host < world.hosts(); ++host) {
            if (world.is_running(host)) {
                const auto hops = eccentricity(links, host);
                if (!hops) {
                    return std::nullopt;
                }
                most = std::max(most, *hops);
            }
        }
        return most;
    }
    std::optional<Duration> wait_connected(Duration limit) {
        return world.run_until([this] { return is_connected(); }, limit, milliseconds(5));
    }

    /// Runs on and counts the links made.
    std::uint64_t links_made_in(Duration duration) {
        const std::uint64_t before = total(Counter::links_up);
        world.run_for(duration);
        return total(Counter::links_up) - before;
    }
    std::string figures() const {
        const auto hops = diameter();
        std::size_t sum = 0;
        std::size_t most = 0;
        std::size_t least = 1000;
        for (Host host = 0; host < world.hosts(); ++host) {
            if (world.is_running(host)) {
                sum += degree(host);
                most = std::max(most, degree(host));
                least = std::min(least, degree(host));
            }
        }
        return "peak degree " + std::to_string(degree_peak) + ", now " + std::to_string(least) +
               " to " + std::to_string(most) + ", mean " +
               std::to_string(10 * sum / std::max<std::size_t>(1, running())) + "/10, diameter " +
               (hops ? std::to_string(*hops) : "none") + ", handshake messages per node " +
               std::to_string(handshakes / std::max<std::size_t>(1, running()));
    }
};

}  // namespace

TEST_CASE("neighbours: 50 started at once are soon connected, evenly and closely") {
    for (const double loss : {0.0, 0.1}) {
        Links scene(50, lan(50));
        scene.world.network().defaults().loss = loss;
        scene.start_all(milliseconds(500));
        const auto connected = scene.wait_connected(seconds(5));
        REQUIRE(connected);
        scene.world.run_for(seconds(5));
        MESSAGE("loss " << loss << ": connected " << print_ms(*connected)
                        << " after the last start; " << scene.figures());
        CHECK(*connected < milliseconds(1500));
        CHECK(scene.degree_peak <= 10);
        CHECK(scene.diameter().value_or(99) <= 5);
        CHECK(scene.handshakes < 50 * 60);
        CHECK(scene.checkers.settle() == "");
        CHECK(scene.links_made_in(seconds(60)) <= 10);
    }
}

TEST_CASE("neighbours: 30 that join one by one are connected all the time") {
    Links scene(30, lan(30));
    for (Host host = 0; host < 30; ++host) {
        scene.world.start(host);
        CHECK(scene.wait_connected(seconds(2)));
        scene.world.run_for(seconds(2));
        CHECK(scene.is_connected());
    }
    scene.world.run_for(seconds(20));
    MESSAGE(scene.figures());
    CHECK(scene.degree_peak <= 10);
    CHECK(scene.diameter().value_or(99) <= 5);
    CHECK(scene.handshakes < 30 * 100);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("neighbours: when half of 40 crash at once, the others find each other") {
    Links scene(40, lan(40));
    scene.form();
    scene.world.run_for(seconds(5));
    for (Host host = 0; host < 40; host += 2) {
        scene.world.crash(host);
    }
    scene.world.run_for(milliseconds(100));
    const auto connected = scene.wait_connected(seconds(10));
    REQUIRE(connected);
    const auto settled = scene.world.run_until([&] { return scene.checkers.difference().empty(); },
                                               seconds(20), milliseconds(50));
    REQUIRE(settled);
    MESSAGE("connected by links after " << print_ms(*connected) << ", all agree after "
                                        << print_ms(*settled) << "; " << scene.figures());
    CHECK(scene.degree_peak <= 10);
    scene.world.run_for(seconds(30));
    CHECK(scene.is_connected());
    CHECK(scene.links_made_in(seconds(60)) <= 10);
}

TEST_CASE("neighbours: two halves of 30 heal") {
    Links scene(1530, lan(30));
    scene.form();
    std::vector<Host> one;
    std::vector<Host> other;
    for (Host host = 0; host < 30; ++host) {
        (host < 15 ? one : other).push_back(host);
    }
    scene.world.network().partition(one, other);
    scene.world.run_for(seconds(60));
    CHECK_FALSE(scene.is_connected());
    scene.world.network().heal();
    const auto connected = scene.wait_connected(seconds(20));
    REQUIRE(connected);
    MESSAGE("connected " << print_ms(*connected) << " after the heal; " << scene.figures());
    CHECK(*connected < seconds(6));
    CHECK(scene.degree_peak <= 10);
    CHECK(scene.checkers.settle() == "");
}

TEST_CASE("neighbours: with partial hearing all that can be are connected") {
    for (std::uint8_t seed = 1; seed <= 3; ++seed) {
        Prng prng{Entropy{seed}};
        Links scene(7100U + seed, random_partial_lan(30, 0.8, prng));
        scene.form(seconds(20));
        scene.world.run_for(seconds(30));
        MESSAGE(scene.figures());
        CHECK(scene.is_connected());
        CHECK(scene.degree_peak <= 32);
        const auto made = scene.links_made_in(seconds(60));
        CAPTURE(seed);
        CHECK(made <= 15);
        CHECK(scene.checkers.difference() == "");
    }
}

TEST_CASE("neighbours: a hub links all its deaf leaves, and keeps them") {
    Links scene(2020, hub(21));
    scene.form(seconds(20));
    MESSAGE(scene.figures());
    CHECK(scene.degree(0) == 20);
    CHECK(scene.degree_peak <= 32);
    CHECK(scene.links_made_in(seconds(60)) == 0);
}

TEST_CASE("neighbours: with few peers allowed, ring and bridges connect all") {
    for (const std::size_t max_peers : {2U, 3U, 4U, 5U}) {
        Config config;
        config.max_peers = max_peers;
        Links scene(900 + max_peers, lan(20), config);
        scene.start_all();
        CHECK(scene.checkers.settle(seconds(20)) == "");
        scene.world.run_for(seconds(60));
        CAPTURE(max_peers);
        MESSAGE("max_peers " << max_peers << ": " << scene.figures());
        CHECK(scene.is_connected());
        CHECK(scene.degree_peak <= max_peers + 2);
        CHECK(scene.links_made_in(seconds(60)) <= 20);
        CHECK(scene.checkers.settle() == "");
    }
}

TEST_CASE("neighbours: where a full mesh just fits or not, a flapping box moves few links") {
    for (const std::size_t nodes : {11U, 12U, 13U}) {
        Links scene(1100 + nodes, lan(nodes));
        scene.form();
        scene.world.run_for(seconds(90));
        const std::uint64_t before = scene.total(Counter::links_up);
        const Host flapping = nodes - 1;
        std::uint64_t own = 0;
        for (int i = 0; i < 6; ++i) {
            scene.world.crash(flapping);
            scene.world.run_for(seconds(5));
            scene.world.start(flapping);
            scene.world.run_for(seconds(5));
            own += scene.world.node(flapping).counters()[Counter::links_up];
        }
        const std::uint64_t made = scene.total(Counter::links_up) - before;
        CAPTURE(nodes);
        MESSAGE("made " << made << ", " << own << " by the flapping box; " << scene.figures());
        // Each of its links counts at both ends; the others make some in its place.
        CHECK(made <= 2 * own + 6 * 12);
        CHECK(scene.degree_peak <= 10);
        scene.world.run_for(seconds(60));
        CHECK(scene.links_made_in(seconds(60)) <= 4);
        CHECK(scene.checkers.settle() == "");
    }
}

TEST_CASE("neighbours: a link moves to the other network when its own is cut") {
    Network network;
    for (Host host = 0; host < 4; ++host) {
        network.add_host();
        network.attach(host, 0);
        network.attach(host, 1);
    }
    Links scene(22, std::move(network));
    scene.form();
    scene.world.run_for(seconds(5));
    const auto down_before = scene.total(Counter::links_down);
    std::size_t over_second = 0;
    for (Host host = 0; host < 4; ++host) {
        for (const PeerView& peer : scene.world.node(host).peers(scene.world.now(host))) {
            over_second += peer.address.interface == 2 ? 1 : 0;
        }
    }
    // What passes over the second network is lost, whoever sends it.
    scene.passes = [](const Delivery& delivery) { return delivery.from.interface != 2; };
    REQUIRE(over_second > 0);
    scene.world.run_for(seconds(20));
    MESSAGE(over_second << " link ends were on the network that was cut");
    for (Host host = 0; host < 4; ++host) {
        CHECK(scene.degree(host) == 3);
        for (const PeerView& peer : scene.world.node(host).peers(scene.world.now(host))) {
            CHECK(peer.address.interface == 1);
        }
    }
    CHECK(scene.events(NodeEventKind::Offline) == 0);
    CHECK(scene.total(Counter::links_down) == down_before);
}

}  // namespace meshd::sim
