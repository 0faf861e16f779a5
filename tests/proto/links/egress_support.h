// SPDX-License-Identifier: Apache-2.0
/// \file
/// One end of a link's egress, and what it sent, taken apart.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/links/egress.h"
#include "tests/proto/links/links_support.h"

namespace meshd::test {

/// A datagram as its receiver sees it.
struct Received {
    std::uint64_t counter = 0;
    std::size_t bytes = 0;
    std::vector<MessageKind> kinds;
    std::vector<std::string> texts;  ///< contents of the items other than acks
    std::optional<Ack> ack;
};

inline Received receive(const Buffer& bytes) {
    const auto opened = open_datagram(bytes);
    REQUIRE(opened);
    Received received;
    received.counter = opened->header.counter;
    received.bytes = bytes.size();
    CHECK(opened->header.session == SessionId{77});
    for (const Item& item : opened->items) {
        received.kinds.push_back(item.kind);
        if (item.kind == MessageKind::Ack) {
            const auto message = decode_message(item.kind, item.bytes);
            REQUIRE(message);
            CHECK_FALSE(received.ack);
            received.ack = std::get<Ack>(*message);
        } else {
            received.texts.emplace_back(as_text(item.bytes));
        }
    }
    return received;
}

struct EgressFixture {
    static constexpr std::size_t kDatagramBytes = 1400;

    Counters counters;
    Egress egress{SessionId{77}, kDatagramBytes, counters};
    RttEstimator rtt;

    /// An opaque message: egress does not look inside. Its length is that of `text`.
    bool send(const std::string& text, TrafficClass traffic_class = TrafficClass::Normal,
              bool reliable = true) {
        auto message = std::make_shared<EncodedMessage>();
        message->kind = MessageKind::Alert;
        append(message->bytes, text);
        return egress.send(std::move(message), traffic_class, reliable);
    }
    std::optional<Received> poll(TimePoint now) {
        const auto bytes = egress.poll(now, rtt);
        if (!bytes) {
            return std::nullopt;
        }
        CHECK(bytes->size() <= kDatagramBytes);
        return receive(*bytes);
    }
    std::vector<Received> poll_all(TimePoint now) {
        std::vector<Received> all;
        while (auto one = poll(now)) {
            all.push_back(std::move(*one));
        }
        return all;
    }
    /// Follows the timers until `end`; what was sent, with the instant of each.
    std::vector<std::pair<TimePoint, Received>> run_until(TimePoint end) {
        std::vector<std::pair<TimePoint, Received>> sent;
        while (egress.next_deadline() && *egress.next_deadline() <= end) {
            const TimePoint now = *egress.next_deadline();
            egress.on_timeout(now);
            for (Received& one : poll_all(now)) {
                sent.emplace_back(now, std::move(one));
            }
        }
        return sent;
    }
    void ack(std::uint64_t first, std::uint64_t last) { egress.on_ack(Ack{{{first, last}}}); }
    void measure_rtt(Duration rtt_value) { rtt.add(rtt_value); }
};

}  // namespace meshd::test
