// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "proto/base/prng.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;
using namespace std::string_literals;

namespace {

/// A census of one stream that covers 1 to 9 and `rest`.
bool accepts(const std::string& body, const std::string& covered = "1,9") {
    const std::string json =
        R"({"part":0,"parts":1,"streams":[["00000000000000c1","a",[)" + covered + R"(],0]]})";
    return decode_message(MessageKind::Census, test::content(json, body)).has_value();
}

StreamIntervals stream_of(std::uint64_t id, std::vector<Interval> intervals,
                          std::uint64_t floor = 0) {
    return {StreamId{id}, *NodeId::parse("box-" + std::to_string(id)), std::move(intervals), floor};
}

void add(std::vector<Interval>& intervals, const Interval& interval) {
    if (!intervals.empty() && intervals.back().last + 1 == interval.first) {
        intervals.back().last = interval.last;
    } else {
        intervals.push_back(interval);
    }
}

/// Encodes and decodes each part, and puts the pieces of each stream together again. The decoder
/// has checked that what is live in a part is covered there.
std::vector<CensusStream> join(const std::vector<Census>& parts) {
    std::map<std::uint64_t, CensusStream> joined;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const EncodedMessage message = encode_message(parts[i]);
        CHECK(message.bytes.size() <= limits::kMessageBytesMax);
        const auto decoded = decode_message(message.kind, message.bytes);
        REQUIRE(decoded.has_value());
        const auto& census = std::get<Census>(*decoded);
        CHECK(census.part == i);
        CHECK(census.parts == parts.size());
        for (const CensusStream& piece : census.streams) {
            CensusStream& stream = joined[piece.covered.stream.value];
            stream.covered.stream = piece.covered.stream;
            stream.covered.author = piece.covered.author;
            stream.covered.floor = piece.covered.floor;
            for (const Interval& interval : piece.covered.intervals) {
                add(stream.covered.intervals, interval);
            }
            stream.live.insert(stream.live.end(), piece.live.begin(), piece.live.end());
        }
    }
    std::vector<CensusStream> streams;
    for (auto& [id, stream] : joined) {
        streams.push_back(std::move(stream));
    }
    return streams;
}

void check_equal(const std::vector<CensusStream>& a, const std::vector<CensusStream>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(a[i].covered.stream == b[i].covered.stream);
        CHECK(a[i].covered.author == b[i].covered.author);
        CHECK(a[i].covered.floor == b[i].covered.floor);
        CHECK((a[i].covered.intervals == b[i].covered.intervals));
        CHECK((a[i].live == b[i].live));
    }
}

}  // namespace

TEST_CASE("census: live counters are those that were sent") {
    const EncodedMessage& bytes = test::message_vector("census");
    const Census census = std::get<Census>(*decode_message(bytes.kind, bytes.bytes));
    CHECK(census.part == 1);
    CHECK(census.parts == 3);
    REQUIRE(census.streams.size() == 2);
    CHECK(census.streams[0].covered.floor == 7);
    CHECK(census.streams[0].live == std::vector<Interval>{{2, 2}, {4, 9}, {20, 300}});
    CHECK(census.streams[1].covered.intervals.empty());
    CHECK(census.streams[1].live.empty());
}

TEST_CASE("census: live counters rise, are apart, and lie within what is covered") {
    CHECK(accepts("\0"s));
    CHECK(accepts("\1\0\11"s));
    CHECK_FALSE(accepts("\1\0\12"s));
    CHECK(accepts("\1\10\1"s));
    CHECK_FALSE(accepts("\1\11\1"s));
    CHECK_FALSE(accepts("\1\0\0"s));
    CHECK(accepts("\2\0\1\1\1"s));
    CHECK_FALSE(accepts("\2\0\1\0\1"s));
    CHECK_FALSE(accepts("\2\0\1\1\0"s));
    CHECK(accepts("\1\0\11"s, "1,9,11,20"));
    CHECK_FALSE(accepts("\1\0\13"s, "1,9,11,20"));
    CHECK_FALSE(accepts("\1\11\1"s, "1,9,11,20"));
    CHECK(accepts("\1\12\12"s, "1,9,11,20"));
    CHECK_FALSE(accepts("\1\12\13"s, "1,9,11,20"));
    CHECK_FALSE(accepts("\1\0\1"s, ""));
}

TEST_CASE("census: a body has all its numbers and no byte more") {
    CHECK_FALSE(accepts(""));
    CHECK_FALSE(accepts("\1"s));
    CHECK_FALSE(accepts("\1\0"s));
    CHECK_FALSE(accepts("\0\0"s));
    CHECK_FALSE(accepts("\1\0\1\0"s));
    CHECK_FALSE(accepts("\2\0\1"s));
}

