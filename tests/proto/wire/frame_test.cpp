// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/frame.h"

#include <doctest/doctest.h>

#include "proto/base/hash.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;

namespace {

DatagramHeader session_header(std::uint64_t counter) {
    DatagramHeader header;
    header.session = SessionId{0x12345678};
    header.counter = counter;
    return header;
}

DatagramHeader outside_header() {
    DatagramHeader header;
    header.kind = DatagramKind::Outside;
    return header;
}

Buffer build(const DatagramHeader& header, const std::vector<std::string>& items,
             std::size_t pad_to = 0) {
    Prng prng(Entropy{});
    DatagramBuilder builder(header, limits::kDatagramBytesDefault, &prng);
    for (const std::string& item : items) {
        REQUIRE(builder.add(test::message_vector(item)));
    }
    return std::move(builder).finish(nullptr, pad_to);
}

/// `bytes` with the tag that fits them.
Buffer tagged(Buffer bytes) {
    append(bytes, Bytes(hash128(bytes)));
    return bytes;
}

/// Header of a session datagram, then `items` as they are.
Buffer raw_datagram(Bytes items) {
    Buffer bytes = {1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    append(bytes, items);
    return tagged(std::move(bytes));
}

}  // namespace

TEST_CASE("frame: datagrams are built to their golden bytes") {
    const auto& vectors = test::datagram_vectors();
    CHECK(build(session_header(1), vectors[0].items) == vectors[0].bytes);
    CHECK(build(session_header(258), vectors[1].items) == vectors[1].bytes);
    CHECK(build(outside_header(), vectors[2].items, limits::kHelloBytes) == vectors[2].bytes);
    CHECK(vectors[2].bytes.size() == limits::kHelloBytes);
}

TEST_CASE("frame: a datagram of however many items opens to them, in order") {
    const auto& all = test::datagram_vectors()[0].items;
    for (const std::size_t count : {1U, 3U, 4U, 5U, 6U, 9U}) {
        Prng prng(Entropy{});
        DatagramBuilder builder(session_header(1), limits::kDatagramBytesMax, &prng);
        EncodedMessage message = test::message_vector(all.front());
        for (std::size_t i = 0; i < count; ++i) {
            message.bytes.back() = static_cast<std::uint8_t>(i);
            REQUIRE(builder.add(message));
        }
        const Buffer bytes = std::move(builder).finish();
        const auto opened = open_datagram(bytes);
        REQUIRE(opened.has_value());
        REQUIRE(opened->items.size() == count);
        CHECK(opened->items.end() - opened->items.begin() == static_cast<std::ptrdiff_t>(count));
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(opened->items[i].bytes.back() == i);
        }
    }
}

TEST_CASE("frame: golden datagrams open to their items, padding skipped") {
    for (const test::DatagramVector& vector : test::datagram_vectors()) {
        const auto opened = open_datagram(vector.bytes);
        REQUIRE_MESSAGE(opened.has_value(), vector.name);
        REQUIRE(opened->items.size() == vector.items.size());
        for (std::size_t i = 0; i < vector.items.size(); ++i) {
            const EncodedMessage& expected = test::message_vector(vector.items[i]);
            CHECK(opened->items[i].kind == expected.kind);
            CHECK(as_text(opened->items[i].bytes) == as_text(expected.bytes));
        }
        CHECK(peek_header(vector.bytes)->session == opened->header.session);
        CHECK(peek_header(vector.bytes)->counter == opened->header.counter);
    }
    const auto opened = open_datagram(test::datagram_vectors()[1].bytes);
    CHECK(opened->header.kind == DatagramKind::Session);
    CHECK(opened->header.session == SessionId{0x12345678});
    CHECK(opened->header.counter == 258);
}

TEST_CASE("frame: two datagrams outside a session never share their random bytes") {
    Prng prng(Entropy{5});
    DatagramBuilder first(outside_header(), 600, &prng);
    DatagramBuilder second(outside_header(), 600, &prng);
    CHECK(std::move(first).finish() != std::move(second).finish());
}

TEST_CASE("frame: headers that break a rule are refused for that reason") {
    struct Row {
        std::size_t at;
        std::uint8_t value;
        FrameError error;
    };
    const Buffer good = raw_datagram({});
    REQUIRE(open_datagram(good).has_value());
    for (const Row& row :
         {Row{0, 0, FrameError::Version}, Row{0, 2, FrameError::Version},
          Row{1, 0, FrameError::Kind}, Row{1, 3, FrameError::Kind}, Row{1, 1, FrameError::Kind},
          Row{7, 0, FrameError::Kind}, Row{15, 0, FrameError::Kind}, Row{6, 1, FrameError::Tag},
          Row{20, 0xff, FrameError::Tag}}) {
        Buffer bad = good;
        bad[row.at] = row.value;
        CHECK_MESSAGE(open_datagram(bad).error() == row.error, row.at, " = ", row.value);
    }
}

