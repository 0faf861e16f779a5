// SPDX-License-Identifier: Apache-2.0
/// \file
/// A member of an open mesh that is none of ours: it completes the handshake with each node,
/// answers heartbeats, acknowledges all that comes, and otherwise says what a test has it say.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <vector>

#include "proto/store/record.h"
#include "proto/wire/frame.h"
#include "tests/proto/links/links_support.h"

namespace meshd::test {

class Rogue {
  public:
    struct Sent {
        Endpoint to;
        Buffer bytes;
    };
    /// A stream of somebody, as its records came by.
    struct Overheard {
        NodeId author;
        std::uint64_t counter = 0;
    };

    explicit Rogue(std::uint8_t seed) : prng_(prng(seed)) {}

    const Endpoint& endpoint() const { return endpoint_; }
    const Identity& identity() const { return self_; }
    Prng& random() { return prng_; }
    const std::map<StreamId, Overheard>& overheard() const { return overheard_; }
    /// The nodes it has a session with.
    std::vector<Endpoint> peers() const {
        std::vector<Endpoint> all;
        for (const auto& [at, session] : sessions_) {
            all.push_back(session.peer);
        }
        return all;
    }

    /// Asks a node for a link.
    void join(const Endpoint& node) {
        Hello hello;
        hello.mesh = "default";
        hello.from = self_;
        send_outside(node, hello);
    }
    /// One item in a datagram of its own.
    void say(const Endpoint& to, const EncodedMessage& message) {
        const auto session = sessions_.find(to.address);
        if (session == sessions_.end()) {
            return;
        }
        DatagramHeader header;
        header.session = session->second.theirs;
        header.counter = ++session->second.counter;
        DatagramBuilder builder(header, limits::kDatagramBytesMax, nullptr);
        if (builder.add(message)) {
            sent.push_back({to, std::move(builder).finish()});
        }
    }
    void say(const Endpoint& to, const Message& message) { say(to, encode_message(message)); }

    void hear(const Endpoint& from, Bytes datagram) {
        const auto opened = open_datagram(datagram);
        if (!opened) {
            return;
        }
        bool wants_ack = false;
        for (const Item& item : opened->items) {
            const auto message = decode_message(item.kind, item.bytes);
            if (!message) {
                continue;
            }
            if (const auto* offer = std::get_if<Offer>(&*message)) {
                Req req;
                req.mesh = "default";
                req.from = self_;
                req.to = offer->from.start;
                req.cookie = offer->cookie;
                req.session = SessionId{static_cast<std::uint32_t>(from.address[15]) + 1000};
                send_outside(from, req);
            } else if (const auto* acc = std::get_if<Acc>(&*message)) {
                if (acc->session) {
                    sessions_[from.address] = {from, acc->session, 0};
                    say(from, Conf{});
                }
            } else if (const auto* beat = std::get_if<Heartbeat>(&*message)) {
                if (!beat->is_reply) {
                    Heartbeat reply;
                    reply.is_reply = true;
                    reply.seq = beat->seq;
                    say(from, reply);
                }
            } else if (const auto* push = std::get_if<Push>(&*message)) {
                if (const auto record = decode_record(push->record)) {
                    Overheard& stream = overheard_[record->header.stream];
                    stream.author = record->header.author;
                    stream.counter = std::max(stream.counter, record->header.counter);
                }
            }
            wants_ack =
                wants_ack || (item.kind != MessageKind::Ack && item.kind != MessageKind::Heartbeat);
        }
        if (opened->header.kind == DatagramKind::Session && wants_ack) {
            Ack ack;
            ack.ranges = {{opened->header.counter, opened->header.counter}};
            say(from, ack);
        }
    }

    std::deque<Sent> sent;

  private:
    struct Session {
        Endpoint peer;
        SessionId theirs;
        std::uint64_t counter = 0;
    };

    void send_outside(const Endpoint& to, const Message& message) {
        DatagramHeader header;
        header.kind = DatagramKind::Outside;
        DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng_);
        if (builder.add(encode_message(message))) {
            sent.push_back({to, std::move(builder).finish(nullptr, limits::kHelloBytes)});
        }
    }

    Prng prng_;
    Endpoint endpoint_ = box(99);
    Identity self_ = meshd::test::identity("rogue", 99, 990);
    std::map<std::array<std::uint8_t, 16>, Session> sessions_;
    std::map<StreamId, Overheard> overheard_;
};

}  // namespace meshd::test
