// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "proto/wire/codec.h"
#include "proto/wire/limits.h"
#include "tests/proto/wire/samples.h"

using namespace meshd;

namespace {

/// Replaces the one occurrence of `from` in the JSON of a golden message. Tells whether the result
/// still decodes.
bool accepts(const std::string& name, const std::string& from, const std::string& to) {
    const EncodedMessage& golden = test::message_vector(name);
    const std::size_t json_bytes = load_big_endian<3>(golden.bytes.data());
    std::string json(as_text(Bytes(golden.bytes).subspan(3, json_bytes)));
    const std::string body(as_text(Bytes(golden.bytes).subspan(3 + json_bytes)));
    const std::size_t at = json.find(from);
    REQUIRE_MESSAGE(at != std::string::npos, from);
    REQUIRE_MESSAGE(json.find(from, at + 1) == std::string::npos, from);
    json.replace(at, from.size(), to);
    const auto result = decode_message(golden.kind, test::content(json, body));
    CHECK_MESSAGE((result.has_value() || result.error() == DecodeError::Malformed), json);
    return result.has_value();
}

bool accepts_body(const std::string& name, std::string_view body) {
    const EncodedMessage& golden = test::message_vector(name);
    const std::size_t json_bytes = load_big_endian<3>(golden.bytes.data());
    return decode_message(golden.kind,
                          test::content(as_text(Bytes(golden.bytes).subspan(3, json_bytes)), body))
        .has_value();
}

struct Step {
    const char* name;
    std::string from;
    std::string at_limit;
    std::string beyond;
};

std::string repeated(const std::string& text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) {
        all += (i == 0 ? "" : ",") + text;
    }
    return all;
}

/// "1,1,3,3,5,5…": `count` intervals.
std::string intervals(std::size_t count) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string n = std::to_string(2 * i + 1);
        all += (i == 0 ? "" : ",") + n + "," + n;
    }
    return all;
}

const std::string kCounterMax = "9007199254740991";
const std::string kCounterBeyond = "9007199254740992";

}  // namespace