TEST_CASE("frame: session counters end where JSON numbers stop being exact") {
    const auto with_counter = [](std::uint64_t counter) {
        Buffer bytes = {1, 2, 0, 0, 0, 0, 0, 1};
        append_big_endian<8>(bytes, counter);
        return tagged(std::move(bytes));
    };
    CHECK(open_datagram(with_counter(limits::kCounterMax))->header.counter == limits::kCounterMax);
    for (const std::uint64_t counter : {limits::kCounterMax + 1, std::uint64_t{UINT64_MAX}}) {
        CHECK(peek_header(with_counter(counter)).error() == FrameError::Kind);
        CHECK(open_datagram(with_counter(counter)).error() == FrameError::Kind);
    }
}

TEST_CASE("frame: unknown flags are ignored") {
    Buffer bytes = {1, 2, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
    const Buffer datagram = tagged(bytes);
    REQUIRE(open_datagram(datagram).has_value());
    CHECK(open_datagram(datagram)->header.flags == 0xffff);
}

TEST_CASE("frame: lengths outside the limits are refused") {
    CHECK(open_datagram({}).error() == FrameError::TooShort);
    CHECK(open_datagram(Buffer(31, 1)).error() == FrameError::TooShort);
    CHECK(open_datagram(Buffer(limits::kDatagramBytesMax + 1, 1)).error() == FrameError::TooLong);
    Buffer outside(39, 0);
    outside[0] = 1;
    outside[1] = 1;
    CHECK(open_datagram(tagged(outside)).error() == FrameError::TooShort);
    outside.push_back(0);
    CHECK(open_datagram(tagged(outside)).has_value());

    Buffer longest = {1, 0, 0, 0};
    longest.resize(limits::kDatagramBytesMax - limits::kHeaderBytes - limits::kTagBytes);
    store_big_endian<3>(longest.data() + 1, longest.size() - 4);
    CHECK(open_datagram(raw_datagram(longest)).has_value());
}

TEST_CASE("frame: items whose lengths do not add up are refused") {
    CHECK(open_datagram(raw_datagram(Buffer{1, 0, 0, 0})).has_value());
    CHECK(open_datagram(raw_datagram(Buffer{1, 0, 0})).error() == FrameError::Items);
    CHECK(open_datagram(raw_datagram(Buffer{1, 0, 0, 1})).error() == FrameError::Items);
    CHECK(open_datagram(raw_datagram(Buffer{1, 0, 0, 1, 9})).has_value());
    CHECK(open_datagram(raw_datagram(Buffer{1, 0, 0, 1, 9, 9})).error() == FrameError::Items);
    CHECK(open_datagram(raw_datagram(Buffer{1, 0xff, 0xff, 0xff, 9})).error() == FrameError::Items);
}

TEST_CASE("frame: the number of items is limited, for builder and receiver") {
    const Buffer full(4 * limits::kItemsMax, 0);
    CHECK(open_datagram(raw_datagram(full)).has_value());
    const Buffer beyond(4 * (limits::kItemsMax + 1), 0);
    CHECK(open_datagram(raw_datagram(beyond)).error() == FrameError::Items);

    DatagramBuilder builder(session_header(1), limits::kDatagramBytesMax, nullptr);
    const EncodedMessage tiny{MessageKind::Conf, test::content("{}")};
    std::size_t added = 0;
    while (builder.add(tiny)) {
        ++added;
    }
    CHECK(added == limits::kItemsMax);
    CHECK(open_datagram(std::move(builder).finish()).has_value());
}

TEST_CASE("frame: a message of exactly the room left fits, one byte more does not") {
    for (const std::size_t bytes_max : {limits::kDatagramBytesMin, limits::kDatagramBytesDefault}) {
        DatagramBuilder builder(session_header(1), bytes_max, nullptr);
        CHECK(builder.empty());
        REQUIRE(builder.add(test::message_vector("ack")));
        const std::size_t room = builder.room();
        CHECK_FALSE(builder.add({MessageKind::Alert, Buffer(room + 1, 'x')}));
        CHECK(builder.add({MessageKind::Alert, Buffer(room, 'x')}));
        CHECK(builder.room() == 0);
        CHECK_FALSE(builder.empty());
        CHECK(std::move(builder).finish().size() == bytes_max);
    }
}

TEST_CASE("frame: padding reaches the length asked for and never cuts") {
    const std::size_t plain = build(session_header(1), {"conf"}).size();
    CHECK(build(session_header(1), {"conf"}, plain).size() == plain);
    CHECK(build(session_header(1), {"conf"}, plain - 9).size() == plain);
    for (std::size_t pad_to = plain + 4; pad_to < plain + 40; ++pad_to) {
        const Buffer padded = build(session_header(1), {"conf"}, pad_to);
        CHECK(padded.size() == pad_to);
        CHECK(open_datagram(padded)->items.size() == 1);
    }
}
