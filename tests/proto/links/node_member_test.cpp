// SPDX-License-Identifier: Apache-2.0
// A member that is broken or hostile harms nobody else for longer than it goes on.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "proto/node.h"
#include "tests/proto/links/rogue.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::size_t kHonest = 3;
/// With two links: ordinary traffic, and a digest of everything a minute.
constexpr std::uint64_t kIdleBytesPerSecondMax = 8 * 1024;

/// Three honest nodes and the rogue on one wire, under virtual time.
struct Mesh {
    explicit Mesh(std::uint8_t seed) : rogue(seed) {
        for (std::uint8_t i = 0; i < kHonest; ++i) {
            NodeOptions options;
            options.node_id = id(std::string(1, static_cast<char>('a' + i)));
            options.instance = InstanceId{std::uint64_t{1} + i};
            options.entropy[0] = seed;
            options.entropy[1] = i;
            options.version = "0.1.0";
            nodes.push_back(std::make_unique<Node>(Config{}, std::move(options), now()));
            nodes.back()->handle_addresses(now(), {address(i)});
            drain(i);
        }
        run_for(seconds(3));
        for (std::size_t i = 0; i < kHonest; ++i) {
            rogue.join(address(i));
        }
        run_for(seconds(2));
        REQUIRE(rogue.peers().size() == kHonest);
        raise_all();
        run_for(seconds(1));
        for (auto& told : alerts) {
            told.clear();
        }
        raised.clear();
        losses.clear();
    }

    static Endpoint address(std::size_t i) { return box(static_cast<std::uint8_t>(i + 1)); }
    Now now() const { return {now_, WallTime{1'700'000'000'000 + to_ms(now_ - at(0))}}; }

    void raise_all() {
        for (std::size_t i = 0; i < kHonest; ++i) {
            const std::string mark = std::to_string(raised.size());
            REQUIRE(nodes[i]->handle_command(
                now(), RaiseAlert{R"({"mark":)" + mark + "}", Priority::High}));
            raised.push_back(R"({"mark":)" + mark + "}");
            drain(i);
        }
    }

    /// `attack` is called each 10 ms for five seconds, while alerts are raised.
    void suffer(const std::function<void(int step)>& attack) {
        for (int step = 0; step < 500; ++step) {
            attack(step);
            if (step % 50 == 0) {
                raise_all();
            }
            run_for(milliseconds(10));
        }
        run_for(seconds(5));
    }

    void check_unharmed() {
        CHECK(losses.empty());
        for (std::size_t i = 0; i < kHonest; ++i) {
            CAPTURE(i);
            std::size_t missing = 0;
            for (std::size_t n = 0; n < raised.size(); ++n) {
                const auto times = std::count(alerts[i].begin(), alerts[i].end(), raised[n]);
                missing += n % kHonest != i && times != 1 ? 1 : 0;
            }
            CHECK(missing == 0);
            const StatusView status = nodes[i]->status(now());
            CHECK(status.nodes_known <= limits::kNodesMax);
            CHECK(status.peers <= kHonest);
            for (std::size_t other = 0; other < kHonest; ++other) {
                CHECK(nodes[i]->node(now(), nodes[other]->id())->status == NodeStatus::Alive);
            }
        }
    }
    /// Once the rogue is gone, for ten minutes. Where the limits of nodes and streams are full,
    /// each holds others of those that it made up, and the stores stay different: at little cost.
    void check_recovered(bool agrees) {
        is_rogue_gone = true;
        run_for(seconds(300));
        const std::uint64_t before = count(0, Counter::bytes_sent);
        run_for(seconds(300));
        CHECK(count(0, Counter::bytes_sent) - before < 300 * kIdleBytesPerSecondMax);
        for (std::size_t i = 1; agrees && i < kHonest; ++i) {
            CHECK(nodes[i]->status(now()).store.hashes == nodes[0]->status(now()).store.hashes);
        }
        raised.clear();
        for (auto& told : alerts) {
            told.clear();
        }
        raise_all();
        run_for(seconds(5));
        check_unharmed();
    }
    std::uint64_t count(std::size_t i, Counter counter) { return nodes[i]->counters()[counter]; }

