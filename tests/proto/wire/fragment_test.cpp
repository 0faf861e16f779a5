// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/fragment.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "proto/base/prng.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;
using Result = Reassembler::Result;

namespace {

constexpr TimePoint at(std::int64_t ms) {
    return TimePoint(std::chrono::milliseconds(ms));
}

EncodedMessage message_of(std::size_t bytes, std::uint8_t salt = 0) {
    EncodedMessage message{MessageKind::Delta, Buffer(bytes)};
    for (std::size_t i = 0; i < bytes; ++i) {
        message.bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251 + salt);
    }
    return message;
}

Fragment fragment_of(const EncodedMessage& part) {
    return std::get<Fragment>(*decode_message(part.kind, part.bytes));
}

Fragment fragment(std::uint32_t message, std::uint16_t index, std::uint16_t count,
                  std::size_t bytes = 100) {
    static const std::string kBytes(limits::kMessageBytesMax + 1, 'f');
    return {message, index, count, MessageKind::Delta, as_bytes(kBytes).first(bytes)};
}

}  // namespace

TEST_CASE("fragments: each part keeps the size asked for and all together are the message") {
    for (const std::size_t whole : {std::size_t{1}, std::size_t{560}, std::size_t{561},
                                    std::size_t{5000}, limits::kMessageBytesMax}) {
        for (const std::size_t bytes_max : {564U, 1364U}) {
            const EncodedMessage message = message_of(whole);
            const auto parts = split_message(message, UINT32_MAX, bytes_max);
            REQUIRE(parts.size() <= limits::kFragmentsMax);
            ReassemblyBudget budget;
            Reassembler reassembler(budget);
            for (std::size_t i = 0; i < parts.size(); ++i) {
                CHECK(parts[i].bytes.size() <= bytes_max);
                const auto result = reassembler.on_fragment(at(0), fragment_of(parts[i]));
                CHECK(result == (i + 1 == parts.size() ? Result::Complete : Result::Stored));
            }
            const EncodedMessage back = reassembler.take();
            CHECK(back.kind == message.kind);
            CHECK(back.bytes == message.bytes);
            CHECK(budget.bytes_used == 0);
        }
    }
}

TEST_CASE("fragments: any order and any repetition gives the message exactly once") {
    Prng prng(Entropy{31});
    const EncodedMessage message = message_of(8000);
    auto parts = split_message(message, 3, 600);
    for (int round = 0; round < 50; ++round) {
        ReassemblyBudget budget;
        Reassembler reassembler(budget);
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            order.insert(order.end(), 1 + prng.below(3), i);
        }
        for (std::size_t i = order.size(); i > 1; --i) {
            std::swap(order[i - 1], order[prng.below(i)]);
        }
        int completed = 0;
        for (const std::size_t i : order) {
            const auto result = reassembler.on_fragment(at(0), fragment_of(parts[i]));
            REQUIRE(result != Result::Malformed);
            REQUIRE(result != Result::NoRoom);
            if (result == Result::Complete) {
                ++completed;
                CHECK(reassembler.take().bytes == message.bytes);
            }
        }
        CHECK(completed == 1);
        CHECK(budget.bytes_used == 0);
    }
}

TEST_CASE("fragments: interleaved messages are kept apart") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    const EncodedMessage first = message_of(1500, 1);
    const EncodedMessage second = message_of(1500, 2);
    const auto a = split_message(first, 0, 600);
    const auto b = split_message(second, 1, 600);
    REQUIRE(a.size() == 3);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(reassembler.on_fragment(at(0), fragment_of(b[i])) == Result::Stored);
        CHECK(reassembler.on_fragment(at(0), fragment_of(a[i])) == Result::Stored);
    }
    CHECK(reassembler.on_fragment(at(0), fragment_of(b[2])) == Result::Complete);
    CHECK(reassembler.take().bytes == second.bytes);
    CHECK(reassembler.on_fragment(at(0), fragment_of(a[2])) == Result::Complete);
    CHECK(reassembler.take().bytes == first.bytes);
}

TEST_CASE("fragments: one that contradicts those before it is refused, and they stay") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    REQUIRE(reassembler.on_fragment(at(0), fragment(5, 0, 3)) == Result::Stored);
    CHECK(reassembler.on_fragment(at(0), fragment(5, 1, 4)) == Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(5, 0, 3, 99)) == Result::Malformed);
    Fragment other_kind = fragment(5, 1, 3);
    other_kind.kind = MessageKind::Alert;
    CHECK(reassembler.on_fragment(at(0), other_kind) == Result::Malformed);
    Fragment other_bytes = fragment(5, 0, 3);
    const std::string changed = 'x' + std::string(99, 'f');
    other_bytes.bytes = as_bytes(changed);
    CHECK(reassembler.on_fragment(at(0), other_bytes) == Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(5, 1, 3, limits::kMessageBytesMax - 99)) ==
          Result::Malformed);
    CHECK(budget.bytes_used == 100);
    CHECK(reassembler.on_fragment(at(0), fragment(5, 1, 3)) == Result::Stored);
    CHECK(reassembler.on_fragment(at(0), fragment(5, 2, 3)) == Result::Complete);
    CHECK(reassembler.take().bytes.size() == 300);
}