TEST_CASE("codec: each field is accepted at its limit and refused one past it") {
    const std::string longest_name(63, 'x');
    const std::vector<Step> steps = {
        {"hello", "[1,1]", "[1,255]", "[1,256]"},
        {"hello", "[1,1]", "[7,7]", "[8,7]"},
        {"hello", "[1,1]", "[1,1]", "[0,1]"},
        {"hello", "[1,1]", "[1,2]", "[1]"},
        {"hello", "[1,1]", "[1,2]", "[1,2,3]"},
        {"hello", "\"features\":0", "\"features\":4294967295", "\"features\":4294967296"},
        {"hello", "default", std::string(32, 'm'), std::string(33, 'm')},
        {"hello", "default", "m", ""},
        {"hello", "box-a", longest_name, longest_name + "x"},
        {"hello", "box-a", "x", ""},
        {"hello", "box-a", "x", "a b"},
        {"hello", "00000000000000a1", "ffffffffffffffff", "0000000000000000"},
        {"hello", "00000000000000a1", "0000000000000001", "000000000000001"},
        {"hello", "00000000000000a2", "ffffffffffffffff", "0000000000000000"},
        {"hello", "00000000000000a2", "ffffffffffffffff", "FFFFFFFFFFFFFFFF"},
        {"hello", "10.0.0.1:9999", "10.0.0.1:65535", "10.0.0.1:65536"},
        {"hello", "10.0.0.1:9999", "[fd00::1]:1", "10.0.0.1:0"},
        {"hello", "\"10.0.0.1:9999\"", "\"10.0.0.1:1\"", "null"},
        {"offer", "00000000000000a2", "ffffffffffffffff", "0000000000000000"},
        {"offer", "0e0f", "0e00", "0e"},
        {"offer", "0e0f", "ffff", "0e0f00"},
        {"req", "\"v\":1", "\"v\":255", "\"v\":256"},
        {"req", "\"v\":1", "\"v\":1", "\"v\":0"},
        {"req", "305419896", "4294967295", "4294967296"},
        {"req", "305419896", "1", "0"},
        {"req", "bridge", "ring", "bored"},
        {"req_forced", "\"forced\":true", "\"forced\":true", "\"forced\":false"},
        {"req_forced", "\"forced\":true", "\"forced\":true", "\"forced\":1"},
        {"req", "default", std::string(32, 'm'), std::string(33, 'm')},
        {"acc", "2271560481", "4294967295", "4294967296"},
        {"acc", "2271560481", "1", "0"},
        {"acc_refused", "\"session\":0", "\"session\":0", "\"session\":1"},
        {"acc_refused", "full", "leaving", "tired"},
        {"close", "restarting", "pruned", "bored"},
        {"close_silent", "silent", "replaced", "Silent"},
        {"notice", "3735928559", "4294967295", "4294967296"},
        {"notice", "3735928559", "0", "-1"},
        {"notice_on_its_way", "4294967295", "0", "4294967296"},
        {"notice_on_its_way", "[1,4294967295]", "[" + repeated("7", 32) + "]",
         "[" + repeated("7", 33) + "]"},
        {"notice_on_its_way", "[1,4294967295]", "[]", "1"},
        {"heartbeat_request", "7,", "4294967295,", "4294967296,"},
        {"heartbeat_request", "1700000000123", kCounterMax, kCounterBeyond},
        {"heartbeat_request", "1700000000123", "-" + kCounterMax, "-" + kCounterBeyond},
        {"heartbeat_request", "\"q\":7", "\"r\":7", "\"q\":7,\"r\":7"},
        {"heartbeat_reply", "\"r\":7", "\"q\":0", "\"s\":7"},
        {"ack", "1,4,6,6", "1,4,6,6", "0,4,6,6"},
        {"ack", "1,4,6,6", "1,1,3,3", "1,1,2,2"},
        {"ack", "1,4,6,6", "1,4,6,9", "1,4,6,5"},
        {"ack", "1,4,6,6", "1,4,6,9", "1,4,4,9"},
        {"ack", "1,4,6,6", "1,4", "1,4,6"},
        {"ack", kCounterMax, kCounterMax, kCounterBeyond},
        {"ack", "1,4,6,6,9007199254740990,9007199254740991", intervals(64), intervals(65)},
        {"push_alert", "41", "9007199254740990", kCounterMax},
        {"push_alert", "\"graph\":9", "\"graph\":4294967295", "\"graph\":4294967296"},
        {"push_alert", "[77]", "[4294967295]", "[4294967296]"},
        {"push_alert", "[77]", "[" + repeated("7", 32) + "]", "[" + repeated("7", 33) + "]"},
        {"push_alert", "alert", "alert", "node"},
        {"push_node_on_tree", "node", "shared", "alert"},
        {"push_node_on_tree", "\"age\":12", "\"age\":" + kCounterMax, "\"age\":" + kCounterBeyond},
        {"push_node_on_tree", "5000", "4294967295", "4294967296"},
        {"push_node_on_tree", "5000", "1", "-1"},
        {"push_node_on_tree", "5000", "1", "1.0"},
        {"push_node_on_tree", "5000", "1", "\"1\""},
        {"digest_request", "true", "true", "false"},
        {"digest_request", "true", "true", "1"},
        {"digest", "00000000000000c1", "ffffffffffffffff", "0000000000000000"},
        {"digest", "[1,9]", "[1,9]", "[0,9]"},
        {"digest", "2,2,4,7", "2,2,4,4", "2,2,3,7"},
        {"digest", "2,2,4,7", intervals(132), intervals(133)},
        {"digest", "2,2,4,7", "", "2,2,4"},
        {"digest", ",[1,9]]", ",[]]", "]"},
        {"digest", "[1,9]]", "[1,9],0]", "[1,9],0,0]"},
        {"digest_buckets", "\"buckets\":5", "\"buckets\":4294967295", "\"buckets\":4294967296"},
        {"digest_buckets", "\"buckets\":5", "\"buckets\":0", "\"buckets\":-1"},
        {"digest_buckets", ",7]", "," + kCounterMax + "]", "," + kCounterBeyond + "]"},
        {"digest_buckets", ",7]", "]", ",null]"},
        {"delta_floor", ",7]", "," + kCounterMax + "]", "," + kCounterBeyond + "]"},
        {"delta_floor", ",7]", "]", ",7,7]"},
        {"pull", "[3,5]]", "[3,5]]", "[3,5],0]"},
        {"announce", "[3,5]]", "[3,4]]", "[3,5],0]"},
        {"announce", "3,5", intervals(132), intervals(133)},
        {"announce", "[3,5]", "[3," + kCounterMax + "]", "[3," + kCounterBeyond + "]"},
        {"census_request", "true", "true", "false"},
        {"census", "\"part\":1,\"parts\":3", "\"part\":2,\"parts\":3", "\"part\":3,\"parts\":3"},
        {"census", "\"parts\":3", "\"parts\":512", "\"parts\":513"},
        {"census", "\"part\":1", "\"part\":0", "\"part\":-1"},
        {"census_empty", "\"parts\":1", "\"parts\":2", "\"parts\":0"},
        {"census", ",7]", "," + kCounterMax + "]", "," + kCounterBeyond + "]"},
        {"census", ",7]", ",0]", "]"},
        {"census", ",[],", ",[" + intervals(132) + "],", ",[" + intervals(133) + "],"},
        {"census", "[1,9,20,400]", "[2,2,4,9,20,300]", "[2,2,4,9,20,299]"},
        {"census", "[1,9,20,400]", "[2,9,20,300]", "[3,9,20,400]"},
        {"census", "[1,9,20,400]", "[1,300]", "[1,9,21,400]"},
        {"census", "[1,9,20,400]", "[2,2,4,400]", "[2,2,4,8,10,400]"},
        {"pull", "[3,5]", "[3," + kCounterMax + "]", "[3," + kCounterBeyond + "]"},
        {"pull", "box-a", longest_name, longest_name + "x"},
        {"delta", "[11,", "[11,", "[12,"},
        {"delta", "[4,0", "[4,0", "[3,0"},
        {"delta", "250", kCounterMax, kCounterBeyond},
        {"delta", "60000", "4294967295", "4294967296"},
        {"delta", "[1,2]", "[" + repeated("7", 32) + "]", "[" + repeated("7", 33) + "]"},
        {"delta", ",60000]", ",0]", "]"},
        {"delta", "[11,250,[1,2],0]", repeated("[1,0,[],0]", 11), "[11,250,[1,2],0],[0,0,[],0]"},
        {"fragment", "\"m\":2", "\"m\":4294967295", "\"m\":4294967296"},
        {"fragment", "\"i\":1", "\"i\":2", "\"i\":3"},
        {"fragment", "\"n\":3", "\"n\":160", "\"n\":161"},
        {"fragment", "\"n\":3", "\"n\":2", "\"n\":0"},
        {"fragment", "\"k\":23", "\"k\":255", "\"k\":256"},
        {"fragment", "\"k\":23", "\"k\":25", "\"k\":24"},
        {"routed_delivery_report", "\"seq\":12", "\"seq\":" + kCounterMax,
         "\"seq\":" + kCounterBeyond},
        {"routed_delivery_report", "1700000000123", "-" + kCounterMax, "-" + kCounterBeyond},
        {"routed_delivery_report", "[5,6]", "[" + repeated("7", 32) + "]",
         "[" + repeated("7", 33) + "]"},
        {"routed_delivery_report", "\"counter\":9", "\"counter\":" + kCounterMax,
         "\"counter\":" + kCounterBeyond},
        {"routed_delivery_report", "\"counter\":9", "\"counter\":1", "\"counter\":0"},
        {"routed_delivery_report", "{\"stream\":\"00000000000000c1\",\"counter\":9}",
         "{\"stream\":\"ffffffffffffffff\",\"counter\":9}", "[]"},
        {"note", "\"number\":1", "\"number\":" + kCounterMax, "\"number\":0"},
        {"note", "\"ack\":true", "\"ack\":false", "\"ack\":1"},
        {"note_to_all", "\"doors\"", "\"" + std::string(128, 't') + "\"",
         "\"" + std::string(129, 't') + "\""},
        {"note_to_all", "\"doors\"", "\"d\"", "\"\""},
        {"note_to_all", "\"topic\":\"doors\"", "\"ack\":false", "\"ack\":true"},
        {"note_to_all", "3735928559", "4294967295", "4294967296"},
        {"note", "\"number\":1", "\"number\":2", "\"topic\":\"t\",\"number\":1"},
        {"note_flooded", "\"path\"", "\"to\":\"box-a\",\"path\"", "\"to\":\"\",\"path\""},
        {"ping_trace", "\"trace\":true", "\"trace\":false", "\"trace\":{}"},
        {"ping", "\"to\":\"box-a\",", "\"to\":\"box-c\",", ""},
        {"pong", "[1,4294967295]", "[" + repeated("7", 32) + "]", "[" + repeated("7", 33) + "]"},
        {"search_query", "\"person\"", "\"" + std::string(64, 't') + "\"",
         "\"" + std::string(65, 't') + "\""},
        {"search_query", "1500", "60000", "60001"},
        {"search_query", "\"limit\":10", "\"limit\":1000", "\"limit\":1001"},
        {"search_query", "\"limit\":10", "\"limit\":1", "\"limit\":0"},
        {"search_answer", "\"silent\":1", "\"silent\":256", "\"silent\":257"},
        {"search_answer", "\"skipped\":2", "\"skipped\":256", "\"skipped\":257"},
        {"search_answer", "\"truncated\":true", "\"truncated\":false", "\"pending\":true"},
        {"search_answer_refused", "\"overloaded\"", "\"" + std::string(16, 'r') + "\"",
         "\"" + std::string(17, 'r') + "\""},
        {"search_answer_pending", "\"pending\":true", "\"refused\":\"query\"", "\"pending\":false"},
    };
    for (const Step& step : steps) {
        CHECK_MESSAGE(accepts(step.name, step.from, step.at_limit), step.name, ": ", step.at_limit);
        CHECK_MESSAGE(!accepts(step.name, step.from, step.beyond), step.name, ": ", step.beyond);
    }
}

