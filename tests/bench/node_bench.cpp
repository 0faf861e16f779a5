// SPDX-License-Identifier: Apache-2.0
// What the core spends: allocations and processor time for each datagram of a sealed mesh at rest,
// and for each alert at each node. Real nodes joined by function calls in virtual time; what the
// joining costs is not counted.
// usage: node_bench [NODES] [IDLE_SECONDS] [ALERTS] [--json]
#include <sodium.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/prng.h"
#include "proto/node.h"

namespace {

bool is_counting = false;
std::uint64_t allocations = 0;
std::uint64_t allocated_bytes = 0;

}  // namespace

// Not inlined: the compiler would see malloc paired with delete, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    if (is_counting) {
        ++allocations;
        allocated_bytes += size;
    }
    if (void* room = std::malloc(size)) {
        return room;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* room) noexcept {
    std::free(room);
}
[[gnu::noinline]] void operator delete(void* room, std::size_t) noexcept {
    std::free(room);
}

namespace {

using namespace meshd;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kOneWay = microseconds(300);
constexpr Duration kAlertEvery = milliseconds(5);

struct Cost {
    std::uint64_t allocations = 0;
    std::uint64_t bytes = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t alerts_told = 0;
    double us = 0;
};

/// Counts while it lives: one call into the core, with what it returns.
class Counted {
  public:
    explicit Counted(Cost& cost) : cost_(cost), start_(std::chrono::steady_clock::now()) {
        allocations = 0;
        allocated_bytes = 0;
        is_counting = true;
    }
    ~Counted() {
        is_counting = false;
        cost_.allocations += allocations;
        cost_.bytes += allocated_bytes;
        cost_.us +=
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
                .count();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

  private:
    Cost& cost_;
    std::chrono::steady_clock::time_point start_;
};

class Mesh {
  public:
    explicit Mesh(std::size_t count) {
        Prng prng(Entropy{1});
        Keyring ring;
        if (!ring.add(make_mesh_key(prng, 1))) {
            std::abort();
        }
        Config config;
        config.security = SecurityMode::Sealed;
        nodes_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            NodeOptions options;
            options.node_id = *NodeId::parse("node-" + std::to_string(i));
            options.instance = InstanceId{i + 1};
            options.version = "bench";
            options.keyring = ring;
            for (std::uint8_t& byte : options.entropy) {
                byte = static_cast<std::uint8_t>(prng.next());
            }
            nodes_[i].address =
                ipv4_endpoint({10, 0, 0, static_cast<std::uint8_t>(i + 1)}, 9999, 1);
            nodes_[i].node = std::make_unique<Node>(config, options, now());
            nodes_[i].node->handle_addresses(now(), {nodes_[i].address});
            pump(i);
        }
    }

    /// Whatever is due until then.
    Cost run_for(Duration span) {
        cost_ = {};
        const TimePoint end = time_ + span;
        while (!events_.empty() && events_.top().at <= end) {
            step();
        }
        time_ = end;
        return cost_;
    }

    void raise(std::size_t node, std::string alert) {
        {
            const Counted counted(cost_);
            if (!nodes_[node].node->handle_command(now(), RaiseAlert{std::move(alert)})) {
                std::abort();
            }
        }
        pump(node);
    }
    std::size_t size() const { return nodes_.size(); }
    std::size_t alive() const { return nodes_[0].node->status(now()).nodes_alive; }

  private:
    struct Member {
        std::unique_ptr<Node> node;
        Endpoint address;
        std::uint64_t timer = 0;
    };
    struct Event {
        TimePoint at;
        std::uint64_t number;
        std::size_t node;
        std::shared_ptr<const Buffer> datagram;  ///< none: a timer
        Endpoint from;
        std::uint64_t timer;
        bool operator<(const Event& other) const {
            return at != other.at ? at > other.at : number > other.number;
        }
    };

    Now now() const {
        return {time_, WallTime{1'790'000'000'000 + to_ms(time_.time_since_epoch())}};
    }

    void step() {
        const Event event = events_.top();
        events_.pop();
        time_ = std::max(time_, event.at);
        Member& member = nodes_[event.node];
        if (!event.datagram && event.timer != member.timer) {
            return;
        }
        {
            const Counted counted(cost_);
            if (event.datagram) {
                ++cost_.received;
                member.node->handle_datagram(now(), event.from, *event.datagram);
            } else {
                member.node->handle_timeout(now());
            }
        }
        pump(event.node);
    }