TEST_CASE("fragments: nonsense in a single fragment is refused") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 3, 3)) == Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 0, 0)) == Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 0, limits::kFragmentsMax + 1)) ==
          Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 0, 2, 0)) == Result::Malformed);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 0, 2, limits::kMessageBytesMax + 1)) ==
          Result::Malformed);
    CHECK_FALSE(reassembler.next_deadline().has_value());
}

TEST_CASE("fragments: a link has room for a fixed number of messages at once") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    const auto count = static_cast<std::uint32_t>(limits::kReassembliesPerLinkMax);
    for (std::uint32_t i = 0; i < count; ++i) {
        CHECK(reassembler.on_fragment(at(0), fragment(i, 0, 2)) == Result::Stored);
    }
    CHECK(reassembler.on_fragment(at(0), fragment(count, 0, 2)) == Result::NoRoom);
    CHECK(reassembler.on_fragment(at(0), fragment(0, 1, 2)) == Result::Complete);
    CHECK(reassembler.on_fragment(at(0), fragment(count, 0, 2)) == Result::Stored);
}

TEST_CASE("fragments: bytes are limited per link and over all links") {
    ReassemblyBudget budget;
    {
        Reassembler reassembler(budget);
        std::uint32_t number = 0;
        std::size_t used = 0;
        constexpr std::size_t kEach = limits::kReassemblyBytesPerLinkMax / 8;
        for (; number < 8; ++number, used += kEach) {
            REQUIRE(reassembler.on_fragment(at(0), fragment(number, 0, 2, kEach)) ==
                    Result::Stored);
        }
        CHECK(budget.bytes_used == limits::kReassemblyBytesPerLinkMax);
        CHECK(reassembler.on_fragment(at(0), fragment(0, 1, 2, 1)) == Result::NoRoom);
    }
    CHECK(budget.bytes_used == 0);

    budget.bytes_used = limits::kReassemblyBytesMax - 100;
    Reassembler reassembler(budget);
    CHECK(reassembler.on_fragment(at(0), fragment(0, 0, 2, 101)) == Result::NoRoom);
    CHECK_FALSE(reassembler.next_deadline().has_value());
    CHECK(reassembler.on_fragment(at(0), fragment(0, 0, 2, 100)) == Result::Stored);
}

TEST_CASE("fragments: a message without progress for two seconds is given up") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    CHECK_FALSE(reassembler.next_deadline().has_value());
    REQUIRE(reassembler.on_fragment(at(0), fragment(1, 0, 3)) == Result::Stored);
    REQUIRE(reassembler.on_fragment(at(500), fragment(2, 0, 3)) == Result::Stored);
    REQUIRE(reassembler.on_fragment(at(1500), fragment(1, 1, 3)) == Result::Stored);
    REQUIRE(reassembler.on_fragment(at(1900), fragment(2, 0, 3)) == Result::Duplicate);
    CHECK(reassembler.next_deadline() == at(2500));
    CHECK(reassembler.on_timeout(at(2499)) == 0);
    CHECK(reassembler.on_timeout(at(2500)) == 1);
    CHECK(reassembler.on_timeout(at(2500)) == 0);
    CHECK(reassembler.next_deadline() == at(3500));
    CHECK(budget.bytes_used == 200);
    CHECK(reassembler.on_fragment(at(2600), fragment(1, 2, 3)) == Result::Complete);
}

TEST_CASE("fragments: stragglers of a message done with or given up take no room") {
    ReassemblyBudget budget;
    Reassembler reassembler(budget);
    REQUIRE(reassembler.on_fragment(at(0), fragment(1, 0, 1)) == Result::Complete);
    CHECK(reassembler.on_fragment(at(0), fragment(1, 0, 1)) == Result::Duplicate);
    REQUIRE(reassembler.on_fragment(at(0), fragment(2, 0, 2)) == Result::Stored);
    REQUIRE(reassembler.on_timeout(at(2000)) == 1);
    CHECK(reassembler.on_fragment(at(2001), fragment(2, 1, 2)) == Result::Duplicate);
    CHECK(budget.bytes_used == 0);
}

TEST_CASE("fragment: any form of its JSON reads the same, and none that is no JSON") {
    const auto read = [](std::string_view text) {
        Buffer bytes;
        append_big_endian<limits::kJsonLengthBytes>(bytes, text.size());
        append(bytes, text);
        append(bytes, "xy");
        const auto message = decode_message(MessageKind::Fragment, bytes);
        return message ? std::get<Fragment>(*message).index : std::uint16_t{UINT16_MAX};
    };
    CHECK(read(R"({"m":7,"i":1,"n":3,"k":23})") == 1);
    CHECK(read(R"({"n":3,"m":7,"later":[],"i":1,"k":23})") == 1);
    CHECK(read(R"({ "m":7,"i":1,"n":3,"k":23 })") == 1);
    CHECK(read(R"({"m":7,"i":01,"n":3,"k":23})") == UINT16_MAX);
    CHECK(read(R"({"m":4294967296,"i":1,"n":3,"k":23})") == UINT16_MAX);
    CHECK(read(R"({"m":7,"i":3,"n":3,"k":23})") == UINT16_MAX);
    CHECK(read(R"({"m":7,"i":1,"n":3,"k":23}})") == UINT16_MAX);
    CHECK(read(R"({"m":-7,"i":1,"n":3,"k":23})") == UINT16_MAX);
}
