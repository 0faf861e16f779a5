// SPDX-License-Identifier: Apache-2.0
#include "tests/proto/wire/samples.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "proto/wire/features.h"

namespace meshd::test {
namespace {

constexpr std::string_view kRecord{"\0\0\2{}record", 11};
constexpr std::string_view kFragmentBytes{"\0\xff\x10", 3};

NodeId node(std::string_view name) {
    return *NodeId::parse(name);
}

Identity box_a() {
    return {node("box-a"), InstanceId{0xa1}, StartId{0xa2}};
}

Identity box_b() {
    return {node("box-b"), InstanceId{0xb1}, StartId{0xb2}};
}

Cookie cookie() {
    Cookie cookie;
    for (std::uint8_t i = 0; i < cookie.size(); ++i) {
        cookie[i] = i;
    }
    return cookie;
}

NoiseMessage noise_message() {
    NoiseMessage message;
    for (std::uint8_t i = 0; i < message.size(); ++i) {
        message[i] = static_cast<std::uint8_t>(i * 5 + 1);
    }
    return message;
}

constexpr std::string_view kNote = "{\"door\":3}";

/// To everyone where `to` is empty.
Routed routed(std::string_view to, RoutedPayload payload, std::uint32_t graph = 0) {
    return {node("box-b"), StartId{0xb2}, 12,     1700000000123, to.empty() ? NodeId() : node(to),
            graph,         {5, 6},        payload};
}

Push push(RecordKind kind, std::uint64_t covers_after, std::uint32_t graph, Provenance provenance) {
    return {kind, as_bytes(kRecord), covers_after, graph, std::move(provenance)};
}

BucketHashes bucket_hashes() {
    BucketHashes hashes;
    for (std::size_t i = 0; i < hashes.size(); ++i) {
        hashes[i] = 0x0101010101010101 * i;
    }
    return hashes;
}

Digest digest_request(std::optional<BucketHashes> hashes) {
    Digest digest;
    digest.is_request = true;
    digest.hashes = hashes;
    return digest;
}

std::vector<Sample> make_samples() {
    constexpr std::uint64_t kCounterMax = 9007199254740991;
    constexpr std::uint32_t kAllBuckets = 0xffffffff;
    const StreamIntervals wanted{StreamId{0xc1}, node("box-a"), {{3, 5}}};
    return {
        {"hello", Hello{1, 1, 0, "default", box_a(), parse_endpoint("10.0.0.1:9999")}},
        {"hello_unicast", Hello{1, 3, UINT32_MAX, "yard", box_a(), std::nullopt}},
        {"offer", Offer{1, 1, box_b(), StartId{0xa2}, cookie(), 0x76b8e0ada0f13d90}},
        {"req", Req{1, "default", box_a(), StartId{0xb2}, cookie(), SessionId{0x12345678},
                    LinkReason::Bridge}},
        {"req_forced", Req{1, "default", box_a(), StartId{0xb2}, cookie(), SessionId{1},
                           LinkReason::Bridge, true}},
        {"req_sealed", Req{1, "default", box_a(), StartId{0xb2}, cookie(), SessionId{1},
                           LinkReason::Fill, false, features::kKeyGrant, noise_message()}},
        {"acc", Acc{box_b(), StartId{0xa2}, SessionId{0x12345678}, SessionId{0x87654321}, ""}},
        {"acc_refused", Acc{box_b(), StartId{0xa2}, SessionId{1}, SessionId{}, "full"}},
        {"acc_sealed", Acc{box_b(), StartId{0xa2}, SessionId{1}, SessionId{5}, "",
                           features::kKeyGrant, noise_message()}},
        {"conf", Conf{}},
        {"close", Close{CloseReason::Restarting}},
        {"close_silent", Close{CloseReason::Silent}},
        {"prune", Prune{}},
        {"notice", Notice{3735928559, {}}},
        {"notice_on_its_way", Notice{9, {1, UINT32_MAX}}},
        {"heartbeat_request",
         Heartbeat{false, 7, DigestHashes{0x0123456789abcdef, 0xfedcba9876543210}, 1700000000123}},
        {"heartbeat_reply", Heartbeat{true, 7, std::nullopt, std::nullopt}},
        {"ack", Ack{{{1, 4}, {6, 6}, {kCounterMax - 1, kCounterMax}}}},
        {"push_node_on_tree", push(RecordKind::Node, 3, 0xdeadbeef, {12, {1, UINT32_MAX}, 5000})},
        {"push_state_flooded", push(RecordKind::State, 0, 0, {})},
        {"push_alert", push(RecordKind::Alert, 41, 9, {0, {77}, 0})},
        {"push_registry", push(RecordKind::Registry, 1, 0, {})},
        {"digest_request", digest_request(std::nullopt)},
        {"digest_request_buckets", digest_request(bucket_hashes())},
        {"digest", digest(kAllBuckets, {{StreamId{0xc1}, node("box-a"), {{1, 9}}},
                                        {StreamId{0xc2}, node("box-b"), {{2, 2}, {4, 7}}}})},
        {"digest_empty", digest(kAllBuckets, {})},
        {"digest_buckets", digest(5, {{StreamId{0xc1}, node("box-a"), {{1, 9}}, 7},
                                      {StreamId{0xc2}, node("box-b"), {{2, 2}}},
                                      {StreamId{0xc3}, node("box-b"), {{4, 4}}, 0}})},
        {"pull", Pull{{wanted}}},
        {"delta",
         Delta{{wanted},
               {{as_bytes(kRecord), {250, {1, 2}, 0}}, {as_bytes("next"), {0, {}, 60000}}}}},
        {"delta_without_records", Delta{{wanted}, {}}},
        {"delta_floor", Delta{{{StreamId{0xc1}, node("box-a"), {{1, 9}}, 7}}, {}}},
        {"fragment", Fragment{2, 1, 3, MessageKind::Delta, as_bytes(kFragmentBytes)}},
        {"routed_delivery_report", routed("box-a", DeliveryReport{StreamId{0xc1}, 9})},
        {"note", routed("box-a", Note{1, true, "", as_bytes(kNote)})},
        {"note_to_all", routed("", Note{kCounterMax, false, "doors", as_bytes(kNote)}, 0xdeadbeef)},
        {"note_flooded", routed("", Note{3, false, "", as_bytes(kNote)})},
        {"note_ack", routed("box-a", NoteAck{1})},
        {"ping", routed("box-a", Ping{7})},
        {"ping_trace", routed("box-a", Ping{7, true})},
        {"pong", routed("box-a", Pong{7, {1, UINT32_MAX}})},
        {"search_query", routed("box-a", SearchQuery{8, "person", 1500, 10, as_bytes(kNote)})},
        {"search_query_to_all",
         routed("", SearchQuery{8, "hash", 60000, 1000, as_bytes(kNote)}, 9)},
        {"search_answer",
         routed("box-a", SearchAnswer{8, false, true, 1, 2, "", as_bytes("[{}]")})},
        {"search_answer_pending", routed("box-a", SearchAnswer{8, true, false, 0, 0, "", {}})},
        {"search_answer_refused",
         routed("box-a", SearchAnswer{8, false, false, 0, 0, "overloaded", {}})},
        {"census_request", Census{true, 0, 1, {}}},
        {"census", Census{false,
                          1,
                          3,
                          {{{StreamId{0xc1}, node("box-a"), {{1, 9}, {20, 400}}, 7},
                            {{2, 2}, {4, 9}, {20, 300}}},
                           {{StreamId{0xc2}, node("box-b"), {}, 0}, {}}}}},
        {"census_empty", Census{}},
        {"announce", Announce{{wanted}}},
        {"key_grant", KeyGrant{2, {1, 2, 3, 250}}},
    };
}

/// Fields of each line that is no comment.
std::vector<std::vector<std::string>> read_rows(const std::string& file) {
    std::ifstream stream(std::string(MESHD_VECTORS) + '/' + file);
    REQUIRE_MESSAGE(stream.good(), file);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(stream, line);) {
        if (line.empty() || line.front() == '#') {
            continue;
        }
        std::istringstream fields(line);
        auto& row = rows.emplace_back();
        for (std::string field; std::getline(fields, field, '\t');) {
            row.push_back(field);
        }
    }
    return rows;
}

Buffer from_hex(const std::string& text) {
    Buffer bytes(text.size() / 2);
    REQUIRE(parse_hex_bytes(text, bytes.data(), bytes.size()));
    return bytes;
}

}  // namespace

