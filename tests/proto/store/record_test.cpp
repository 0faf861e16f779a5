// SPDX-License-Identifier: Apache-2.0
#include "proto/store/record.h"

#include <doctest/doctest.h>

#include <functional>

#include "proto/base/hash.h"
#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

NodeData full_node_data() {
    NodeData data = node_data(0x11, 0x12);
    data.alert_floor = 3;
    data.critical_floor = 7;
    data.addresses = {ipv4_endpoint({10, 7, 0, 1}, 9999)};
    data.links = {{id("cam-2"), 0}, {id("cam-3"), 2}};
    data.presence = Presence::Restarting;
    return data;
}

const RecordHeader kNodeHeader = header_of(RecordKind::Node, "cam-1", 0x11, 5, 0x18bcfe568000001);
constexpr std::string_view kNodeJson =
    R"({"kind":"node","node":"cam-1","stream":"0000000000000011","counter":5,)"
    R"("clock":"018bcfe568000001","data":{"instance":"00000000000000a1","start":"00000000000000b1",)"
    R"("version":"0.1.0","volatile":"0000000000000011","durable":"0000000000000012","floor":3,)"
    R"("critical_floor":7,"addresses":["10.7.0.1:9999"],"links":[["cam-2",0],["cam-3",2]],)"
    R"("presence":"restarting"}})";
constexpr std::string_view kStateJson =
    R"({"kind":"state","node":"cam-1","stream":"0000000000000011","counter":6,)"
    R"("clock":"018bcfe568000002","data":{"activity":"PROCESSING","document":{"fps":25}}})";
constexpr std::string_view kAlertJson =
    R"({"kind":"alert","node":"cam-1","stream":"0000000000000012","counter":1,)"
    R"("clock":"018bcfe568000003","data":{"priority":3,"timestamp":1700000000000,)"
    R"("alert":{"what":"smoke","zone":[4,{"x":1.50}]}}})";

/// `text` with the first `from` replaced; it must be there.
std::string with(std::string_view text, std::string_view from, std::string_view to) {
    std::string changed(text);
    const auto at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
}

bool is_accepted(std::string_view json) {
    return decode_record(record_of(json)).has_value();
}

std::string nested(unsigned depth) {
    std::string text = "{\"a\":";
    text += std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    return text;
}

}  // namespace

TEST_CASE("record: a node record has exactly these bytes, and reads back") {
    const Buffer bytes = encode_node_record(kNodeHeader, full_node_data());
    CHECK(as_text(Bytes(bytes).subspan(3)) == kNodeJson);
    CHECK(load_big_endian<3>(bytes.data()) == kNodeJson.size());
    const Record record = decode_record(bytes).value();
    CHECK(record.header.author == id("cam-1"));
    CHECK(record.header.stream.value == 0x11);
    CHECK(record.header.counter == 5);
    CHECK(record.header.clock.value == 0x18bcfe568000001);
    CHECK(record.hash == checksum64(bytes));
    CHECK(as_text(record.bytes) == as_text(bytes));
    REQUIRE(record.node);
    CHECK(record.node->durable_stream.value == 0x12);
    CHECK(record.node->alert_floor == 3);
    CHECK(record.node->critical_floor == 7);
    CHECK(record.node->addresses == full_node_data().addresses);
    CHECK(record.node->links == full_node_data().links);
    CHECK(record.node->presence == Presence::Restarting);
    CHECK_FALSE(record.state);
    CHECK(encode_node_record(record.header, *record.node) == bytes);
}