TEST_CASE("census: a number has one form, and at most eight bytes") {
    CHECK_FALSE(accepts("\x80\0"s));
    CHECK_FALSE(accepts("\x81\0\0\1"s));
    CHECK_FALSE(accepts("\1\x80\0\1"s));
    CHECK_FALSE(accepts("\1\0\x81\0"s));
    CHECK_FALSE(accepts("\1\0\x81"s));
    const std::string all = "1,9007199254740991";
    CHECK(accepts("\1\0\xff\xff\xff\xff\xff\xff\xff\x0f"s, all));
    CHECK_FALSE(accepts("\1\0\x80\x80\x80\x80\x80\x80\x80\x10"s, all));
    CHECK(accepts("\1\xfe\xff\xff\xff\xff\xff\xff\x0f\1"s, all));
    CHECK_FALSE(accepts("\1\xff\xff\xff\xff\xff\xff\xff\x0f\1"s, all));
    CHECK_FALSE(
        accepts("\1\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x7f"s, all));
    CHECK_FALSE(accepts("\1\0\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, all));
}

TEST_CASE("census: a count that the body has no room for is refused before room is made for it") {
    CHECK_FALSE(accepts("\xff\xff\xff\xff\xff\xff\xff\x7f"s));
    CHECK_FALSE(accepts("\xff\xff\xff\x7f\0\1\1\1"s, "1,9007199254740991"));
    CHECK_FALSE(accepts("\3\0\1\1\1\1"s));
}

TEST_CASE("census: none at all is one empty part") {
    const std::vector<Census> parts = split_census({});
    REQUIRE(parts.size() == 1);
    CHECK(parts[0].streams.empty());
    CHECK(parts[0].part == 0);
    CHECK(parts[0].parts == 1);
    CHECK_FALSE(parts[0].is_request);
}

TEST_CASE("census: a stream too long for a message is cut, what is covered as what is live") {
    CensusStream stream{stream_of(0xc1, {{1, 1'000'000}, {2'000'000, 2'000'010}}, 5), {}};
    for (std::uint64_t i = 1; i < 1'000'000; i += 5) {
        stream.live.push_back({i, i + i % 4});
    }
    stream.live.push_back({2'000'003, 2'000'010});
    const std::vector<Census> parts = split_census({stream});
    check_equal(join(parts), {stream});
    // 200 000 intervals of two bytes.
    CHECK(parts.size() == 6);
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto& before = parts[i - 1].streams.back().covered.intervals;
        CHECK(parts[i].streams.front().covered.intervals.front().first == before.back().last + 1);
    }
}

TEST_CASE("census: streams of all shapes come together again from their parts") {
    Prng prng(std::array<std::uint8_t, 32>{7});
    for (int round = 0; round < 20; ++round) {
        std::vector<CensusStream> streams;
        for (std::uint64_t id = 1; id <= 40; ++id) {
            CensusStream stream{stream_of(id, {}, prng.below(1000)), {}};
            std::uint64_t at = 1 + prng.below(limits::kCounterMax / 2);
            for (std::uint64_t n = prng.below(limits::kIntervalsMax + 1); n > 0; --n) {
                const std::uint64_t first = at;
                for (std::uint64_t k = prng.below(300); k > 0; --k) {
                    const std::uint64_t last = at + prng.below(k % 9 == 0 ? 100'000 : 5);
                    stream.live.push_back({at, last});
                    at = last + 2 + prng.below(k % 7 == 0 ? 1'000'000 : 3);
                }
                stream.covered.intervals.push_back({first, at});
                at += 2 + prng.below(1000);
            }
            streams.push_back(std::move(stream));
        }
        check_equal(join(split_census(streams)), streams);
    }
}

TEST_CASE("census: what goes beyond the greatest number of parts is left out") {
    std::vector<Interval> intervals;
    for (std::uint64_t i = 0; i < limits::kMessageIntervalsMax; ++i) {
        intervals.push_back(
            {limits::kCounterMax - 1000 + 3 * i, limits::kCounterMax - 999 + 3 * i});
    }
    const std::vector<CensusStream> streams(20 * limits::kCensusPartsMax,
                                            {stream_of(1, intervals), {}});
    const std::vector<Census> parts = split_census(streams);
    CHECK(parts.size() == limits::kCensusPartsMax);
    CHECK(parts.back().part == limits::kCensusPartsMax - 1);
    CHECK(parts.back().parts == limits::kCensusPartsMax);
    CHECK(encode_message(parts.back()).bytes.size() <= limits::kMessageBytesMax);
}