TEST_CASE("codec: a message whose required member is missing or null is refused") {
    for (const test::MessageVector& vector : test::message_vectors()) {
        const std::size_t json_bytes = load_big_endian<3>(vector.encoded.bytes.data());
        const Bytes all = vector.encoded.bytes;
        const std::string body(as_text(all.subspan(3 + json_bytes)));
        const auto document =
            json::Document::parse(as_text(all.subspan(3, json_bytes)), limits::kMessageJson);
        for (auto it = document->root().begin(); it != document->root().end(); ++it) {
            std::string nulled;
            json::Writer writer(nulled);
            writer.begin_object();
            for (auto other = document->root().begin(); other != document->root().end(); ++other) {
                writer.key(other.key());
                if (other.key() == it.key()) {
                    writer.null();
                } else {
                    writer.value(*other);
                }
            }
            writer.end_object();
            CHECK_MESSAGE(
                !decode_message(vector.encoded.kind, test::content(nulled, body)).has_value(),
                vector.name, ": ", nulled);
        }
    }
    CHECK_FALSE(accepts("hello", "\"features\":0,", ""));
    CHECK_FALSE(accepts("hello", "\"mesh\":\"default\",", ""));
    CHECK_FALSE(accepts("hello", "\"hello\":[1,1],", ""));
    CHECK_FALSE(accepts("offer", "\"to\":\"00000000000000a2\",", ""));
    CHECK_FALSE(accepts("req", "\"session\":305419896,", ""));
    CHECK_FALSE(accepts("req", ",\"reason\":\"bridge\"", ""));
    CHECK_FALSE(accepts("acc", ",\"session\":2271560481", ""));
    CHECK_FALSE(accepts("close", "\"reason\":\"restarting\"", ""));
    CHECK_FALSE(accepts("notice_on_its_way", "\"about\":9,", ""));
    CHECK_FALSE(accepts("push_alert", "\"after\":41,", ""));
    CHECK_FALSE(accepts("push_alert", "\"kind\":\"alert\",", ""));
    CHECK_FALSE(accepts("digest_empty", "\"streams\":[]", ""));
    CHECK_FALSE(accepts("delta_without_records", ",\"records\":[]", ""));
    CHECK_FALSE(accepts("fragment", "\"m\":2,", ""));
    CHECK_FALSE(accepts("routed_delivery_report", "\"path\":[5,6],", ""));
    CHECK_FALSE(accepts("census", "\"part\":1,", ""));
    CHECK_FALSE(accepts("census", "\"parts\":3,", ""));
    CHECK_FALSE(accepts("census_empty", ",\"streams\":[]", ""));
    CHECK_FALSE(accepts("announce", "\"streams\"", "\"wants\""));
}