TEST_CASE("record: forgotten nodes stand in a node record where there are any") {
    NodeData data = full_node_data();
    data.forgotten = {{id("cam-8"), StreamId{0x77}, HybridTime{0x5}},
                      {id("cam-9"), StreamId{0x55}, HybridTime{0x4}}};
    const Buffer bytes = encode_node_record(kNodeHeader, data);
    const std::string json = with(kNodeJson, R"("presence":"restarting")",
                                  R"("presence":"restarting",)"
                                  R"("forgotten":[["cam-8","0000000000000077","0000000000000005"],)"
                                  R"(["cam-9","0000000000000055","0000000000000004"]])");
    CHECK(as_text(Bytes(bytes).subspan(3)) == json);
    CHECK(decode_record(bytes).value().node->forgotten == data.forgotten);
    CHECK(decode_record(record_of(kNodeJson)).value().node->forgotten.empty());
    for (
        const std::string_view wrong : {
            R"([["cam-9","0000000000000055","0000000000000001"],["cam-8","0000000000000077","0000000000000001"]])",
            R"([["cam-9","0000000000000055","0000000000000001"],["cam-9","0000000000000055","0000000000000002"]])",
            R"([["cam-1","0000000000000055","0000000000000001"]])",
            R"([["cam-9","0000000000000000","0000000000000001"]])",
            R"([["cam-9",55,"0000000000000001"]])",
            R"([["cam 9","0000000000000055","0000000000000001"]])",
            R"([["cam-9","0000000000000055"]])",
            R"([["cam-9","0000000000000055",1]])",
            R"([["cam-9","0000000000000055","8000000000000000"]])",
            R"([["cam-9"]])",
            R"(["cam-9"])",
            R"({})",
            R"(null)",
        }) {
        CAPTURE(wrong);
        CHECK_FALSE(
            is_accepted(with(kNodeJson, R"("presence":"restarting")",
                             R"("presence":"restarting","forgotten":)" + std::string(wrong))));
    }
}

TEST_CASE("record: as many forgotten nodes and links as allowed fit with the longest names") {
    NodeData data = full_node_data();
    const auto name = [](char first, std::size_t number) {
        std::string text = std::to_string(number + 100);
        text.insert(0, 1, first);
        text.append(NodeId::kLengthMax - text.size(), 'x');
        return id(text);
    };
    data.version.assign(limits::kVersionTextBytesMax, 'v');
    data.alert_floor = data.critical_floor = limits::kCounterMax;
    data.addresses.assign(limits::kAddressesMax, ipv4_endpoint({255, 255, 255, 255}, 65535));
    data.links.clear();
    for (std::size_t i = 0; i < limits::kLinksMax; ++i) {
        data.links.push_back({name('l', i), 2});
    }
    for (std::size_t i = 0; i < limits::kForgottenMax; ++i) {
        data.forgotten.push_back({name('f', i), StreamId{i + 1}});
    }
    RecordHeader header = kNodeHeader;
    header.author = name('a', 0);
    header.counter = limits::kCounterMax;
    const Buffer bytes = encode_node_record(header, data);
    CHECK(bytes.size() <= kNodeRecordBytesMax);
    CHECK(decode_record(bytes));
    data.forgotten.push_back({name('g', 0), StreamId{1}});
    CHECK_FALSE(decode_record(encode_node_record(header, data)));
}

TEST_CASE("record: a state record has exactly these bytes, and reads back") {
    const Buffer bytes =
        encode_state_record(header_of(RecordKind::State, "cam-1", 0x11, 6, 0x18bcfe568000002),
                            {Activity::Processing, R"({"fps":25})"});
    CHECK(as_text(Bytes(bytes).subspan(3)) == kStateJson);
    const Record record = decode_record(bytes).value();
    REQUIRE(record.state);
    CHECK(record.state->activity == Activity::Processing);
    CHECK(record.state->document == R"({"fps":25})");
}

TEST_CASE("record: an alert record has exactly these bytes, and reads back") {
    const Buffer bytes = encode_alert_record(
        header_of(RecordKind::Alert, "cam-1", 0x12, 1, 0x18bcfe568000003),
        {Priority::Critical, 1700000000000, R"({"what":"smoke","zone":[4,{"x":1.50}]})"});
    CHECK(as_text(Bytes(bytes).subspan(3)) == kAlertJson);
    const Record record = decode_record(bytes).value();
    REQUIRE(record.alert);
    CHECK(record.alert->priority == Priority::Critical);
    CHECK(record.alert->timestamp_ms == 1700000000000);
    CHECK(record.alert->alert == R"({"what":"smoke","zone":[4,{"x":1.50}]})");
    CHECK(record.alert->ttl_ms == 0);
    CHECK(record.alert->dedupe_key.empty());
    CHECK(print_alert_id(record.header) == "cam-1.0000000000000012.1");
}

