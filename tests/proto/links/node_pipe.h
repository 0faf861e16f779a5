// SPDX-License-Identifier: Apache-2.0
/// \file
/// A few real nodes on one wire in memory, under virtual time: for tests of what a node does with
/// single datagrams and commands. Whole meshes and their faults are the simulator's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "proto/node.h"
#include "proto/wire/frame.h"
#include "tests/proto/links/links_support.h"

namespace meshd::test {

class NodePipe {
  public:
    /// One way, for all.
    Duration delay = milliseconds(1);

    struct Box {
        Endpoint address;
        std::unique_ptr<Node> node;
        std::vector<Output> outputs;
    };
    /// False where the rings that nodes want kept are not: their disk is full.
    bool keeps_rings = true;

    struct Datagram {
        Endpoint from;
        std::size_t to = 0;
        Buffer bytes;
    };

    /// Adds a node (or starts it anew, with `number` of one that is there) at box(number).
    void start(std::uint8_t number, std::string_view name, std::uint8_t seed, Config config = {},
               std::uint64_t instance = 0);
    /// The same with a keyring, which the pipe keeps as a driver does.
    void start(std::uint8_t number, NodeOptions options, Config config);
    /// The node vanishes without a word.
    void kill(std::uint8_t number) { boxes_.erase(number); }

    Node& node(std::uint8_t number) { return *boxes_.at(number).node; }
    Now now() const { return {now_, WallTime{1'700'000'000'000 + to_ms(now_ - at(0))}}; }
    void run_for(Duration duration);
    /// False where `condition` did not come true within `limit`.
    bool run_until(Duration limit, const std::function<bool()>& condition);

    tl::expected<RequestId, CommandError> command(std::uint8_t number, Command command);
    /// Hands a datagram to a node, as if it came from `from`.
    void inject(std::uint8_t to, const Endpoint& from, Bytes datagram);
    /// What the node wants to send right now, taken off the wire.
    std::vector<Transmit> sent_by(std::uint8_t number);

    /// Outputs of one type since the last call, in order; others stay.
    template <class T>
    std::vector<T> take(std::uint8_t number) {
        std::vector<T> taken;
        std::vector<Output> rest;
        for (Output& output : boxes_.at(number).outputs) {
            if (auto* wanted = std::get_if<T>(&output)) {
                taken.push_back(std::move(*wanted));
            } else {
                rest.push_back(std::move(output));
            }
        }
        boxes_.at(number).outputs = std::move(rest);
        return taken;
    }
    std::uint64_t count(std::uint8_t number, Counter counter) {
        return node(number).counters()[counter];
    }

    /// False where a datagram from one box does not reach the other.
    std::function<bool(std::uint8_t from, std::uint8_t to)> hears = [](auto, auto) { return true; };
    /// Everything that arrived, where a test wants to look at it or send it again.
    std::vector<Datagram> arrived;

  private:
    void collect(std::uint8_t number);
    void step(TimePoint until);

    std::map<std::uint8_t, Box> boxes_;
    std::multimap<TimePoint, Datagram> wire_;
    TimePoint now_ = at(0);
};

/// A datagram outside any session.
Buffer outside(const Message& message, std::uint8_t nonce_seed = 1);
/// A datagram of a session.
Buffer in_session(SessionId session, std::uint64_t counter,
                  const std::vector<EncodedMessage>& messages);

}  // namespace meshd::test