TEST_CASE("codec: a body where none belongs, or of another length, is refused") {
    for (const char* name : {"hello",
                             "offer",
                             "req",
                             "acc",
                             "conf",
                             "close",
                             "prune",
                             "notice",
                             "ack",
                             "digest",
                             "digest_buckets",
                             "pull",
                             "heartbeat_reply",
                             "routed_delivery_report",
                             "census_request",
                             "census_empty",
                             "announce",
                             "note_ack",
                             "ping",
                             "pong",
                             "search_answer_pending",
                             "search_answer_refused"}) {
        CHECK_MESSAGE(!accepts_body(name, "x"), name);
        CHECK_MESSAGE(accepts_body(name, ""), name);
    }
    CHECK(accepts_body("heartbeat_request", std::string(16, 'h')));
    CHECK_FALSE(accepts_body("heartbeat_request", std::string(15, 'h')));
    CHECK_FALSE(accepts_body("heartbeat_request", std::string(17, 'h')));
    CHECK(accepts_body("digest_request", std::string(256, 'h')));
    CHECK_FALSE(accepts_body("digest_request", std::string(255, 'h')));
    CHECK_FALSE(accepts_body("digest_request", std::string(257, 'h')));
    CHECK_FALSE(accepts_body("push_alert", ""));
    CHECK_FALSE(accepts_body("fragment", ""));
    for (const char* name : {"note", "note_to_all", "search_query", "search_answer"}) {
        CHECK_MESSAGE(!accepts_body(name, ""), name);
        CHECK_MESSAGE(accepts_body(name, std::string(limits::kPayloadBytesMax, 'p')), name);
        CHECK_MESSAGE(!accepts_body(name, std::string(limits::kPayloadBytesMax + 1, 'p')), name);
    }
    CHECK(accepts_body("delta", std::string(15, 'r')));
    CHECK_FALSE(accepts_body("delta", std::string(14, 'r')));
    CHECK_FALSE(accepts_body("delta", std::string(16, 'r')));
}