    void run_for(Duration duration) {
        const TimePoint end = now_ + duration;
        while (now_ < end) {
            TimePoint next = end;
            if (!wire.empty()) {
                next = std::min(next, wire.begin()->first);
            }
            for (const auto& node : nodes) {
                next = std::min(next, node->next_timeout().value_or(end));
            }
            now_ = std::max(now_, next);
            while (!wire.empty() && wire.begin()->first <= now_) {
                const Datagram datagram = std::move(wire.begin()->second);
                wire.erase(wire.begin());
                deliver(datagram);
            }
            for (std::size_t i = 0; i < kHonest; ++i) {
                if (const auto due = nodes[i]->next_timeout(); due && *due <= now_) {
                    nodes[i]->handle_timeout(now());
                    drain(i);
                }
            }
            post_rogue();
        }
    }

    std::vector<std::unique_ptr<Node>> nodes;
    Rogue rogue;
    bool is_rogue_gone = false;
    std::vector<std::string> raised;
    std::array<std::vector<std::string>, kHonest> alerts;
    std::vector<NodeEvent> losses;  ///< of honest nodes, told by honest nodes

  private:
    struct Datagram {
        Endpoint from;
        std::optional<Endpoint> to;  ///< absent: all
        Buffer bytes;
    };

    void post(Datagram datagram) { wire.emplace(now_ + milliseconds(1), std::move(datagram)); }
    void post_rogue() {
        while (!rogue.sent.empty()) {
            if (!is_rogue_gone) {
                post({rogue.endpoint(), rogue.sent.front().to, rogue.sent.front().bytes});
            }
            rogue.sent.pop_front();
        }
    }
    void deliver(const Datagram& datagram) {
        for (std::size_t i = 0; i < kHonest; ++i) {
            if (!datagram.to || datagram.to->same_address(address(i))) {
                nodes[i]->handle_datagram(now(), datagram.from, datagram.bytes);
                drain(i);
            }
        }
        if (!is_rogue_gone && datagram.to && datagram.to->same_address(rogue.endpoint())) {
            rogue.hear(datagram.from, datagram.bytes);
        }
    }
    void drain(std::size_t i) {
        while (auto transmit = nodes[i]->poll_transmit()) {
            const auto to =
                transmit->is_beacon ? std::nullopt : std::optional<Endpoint>(transmit->to);
            post({address(i), to, std::move(transmit->bytes)});
        }
        while (const auto output = nodes[i]->poll_output()) {
            if (const auto* alert = std::get_if<AlertEvent>(&*output)) {
                alerts[i].push_back(alert->alert.alert);
            } else if (const auto* event = std::get_if<NodeEvent>(&*output)) {
                const bool is_loss = event->kind == NodeEventKind::Offline ||
                                     event->kind == NodeEventKind::Unreachable ||
                                     event->kind == NodeEventKind::Left;
                const bool is_honest =
                    std::any_of(nodes.begin(), nodes.end(),
                                [&](const auto& node) { return node->id() == event->node; });
                if (is_loss && is_honest) {
                    losses.push_back(*event);
                }
            }
        }
        while (auto persist = nodes[i]->poll_persist()) {
            nodes[i]->handle_persisted(now(), persist->token, {});
        }
    }

    TimePoint now_ = at(0);
    std::multimap<TimePoint, Datagram> wire;
};

RecordHeader header_of(RecordKind kind, const NodeId& author, StreamId stream,
                       std::uint64_t counter, HybridTime clock = {}) {
    RecordHeader header;
    header.kind = kind;
    header.author = author;
    header.stream = stream;
    header.counter = counter;
    header.clock = clock;
    return header;
}

void push(Rogue& rogue, const Endpoint& to, RecordKind kind, const Buffer& record,
          std::uint64_t covers_after = 0) {
    Push push;
    push.kind = kind;
    push.record = record;
    push.covers_after = covers_after;
    push.provenance.path = {rogue.identity().node.short_id()};
    rogue.say(to, push);
}

constexpr std::uint64_t kNowClock = std::uint64_t{1'700'000'000'000} << 16;

/// For some seeds each; what takes long only for one.
void for_seeds(const std::function<void(Mesh&, Rogue&)>& attack, bool agrees = true,
               std::uint8_t seeds = 2) {
    for (std::uint8_t seed = 1; seed <= seeds; ++seed) {
        CAPTURE(seed);
        Mesh mesh(seed);
        attack(mesh, mesh.rogue);
        mesh.check_unharmed();
        mesh.check_recovered(agrees);
    }
}

}  // namespace