TEST_CASE("record: an alert may have a ttl and a dedupe key") {
    AlertData data{Priority::Low, -5, "{}"};
    data.ttl_ms = limits::kTtlMsMax;
    data.dedupe_key = "door \"7\"";
    const Buffer bytes =
        encode_alert_record(header_of(RecordKind::Alert, "cam-1", 0x12, 1, 3), data);
    const std::string_view data_json =
        R"("data":{"priority":0,"timestamp":-5,"alert":{},"ttl":316224000000,"dedupe":"door \"7\""}})";
    const std::string json(as_text(Bytes(bytes).subspan(3)));
    CHECK(json.substr(json.find("\"data\"")) == data_json);
    const Record record = decode_record(bytes).value();
    REQUIRE(record.alert);
    CHECK(record.alert->ttl_ms == limits::kTtlMsMax);
    CHECK(record.alert->dedupe_key == data.dedupe_key);
    const std::string key = R"("door \"7\"")";
    CHECK(is_accepted(with(json, key, '"' + std::string(limits::kDedupeKeyBytesMax, 'k') + '"')));
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {key, '"' + std::string(limits::kDedupeKeyBytesMax + 1, 'k') + '"'},
             {key, R"("")"},
             {key, R"("a\tb")"},
             {key, "null"},
             {"316224000000", "316224000001"},
             {"316224000000", "-1"},
             {"316224000000", "1.5"},
         }) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK_FALSE(is_accepted(with(json, from, to)));
    }
}

TEST_CASE("record: the worked example of PROTOCOL.md has this hash") {
    const Buffer bytes =
        alert_bytes("cam-1", 0x12, 1, 0x18bcfe568000003, Priority::Critical, R"({"what":"smoke"})");
    CHECK(bytes.size() == 174);
    CHECK(print_hex(decode_record(bytes).value().hash) == "cfddf96657e7efbe");
}

TEST_CASE("record: truncated at any byte it is refused") {
    for (const std::string_view json : {kNodeJson, kStateJson, kAlertJson}) {
        const Buffer bytes = record_of(json);
        CHECK(decode_record(bytes).has_value());
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            CHECK_FALSE(decode_record(Bytes(bytes).first(size)).has_value());
        }
    }
}

TEST_CASE("record: with any byte damaged it is refused or reads as another record, never crashes") {
    for (const std::string_view json : {kNodeJson, kStateJson, kAlertJson}) {
        for (std::size_t i = 0; i < json.size() + 3; ++i) {
            for (const int flip : {0x01, 0x20, 0x80}) {
                Buffer bytes = record_of(json);
                bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ flip);
                const auto record = decode_record(bytes);
                CHECK((!record || record->hash != checksum64(record_of(json))));
            }
        }
    }
}

TEST_CASE("record: each field of the header is checked") {
    for (const auto& [from, to] : std::vector<std::pair<std::string_view, std::string>>{
             {R"("kind":"node",)", ""},
             {R"("kind":"node")", R"("kind":1)"},
             {R"("kind":"node")", R"("kind":"")"},
             {R"("kind":"node")", R"("kind":"abcdefghijklmnopq")"},
             {R"("node":"cam-1")", R"("node":"cam 1")"},
             {R"("node":"cam-1")", R"("node":")" + std::string(64, 'a') + R"(")"},
             {R"("stream":"0000000000000011")", R"("stream":"0000000000000000")"},
             {R"("stream":"0000000000000011")", R"("stream":"00000000000000011")"},
             {R"("stream":"0000000000000011")", R"("stream":17)"},
             {R"("counter":5)", R"("counter":0)"},
             {R"("counter":5)", R"("counter":-1)"},
             {R"("counter":5)", R"("counter":9007199254740992)"},
             {R"("counter":5)", R"("counter":"5")"},
             {R"("clock":"018bcfe568000001")", R"("clock":"8000000000000000")"},
             {R"("clock":"018bcfe568000001")", R"("clock":"018BCFE568000001")"},
             {R"("data":{)", R"("date":{)"},
         }) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK_FALSE(is_accepted(with(kNodeJson, from, to)));
    }
    CHECK(is_accepted(with(kNodeJson, R"("counter":5)", R"("counter":9007199254740991)")));
    CHECK(is_accepted(with(kNodeJson, "018bcfe568000001", "7fffffffffffffff")));
}

