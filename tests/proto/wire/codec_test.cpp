// SPDX-License-Identifier: Apache-2.0
#include "proto/wire/codec.h"

#include <doctest/doctest.h>

#include <set>

#include "proto/wire/limits.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;
using test::content;

namespace {

tl::expected<Message, DecodeError> decode(MessageKind kind, std::string_view json,
                                          std::string_view body = {}) {
    // The spans of the result are not looked at by those who use this.
    return decode_message(kind, content(json, body));
}

}  // namespace

TEST_CASE("codec: every message encodes to its golden bytes") {
    REQUIRE(test::samples().size() == test::message_vectors().size());
    for (const test::Sample& sample : test::samples()) {
        const EncodedMessage encoded = encode_message(sample.message);
        const EncodedMessage& golden = test::message_vector(sample.name);
        CHECK_MESSAGE(encoded.kind == golden.kind, sample.name);
        CHECK_MESSAGE(as_text(encoded.bytes) == as_text(golden.bytes), sample.name);
    }
}

TEST_CASE("codec: golden bytes decode to the message they came from") {
    for (const test::Sample& sample : test::samples()) {
        const EncodedMessage& golden = test::message_vector(sample.name);
        const auto message = decode_message(golden.kind, golden.bytes);
        REQUIRE_MESSAGE(message.has_value(), sample.name);
        CHECK_MESSAGE(message->index() == sample.message.index(), sample.name);
        CHECK_MESSAGE(as_text(encode_message(*message).bytes) == as_text(golden.bytes),
                      sample.name);
    }
}

TEST_CASE("codec: the samples hold every message there is") {
    std::set<std::size_t> seen;
    for (const test::Sample& sample : test::samples()) {
        seen.insert(sample.message.index());
    }
    CHECK(seen.size() == std::variant_size_v<Message>);
}

TEST_CASE("codec: decoded fields are those that were sent") {
    const EncodedMessage& bytes = test::message_vector("push_node_on_tree");
    const Push push = std::get<Push>(*decode_message(bytes.kind, bytes.bytes));
    CHECK(push.kind == RecordKind::Node);
    CHECK(push.covers_after == 3);
    CHECK(push.graph == 0xdeadbeef);
    CHECK(push.provenance.age_ms == 12);
    CHECK(push.provenance.path == std::vector<std::uint32_t>{1, UINT32_MAX});
    CHECK(push.provenance.report_ms == 5000);
    CHECK(push.record.size() == 11);
    CHECK(push.record.data() + push.record.size() == bytes.bytes.data() + bytes.bytes.size());

    const EncodedMessage& delta_bytes = test::message_vector("delta");
    const Delta delta = std::get<Delta>(*decode_message(delta_bytes.kind, delta_bytes.bytes));
    REQUIRE(delta.records.size() == 2);
    CHECK(delta.covers[0].author.text() == "box-a");
    CHECK(delta.covers[0].intervals == std::vector<Interval>{{3, 5}});
    CHECK(as_text(delta.records[1].record) == "next");
    CHECK(delta.records[1].provenance.report_ms == 60000);

    const EncodedMessage& digest_bytes = test::message_vector("digest_buckets");
    const Digest digest = std::get<Digest>(*decode_message(digest_bytes.kind, digest_bytes.bytes));
    CHECK(digest.buckets == 5);
    REQUIRE(digest.streams.size() == 3);
    CHECK(digest.streams[0].floor == 7);
    CHECK_FALSE(digest.streams[1].floor.has_value());
    CHECK(digest.streams[2].floor == 0);

    const EncodedMessage& request_bytes = test::message_vector("digest_request_buckets");
    const Digest request =
        std::get<Digest>(*decode_message(request_bytes.kind, request_bytes.bytes));
    CHECK(request.is_request);
    CHECK(request.hashes.value()[31] == 0x1f1f1f1f1f1f1f1f);

    const EncodedMessage& hello_bytes = test::message_vector("hello");
    const Hello hello = std::get<Hello>(*decode_message(hello_bytes.kind, hello_bytes.bytes));
    CHECK(hello.from.node.text() == "box-a");
    CHECK(hello.from.instance == InstanceId{0xa1});
    CHECK(hello.address == ipv4_endpoint({10, 0, 0, 1}, 9999));

    const EncodedMessage& req_bytes = test::message_vector("req_forced");
    CHECK(std::get<Req>(*decode_message(req_bytes.kind, req_bytes.bytes)).is_forced);

    const EncodedMessage& close_bytes = test::message_vector("close_silent");
    CHECK(std::get<Close>(*decode_message(close_bytes.kind, close_bytes.bytes)).reason ==
          CloseReason::Silent);

    const EncodedMessage& notice_bytes = test::message_vector("notice_on_its_way");
    const Notice notice = std::get<Notice>(*decode_message(notice_bytes.kind, notice_bytes.bytes));
    CHECK(notice.about == 9);
    CHECK(notice.path == std::vector<std::uint32_t>{1, UINT32_MAX});

    const EncodedMessage& beat_bytes = test::message_vector("heartbeat_request");
    const Heartbeat beat = std::get<Heartbeat>(*decode_message(beat_bytes.kind, beat_bytes.bytes));
    CHECK_FALSE(beat.is_reply);
    CHECK(beat.hashes->live == 0xfedcba9876543210);
    CHECK(beat.wall_ms == 1700000000123);
}