TEST_CASE("node member: JSON of 64 KiB that nests without end") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        const std::size_t part = 1000;
        for (const char* text : {"[", "{\"a\":"}) {
            std::string all;
            while (all.size() < 64 * 1024) {
                all += text;
            }
            std::uint32_t number = 0;
            mesh.suffer([&](int) {
                Buffer whole{0, static_cast<std::uint8_t>(all.size() >> 8),
                             static_cast<std::uint8_t>(all.size())};
                whole.insert(whole.end(), all.begin(), all.end());
                ++number;
                const auto count = static_cast<std::uint16_t>(whole.size() / part + 1);
                for (std::uint16_t index = 0; index < count; ++index) {
                    Fragment fragment;
                    fragment.message = number;
                    fragment.index = index;
                    fragment.count = count;
                    fragment.kind = MessageKind::StateSync;
                    const Bytes bytes(whole);
                    fragment.bytes =
                        bytes.subspan(index * part, std::min(part, whole.size() - index * part));
                    rogue.say(mesh.address(0), fragment);
                }
            });
        }
        CHECK(mesh.count(0, Counter::drop_malformed) > 0);
    });
}

TEST_CASE("node member: fragments that never end") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        const Buffer bytes(1000);
        std::uint32_t number = 0;
        mesh.suffer([&](int) {
            for (std::size_t i = 0; i < 20; ++i) {
                Fragment fragment;
                fragment.message = ++number;
                fragment.index = static_cast<std::uint16_t>(rogue.random().below(160));
                fragment.count = 160;
                fragment.kind = MessageKind::Alert;
                fragment.bytes = bytes;
                rogue.say(mesh.address(number % kHonest), fragment);
            }
        });
        CHECK(mesh.count(0, Counter::drop_reassembly) > 0);
    });
}

TEST_CASE("node member: thousands of nodes that do not exist, linked with each other and with us") {
    for_seeds(
        [](Mesh& mesh, Rogue& rogue) {
            std::uint64_t number = 0;
            mesh.suffer([&](int) {
                for (int i = 0; i < 5; ++i) {
                    ++number;
                    NodeData data;
                    data.instance = InstanceId{number + 1000};
                    data.start = StartId{number + 1000};
                    data.version = "x";
                    data.volatile_stream = StreamId{(number << 32) | 1};
                    data.durable_stream = StreamId{(number << 32) | 2};
                    std::set<NodeId> peers = {id("a"), id("b"), id("c"), id("rogue")};
                    while (peers.size() < limits::kLinksMax) {
                        peers.insert(id("ghost-" + std::to_string(rogue.random().below(5000))));
                    }
                    for (const NodeId& peer : peers) {
                        data.links.push_back({peer, 0});
                    }
                    push(rogue, mesh.address(number % kHonest), RecordKind::Node,
                         encode_node_record(
                             header_of(RecordKind::Node, id("ghost-" + std::to_string(number)),
                                       data.volatile_stream, 1, HybridTime{kNowClock}),
                             data));
                }
            });
        },
        false, 1);
}

TEST_CASE("node member: streams without end, counters far ahead, clocks of another age") {
    for_seeds(
        [](Mesh& mesh, Rogue& rogue) {
            std::uint64_t number = 0;
            mesh.suffer([&](int step) {
                for (const HybridTime clock : {HybridTime{0}, HybridTime{1}, kHybridTimeMax}) {
                    ++number;
                    const Endpoint to = mesh.address(number % kHonest);
                    const NodeId author = step % 2 == 0 ? rogue.identity().node : id("b");
                    const StreamId stream{rogue.random().next() | 1};
                    const std::uint64_t counter = limits::kCounterMax - number;
                    push(rogue, to, RecordKind::State,
                         encode_state_record(
                             header_of(RecordKind::State, author, stream, counter, clock),
                             {Activity::Idle, R"({"forged":true})"}));
                    push(rogue, to, RecordKind::Shared,
                         encode_shared_record(header_of(RecordKind::Shared, author,
                                                        StreamId{stream.value ^ 2}, counter, clock),
                                              {"key", std::to_string(number), false}));
                    AlertData alert;
                    alert.alert = R"({"forged":true})";
                    push(rogue, to, RecordKind::Alert,
                         encode_alert_record(header_of(RecordKind::Alert, rogue.identity().node,
                                                       StreamId{stream.value ^ 4}, counter, clock),
                                             alert));
                }
            });
        },
        false);
}