TEST_CASE("record: each field of a node record is checked") {
    for (const auto& [from, to] : std::vector<std::pair<std::string_view, std::string>>{
             {R"("instance":"00000000000000a1")", R"("instance":"0000000000000000")"},
             {R"("start":"00000000000000b1")", R"("start":"b1")"},
             {R"("version":"0.1.0")", R"("version":")" + std::string(33, '1') + R"(")"},
             {R"("volatile":"0000000000000011")", R"("volatile":"0000000000000021")"},
             {R"("durable":"0000000000000012")", R"("durable":"0000000000000011")"},
             {R"("durable":"0000000000000012")", R"("durable":"0000000000000000")"},
             {R"("floor":3)", R"("floor":-3)"},
             {R"("floor":3,)", ""},
             {R"("critical_floor":7)", R"("critical_floor":9007199254740992)"},
             {R"("addresses":["10.7.0.1:9999"])", R"("addresses":["10.7.0.1"])"},
             {R"("addresses":["10.7.0.1:9999"])", R"("addresses":{})"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-3",2],["cam-2",0]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-2",0],["cam-2",2]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-1",0]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-2",3]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-2"]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["cam-2",0,0]])"},
             {R"([["cam-2",0],["cam-3",2]])", R"([["",0]])"},
             {R"("presence":"restarting")", R"("presence":"gone")"},
         }) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK_FALSE(is_accepted(with(kNodeJson, from, to)));
    }
}

TEST_CASE("record: a node record lists at most so many links and addresses") {
    NodeData data = node_data();
    for (std::size_t i = 0; i < limits::kLinksMax; ++i) {
        data.links.push_back({id("peer-" + std::to_string(1000 + i) + std::string(54, 'x')), 2});
    }
    for (std::size_t i = 0; i < limits::kAddressesMax; ++i) {
        data.addresses.push_back(
            parse_endpoint("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535").value());
    }
    const RecordHeader header = header_of(RecordKind::Node, "cam-1", 0x11, 1, 1);
    CHECK(decode_record(encode_node_record(header, data)).has_value());
    // As long as it gets: control characters take six bytes each.
    NodeData longest = data;
    longest.version = std::string(limits::kVersionTextBytesMax, '\x01');
    longest.alert_floor = longest.critical_floor = limits::kCounterMax;
    longest.presence = Presence::Restarting;
    CHECK(decode_record(encode_node_record(header_of(RecordKind::Node, std::string(63, 'c'), 0x11,
                                                     limits::kCounterMax, 1),
                                           longest))
              .has_value());
    NodeData linked = data;
    linked.links.push_back({id("z"), 0});
    CHECK_FALSE(decode_record(encode_node_record(header, linked)).has_value());
    NodeData reachable = data;
    reachable.addresses.push_back(ipv4_endpoint({10, 7, 0, 1}, 9999));
    CHECK_FALSE(decode_record(encode_node_record(header, reachable)).has_value());
}