    void send(std::size_t from, const Transmit& transmit) {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (i == from ||
                (!transmit.is_beacon && !nodes_[i].address.same_address(transmit.to))) {
                continue;
            }
            events_.push({time_ + kOneWay, ++number_, i,
                          std::make_shared<const Buffer>(transmit.bytes), nodes_[from].address, 0});
        }
    }

    void pump(std::size_t i) {
        Node& node = *nodes_[i].node;
        while (true) {
            std::optional<Transmit> transmit;
            {
                const Counted counted(cost_);
                transmit = node.poll_transmit();
            }
            if (!transmit) {
                break;
            }
            ++cost_.sent;
            send(i, *transmit);
        }
        while (true) {
            std::optional<Output> output;
            {
                const Counted counted(cost_);
                output = node.poll_output();
            }
            if (!output) {
                break;
            }
            cost_.alerts_told += std::holds_alternative<AlertEvent>(*output) ? 1 : 0;
        }
        while (const auto persist = node.poll_persist()) {
            node.handle_persisted(now(), persist->token, PersistResult::Stored);
        }
        const auto next = node.next_timeout();
        ++nodes_[i].timer;
        if (next) {
            events_.push({std::max(*next, time_ + microseconds(1)),
                          ++number_,
                          i,
                          nullptr,
                          {},
                          nodes_[i].timer});
        }
    }

    std::vector<Member> nodes_;
    std::priority_queue<Event> events_;
    TimePoint time_{seconds(1000)};
    std::uint64_t number_ = 0;
    Cost cost_;
};

void print(const char* phase, const Cost& cost, double units, const char* unit, bool is_json) {
    const auto each = [units](double value) { return value / std::max(1.0, units); };
    std::printf(is_json ? "{\"phase\":\"%s\",\"unit\":\"%s\",\"allocations\":%.3f,\"bytes\":%.1f,"
                          "\"us\":%.3f,\"datagrams\":%.2f}"
                        : "%-10s per %-18s %8.2f allocations %9.1f B allocated %8.2f us %8.2f "
                          "datagrams sent\n",
                phase, unit, each(static_cast<double>(cost.allocations)),
                each(static_cast<double>(cost.bytes)), each(cost.us),
                each(static_cast<double>(cost.sent)));
}

std::size_t number(int argc, char** argv, int at, std::size_t otherwise) {
    return argc > at ? std::strtoul(argv[at], nullptr, 10) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    if (sodium_init() < 0) {
        return EXIT_FAILURE;
    }
    const bool is_json = argc > 1 && std::string_view(argv[argc - 1]) == "--json";
    argc -= is_json ? 1 : 0;
    const std::size_t count = number(argc, argv, 1, 10);
    const auto idle = seconds(number(argc, argv, 2, 300));
    const std::size_t alerts = number(argc, argv, 3, 1000);
    Mesh mesh(count);
    mesh.run_for(seconds(120));
    if (mesh.alive() != count) {
        std::fprintf(stderr, "node_bench: %zu of %zu see each other\n", mesh.alive(), count);
        return EXIT_FAILURE;
    }
    const Cost rest = mesh.run_for(idle);
    // What is sent is received: a datagram is both.
    std::printf(is_json ? "[" : "");
    print("at rest", rest, static_cast<double>(rest.received), "datagram received", is_json);
    std::printf(is_json ? ",\n" : "");

    const std::string text = ",\"text\":\"" + std::string(100, 'x') + "\"}";
    Cost spread;
    for (std::size_t i = 0; i < alerts; ++i) {
        mesh.raise(i % count, "{\"n\":" + std::to_string(i) + text);
        const Cost cost = mesh.run_for(kAlertEvery);
        spread.allocations += cost.allocations;
        spread.bytes += cost.bytes;
        spread.us += cost.us;
        spread.sent += cost.sent;
        spread.alerts_told += cost.alerts_told;
    }
    print("alerts", spread, static_cast<double>(spread.alerts_told), "alert at a node", is_json);
    std::printf(is_json ? "]\n" : "");
    return EXIT_SUCCESS;
}