TEST_CASE("codec: kinds that this build does not know are told from broken messages") {
    for (int kind = 0; kind < 256; ++kind) {
        const auto result = decode(static_cast<MessageKind>(kind), "!");
        REQUIRE_FALSE(result.has_value());
        const bool known = (kind >= 1 && kind <= 8) || (kind >= 16 && kind <= 28);
        CHECK_MESSAGE(result.error() == (known ? DecodeError::Malformed : DecodeError::UnknownKind),
                      kind);
    }
}

TEST_CASE("codec: a push of an unknown record kind and an unknown routed payload are ignored") {
    CHECK(decode(MessageKind::StateSync, R"({"kind":"weather","after":0})", "x").error() ==
          DecodeError::UnknownKind);
    CHECK(decode(MessageKind::Broadcast,
                 R"({"source":"b","start":"00000000000000b2","seq":1,"timestamp":0,"to":"a",)"
                 R"("path":[],"letter":{}})",
                 "body")
              .error() == DecodeError::UnknownKind);
}

TEST_CASE("codec: a routed payload under the other kind is refused") {
    const EncodedMessage& note = test::message_vector("note");
    CHECK(decode_message(MessageKind::Search, note.bytes).error() == DecodeError::Malformed);
    const EncodedMessage& query = test::message_vector("search_query");
    CHECK(decode_message(MessageKind::Broadcast, query.bytes).error() == DecodeError::Malformed);
}

TEST_CASE("codec: members that this build does not know are ignored") {
    CHECK(decode(MessageKind::Conf, R"({"later":[1,{"x":null}]})").has_value());
    CHECK(decode(MessageKind::Heartbeat, R"({"z":"y","q":1})").has_value());
}

TEST_CASE("codec: optional members at zero are the same as absent") {
    const Buffer bytes =
        content(R"({"kind":"node","after":0,"graph":0,"age":0,"path":[],"report":0})", "x");
    const auto push = decode_message(MessageKind::StateSync, bytes);
    REQUIRE(push.has_value());
    CHECK(encode_message(*push).bytes == content(R"({"kind":"node","after":0})", "x"));
}

TEST_CASE("codec: streams that outgrow one message are cut into parts that each fit") {
    std::vector<StreamIntervals> streams;
    for (std::uint64_t i = 1; i <= 3000; ++i) {
        StreamIntervals stream{StreamId{i}, *NodeId::parse(std::string(63, 'n')), {}};
        for (std::uint64_t k = 0; k < i % 40; ++k) {
            stream.intervals.push_back(
                {limits::kCounterMax - 1000 + 3 * k, limits::kCounterMax - 999 + 3 * k});
        }
        if (i % 3 == 0) {
            stream.floor = limits::kCounterMax;
        }
        streams.push_back(std::move(stream));
    }
    std::vector<StreamIntervals> joined;
    for (const auto& part : split_streams(streams)) {
        const EncodedMessage digest = encode_message(test::digest(0, part));
        CHECK(digest.bytes.size() <= limits::kMessageBytesMax);
        const auto decoded = decode_message(digest.kind, digest.bytes);
        REQUIRE(decoded.has_value());
        const auto& back = std::get<Digest>(*decoded).streams;
        joined.insert(joined.end(), back.begin(), back.end());
    }
    REQUIRE(joined.size() == streams.size());
    CHECK(joined.back().stream == streams.back().stream);
    CHECK(joined[38].intervals == streams[38].intervals);
    CHECK(joined[38].floor == streams[38].floor);
    CHECK_FALSE(joined[39].floor.has_value());
    CHECK(split_streams({}).size() == 1);
}

TEST_CASE("codec: the bound on encoded bytes holds for the longest values") {
    const std::string bytes(500, 'r');
    DeltaRecord record{as_bytes(bytes),
                       {limits::kCounterMax,
                        std::vector<std::uint32_t>(limits::kHopsMax, UINT32_MAX), UINT32_MAX}};
    StreamIntervals stream{StreamId{UINT64_MAX}, *NodeId::parse(std::string(63, 'n')), {}};
    for (std::uint64_t i = 0; i < limits::kMessageIntervalsMax; ++i) {
        stream.intervals.push_back(
            {limits::kCounterMax - 1000 + 3 * i, limits::kCounterMax - 1000 + 3 * i});
    }
    stream.floor = limits::kCounterMax;
    const std::size_t empty = encode_message(Delta{}).bytes.size();
    const std::size_t with_record = encode_message(Delta{{}, {record, record}}).bytes.size();
    CHECK(with_record - empty <= 2 * encoded_bytes_max(record));
    const std::size_t with_streams = encode_message(Delta{{stream, stream}, {}}).bytes.size();
    CHECK(with_streams - empty <= 2 * encoded_bytes_max(stream));
}