Digest digest(std::uint32_t buckets, std::vector<StreamIntervals> streams) {
    Digest digest;
    digest.buckets = buckets;
    digest.streams = std::move(streams);
    return digest;
}

Buffer content(std::string_view json, std::string_view body) {
    Buffer bytes;
    append_big_endian<3>(bytes, json.size());
    append(bytes, json);
    append(bytes, body);
    return bytes;
}

const std::vector<Sample>& samples() {
    static const std::vector<Sample> kSamples = make_samples();
    return kSamples;
}

const std::vector<MessageVector>& message_vectors() {
    static const std::vector<MessageVector> kVectors = [] {
        std::vector<MessageVector> vectors;
        for (const auto& row : read_rows("messages.tsv")) {
            REQUIRE(row.size() == 4);
            const Buffer body = row[3] == "-" ? Buffer() : from_hex(row[3]);
            vectors.push_back(
                {row[0],
                 {static_cast<MessageKind>(std::stoi(row[1])), content(row[2], as_text(body))}});
        }
        return vectors;
    }();
    return kVectors;
}

const EncodedMessage& message_vector(const std::string& name) {
    for (const MessageVector& vector : message_vectors()) {
        if (vector.name == name) {
            return vector.encoded;
        }
    }
    FAIL(name);
    return message_vectors().front().encoded;
}

const std::vector<DatagramVector>& datagram_vectors() {
    static const std::vector<DatagramVector> kVectors = [] {
        std::vector<DatagramVector> vectors;
        for (const auto& row : read_rows("datagrams.tsv")) {
            REQUIRE(row.size() == 3);
            DatagramVector& vector = vectors.emplace_back();
            vector.name = row[0];
            std::istringstream items(row[1]);
            for (std::string item; std::getline(items, item, ',');) {
                vector.items.push_back(item);
            }
            vector.bytes = from_hex(row[2]);
        }
        return vectors;
    }();
    return kVectors;
}

}  // namespace meshd::test