TEST_CASE("codec: a delta holds as many records as its limit allows and not one more") {
    const auto delta = [](std::size_t records) {
        return decode_message(
            MessageKind::Delta,
            test::content(R"({"covers":[],"records":[)" + repeated("[1,0,[],0]", records) + "]}",
                          std::string(records, 'r')));
    };
    CHECK(delta(limits::kDeltaRecordsMax).has_value());
    CHECK_FALSE(delta(limits::kDeltaRecordsMax + 1).has_value());
}

TEST_CASE("codec: a whole message is limited in bytes, and its JSON in depth") {
    const std::string json = R"({"kind":"state","after":0})";
    const std::size_t body_max = limits::kMessageBytesMax - 3 - json.size();
    const auto push = [&](std::size_t body_bytes) {
        return decode_message(MessageKind::StateSync,
                              test::content(json, std::string(body_bytes, 'r')))
            .has_value();
    };
    CHECK(push(body_max));
    CHECK_FALSE(push(body_max + 1));
    const auto conf = [](std::size_t depth) {
        return decode_message(MessageKind::Conf, test::content("{\"x\":" + std::string(depth, '[') +
                                                               std::string(depth, ']') + "}"))
            .has_value();
    };
    CHECK(conf(limits::kMessageJson.depth_max - 1));
    CHECK_FALSE(conf(limits::kMessageJson.depth_max));
}

TEST_CASE("codec: anything but a JSON object before the body is refused") {
    for (const char* json :
         {"", "[]", "1", "null", "{}{}", "{", "\"x\"", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}"}) {
        CHECK_MESSAGE(!decode_message(MessageKind::Conf, test::content(json)).has_value(), json);
    }
    CHECK_FALSE(decode_message(MessageKind::Conf, {}).has_value());
    CHECK_FALSE(
        decode_message(MessageKind::Conf, as_bytes(std::string_view("\0\0", 2))).has_value());
    CHECK_FALSE(
        decode_message(MessageKind::Conf, as_bytes(std::string_view("\0\0\3{}", 5))).has_value());
    CHECK_FALSE(
        decode_message(MessageKind::Conf, as_bytes(std::string_view("\0\0\3{}\0", 6))).has_value());
}