TEST_CASE("record: each field of a state and an alert record is checked") {
    CHECK_FALSE(is_accepted(with(kStateJson, "PROCESSING", "OFFLINE")));
    CHECK_FALSE(is_accepted(with(kStateJson, "PROCESSING", "processing")));
    CHECK_FALSE(is_accepted(with(kStateJson, R"({"fps":25})", "[]")));
    CHECK_FALSE(is_accepted(with(kStateJson, R"("document")", R"("documents")")));
    CHECK_FALSE(is_accepted(with(kAlertJson, R"("priority":3)", R"("priority":4)")));
    CHECK_FALSE(is_accepted(with(kAlertJson, R"("priority":3)", R"("priority":"high")")));
    CHECK_FALSE(is_accepted(with(kAlertJson, "1700000000000", "1.5")));
    CHECK_FALSE(is_accepted(with(kAlertJson, "1700000000000", "9007199254740992")));
    CHECK(is_accepted(with(kAlertJson, "1700000000000", "-9007199254740991")));
    CHECK_FALSE(is_accepted(with(kAlertJson, R"("alert":{)", R"("alarm":{)")));
}

TEST_CASE("record: a payload may be so long and so deep, and no more") {
    const std::string longest =
        R"({"a":")" + std::string(limits::kPayloadBytesMax - 8, 'x') + R"("})";
    const std::string deepest = nested(limits::kPayloadDepthMax);
    for (const std::string& fits : {longest, deepest, std::string("{}")}) {
        CHECK(is_payload(fits));
        CHECK(decode_record(state_bytes("cam-1", 0x11, 1, 1, fits)).has_value());
        CHECK(decode_record(alert_bytes("cam-1", 0x12, 1, 1, Priority::Low, fits)).has_value());
    }
    const std::string too_long =
        R"({"a":")" + std::string(limits::kPayloadBytesMax - 7, 'x') + R"("})";
    for (const std::string& exceeds : {too_long, nested(limits::kPayloadDepthMax + 1)}) {
        CHECK_FALSE(is_payload(exceeds));
        CHECK_FALSE(decode_record(state_bytes("cam-1", 0x11, 1, 1, exceeds)).has_value());
        CHECK_FALSE(
            decode_record(alert_bytes("cam-1", 0x12, 1, 1, Priority::Low, exceeds)).has_value());
    }
    CHECK_FALSE(is_payload("[]"));
    CHECK_FALSE(is_payload("7"));
    CHECK_FALSE(is_payload("{"));
    std::string many = R"({"a":[1)";
    while (many.size() + 4 <= limits::kPayloadBytesMax) {
        many += ",1";
    }
    many += "]}";
    CHECK(is_payload(many));
    CHECK(decode_record(state_bytes("cam-1", 0x11, 1, 1, many)).has_value());
}

TEST_CASE("record: longer than any honest one it is refused") {
    CHECK(decode_record(record_of(kAlertJson, std::string(100, 'x'))).has_value());
    CHECK_FALSE(
        decode_record(record_of(kAlertJson, std::string(kRecordBytesMax, 'x'))).has_value());
    const auto padded = [](std::string_view json, std::size_t bytes) {
        const std::size_t rest = bytes - limits::kJsonLengthBytes - json.size();
        const std::string pad = ",\"pad\":\"\"";
        return std::string(json.substr(0, json.size() - 1)) + ",\"pad\":\"" +
               std::string(rest - pad.size(), 'x') + "\"}";
    };
    CHECK(is_accepted(padded(kNodeJson, kNodeRecordBytesMax)));
    CHECK_FALSE(is_accepted(padded(kNodeJson, kNodeRecordBytesMax + 1)));
    CHECK(is_accepted(padded(kStateJson, kRecordBytesMax)));
}

TEST_CASE("record: node and state records have no body") {
    for (const std::string_view json : {kNodeJson, kStateJson}) {
        CHECK(decode_record(record_of(json)).has_value());
        CHECK_FALSE(decode_record(record_of(json, "x")).has_value());
    }
}

TEST_CASE("record: kinds of later versions and unknown members pass") {
    const Record other = decode_record(other_bytes("vote", "cam-1", 0x12, 1, 10)).value();
    CHECK(other.header.kind == kOtherKind);
    CHECK_FALSE((other.node || other.state || other.alert || other.registry || other.shared));
    CHECK(is_accepted(with(kStateJson, R"("data":{)", R"("hue":7,"data":{"mood":[],)")));
}