TEST_CASE("node member: hashes and digests that lie, announcements of nothing") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        mesh.suffer([&](int step) {
            const Endpoint to = mesh.address(static_cast<std::size_t>(step) % kHonest);
            Heartbeat beat;
            beat.seq = static_cast<std::uint32_t>(step);
            beat.hashes = DigestHashes{rogue.random().next(), rogue.random().next()};
            rogue.say(to, beat);
            Digest digest;
            Announce announce;
            for (int i = 0; i < 10; ++i) {
                const StreamIntervals nothing{StreamId{rogue.random().next() | 1},
                                              id("ghost"),
                                              {{1, 1 + rogue.random().below(limits::kCounterMax)}}};
                digest.streams.push_back(nothing);
                announce.streams.push_back(nothing);
            }
            rogue.say(to, digest);
            rogue.say(to, announce);
        });
    });
}

TEST_CASE("node member: deltas nobody asked for do not say that nothing is missing") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        REQUIRE(rogue.overheard().size() >= kHonest);
        mesh.suffer([&](int step) {
            const Endpoint to = mesh.address(static_cast<std::size_t>(step) % kHonest);
            Delta delta;
            for (const auto& [stream, of] : rogue.overheard()) {
                delta.covers.push_back({stream, of.author, {{1, of.counter + 1000}}});
            }
            rogue.say(to, delta);
        });
        CHECK(mesh.count(0, Counter::drop_not_allowed_here) > 0);
    });
}

TEST_CASE("node member: questions for everything, all the time") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        mesh.suffer([&](int step) {
            for (std::size_t i = 0; i < kHonest; ++i) {
                Digest digest;
                digest.is_request = true;
                rogue.say(mesh.address(i), digest);
                Census census;
                census.is_request = true;
                census.number = static_cast<std::uint32_t>(step);
                rogue.say(mesh.address(i), census);
                Pull pull;
                for (const auto& [stream, of] : rogue.overheard()) {
                    pull.wants.push_back(
                        {stream, of.author, {{1, of.counter + std::uint64_t(step)}}});
                }
                rogue.say(mesh.address(i), pull);
            }
        });
        CHECK(mesh.count(0, Counter::drop_rate) > 0);
    });
}

TEST_CASE("node member: floods of notes, searches, answers, notices, prunes and acks") {
    for_seeds([](Mesh& mesh, Rogue& rogue) {
        std::uint64_t number = 0;
        const Buffer note{'{', '}'};
        const Buffer results{'[', ']'};
        mesh.suffer([&](int step) {
            const Endpoint to = mesh.address(static_cast<std::size_t>(step) % kHonest);
            for (int i = 0; i < 10; ++i) {
                ++number;
                Routed routed;
                routed.source = i % 2 == 0 ? rogue.identity().node : id("ghost");
                routed.start = StartId{i % 3 == 0 ? number + 1 : 990};
                routed.seq = number;
                routed.path = {routed.source.short_id()};
                Note all;
                all.number = number;
                all.topic = "flood";
                all.note = note;
                routed.payload = all;
                rogue.say(to, routed);
                SearchQuery query;
                query.number = number;
                query.type = "flood";
                query.timeout_ms = limits::kWaitMsMax;
                query.limit = limits::kSearchResultsMax;
                query.query = note;
                routed.seq = ++number;
                routed.payload = query;
                rogue.say(to, routed);
                SearchAnswer answer;
                answer.number = rogue.random().below(10);
                answer.results = results;
                routed.seq = ++number;
                routed.destination = id("b");
                routed.payload = answer;
                rogue.say(to, routed);
                Notice notice;
                notice.about = id("b").short_id();
                rogue.say(to, notice);
            }
            Ack lie;
            lie.ranges = {{1, limits::kCounterMax}};
            rogue.say(to, lie);
            if (step % 100 == 0) {
                rogue.say(to, Prune{});
            }
        });
    });
}
