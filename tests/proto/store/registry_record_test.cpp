// SPDX-License-Identifier: Apache-2.0
// Registry and shared records.
#include <doctest/doctest.h>

#include "proto/base/hash.h"
#include "proto/store/embedding.h"
#include "proto/store/record.h"
#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;
using namespace std::string_literals;

namespace {

const RecordHeader kRegistryHeader =
    header_of(RecordKind::Registry, "cam-1", 0x12, 2, 0x18bcfe568000004);
const RecordHeader kSharedHeader =
    header_of(RecordKind::Shared, "cam-1", 0x12, 3, 0x18bcfe568000005);

constexpr std::string_view kRegistryJson =
    R"({"kind":"registry","node":"cam-1","stream":"0000000000000012","counter":2,)"
    R"("clock":"018bcfe568000004","data":{"hash":"ab12","type":"face","timestamp":1700000000000,)"
    R"("ttl":60000,"metadata":{"zone":[4,1.50]},"space":"arc-v2","dim":2}})";
/// 0.6 and 0.8.
const std::string kBody = "\xcd\x38\x66\x3a";
constexpr std::string_view kTombstoneJson =
    R"({"kind":"registry","node":"cam-1","stream":"0000000000000012","counter":2,)"
    R"("clock":"018bcfe568000004","data":{"hash":"ab12","owner":"cam-2","deleted":true}})";
constexpr std::string_view kSharedJson =
    R"({"kind":"shared","node":"cam-1","stream":"0000000000000012","counter":3,)"
    R"("clock":"018bcfe568000005","data":{"key":"mode","value":{"night":[true,1.50]}}})";
constexpr std::string_view kSharedTombstoneJson =
    R"({"kind":"shared","node":"cam-1","stream":"0000000000000012","counter":3,)"
    R"("clock":"018bcfe568000005","data":{"key":"mode","deleted":true}})";

RegistryData registry_data() {
    RegistryData data;
    data.hash = "ab12";
    data.owner = id("cam-1");
    data.type = "face";
    data.timestamp_ms = 1700000000000;
    data.ttl_ms = 60000;
    data.metadata = R"({"zone":[4,1.50]})";
    data.space = "arc-v2";
    data.dimension = 2;
    return data;
}

Buffer embedding() {
    return make_embedding(std::vector<double>{3, 4}).value();
}

/// `text` with the first `from` replaced; it must be there.
std::string with(std::string_view text, std::string_view from, std::string_view to) {
    std::string changed(text);
    const auto at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
}

bool is_accepted(std::string_view json, std::string_view body = "") {
    return decode_record(record_of(json, body)).has_value();
}

using Changes = std::vector<std::pair<std::string_view, std::string>>;

void check_refused(std::string_view json, std::string_view body, const Changes& changes) {
    REQUIRE(is_accepted(json, body));
    for (const auto& [from, to] : changes) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK_FALSE(is_accepted(with(json, from, to), body));
    }
}

void check_accepted(std::string_view json, std::string_view body, const Changes& changes) {
    for (const auto& [from, to] : changes) {
        const auto& shown = to;
        CAPTURE(shown);
        CHECK(is_accepted(with(json, from, to), body));
    }
}

std::string quoted(std::size_t bytes) {
    return '"' + std::string(bytes, 'h') + '"';
}

std::string nested(unsigned depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

/// A JSON object of that many bytes.
std::string object_of(std::size_t bytes) {
    return R"({"a":")" + std::string(bytes - 8, 'x') + R"("})";
}

}  // namespace

TEST_CASE("registry record: an entry has exactly these bytes, and reads back") {
    const Buffer bytes = encode_registry_record(kRegistryHeader, registry_data(), embedding());
    CHECK(as_text(bytes) == as_text(record_of(kRegistryJson, kBody)));
    const Record record = decode_record(bytes).value();
    CHECK(record.hash == checksum64(bytes));
    REQUIRE(record.registry);
    CHECK_FALSE((record.node || record.state || record.alert || record.shared));
    CHECK(record.registry->hash() == "ab12");
    CHECK(record.registry->type() == "face");
    CHECK(record.registry->space() == "arc-v2");
    CHECK(entry_owner(record) == id("cam-1"));
    CHECK(record.registry->ttl_ms == 60000);
    CHECK(record.registry->dimension == 2);
    CHECK_FALSE(record.registry->is_deleted);
    const RegistryData data = decode_registry(record);
    CHECK(data.timestamp_ms == 1700000000000);
    CHECK(data.metadata == R"({"zone":[4,1.50]})");
    CHECK(encode_registry_record(record.header, data, record_body(bytes)) == bytes);
}

TEST_CASE("registry record: the worked example of PROTOCOL.md has this hash") {
    const Buffer bytes = record_of(kRegistryJson, kBody);
    CHECK(bytes.size() == 237);
    CHECK(print_hex(decode_record(bytes).value().hash) == "366dbba34c4def2a");
}

TEST_CASE("registry record: an entry without embedding and ttl has neither in its bytes") {
    RegistryData data = registry_data();
    data.ttl_ms = 0;
    data.space.clear();
    data.dimension = 0;
    data.metadata = "{}";
    const Buffer bytes = encode_registry_record(kRegistryHeader, data, {});
    const std::string json(as_text(Bytes(bytes).subspan(3)));
    CHECK(json.substr(json.find("\"data\"")) ==
          R"("data":{"hash":"ab12","type":"face","timestamp":1700000000000,"metadata":{}}})");
    const Record record = decode_record(bytes).value();
    REQUIRE(record.registry);
    CHECK(record.registry->dimension == 0);
    CHECK(record.registry->ttl_ms == 0);
    CHECK(encode_registry_record(record.header, decode_registry(record), {}) == bytes);
    CHECK(record_body(bytes).empty());
    CHECK_FALSE(is_accepted(json, "x"));
}

TEST_CASE("registry record: a tombstone has exactly these bytes, and reads back") {
    RegistryData data;
    data.hash = "ab12";
    data.owner = id("cam-2");
    data.is_deleted = true;
    const Buffer bytes = encode_registry_record(kRegistryHeader, data, {});
    CHECK(as_text(bytes) == as_text(record_of(kTombstoneJson)));
    const Record record = decode_record(bytes).value();
    REQUIRE(record.registry);
    CHECK(record.registry->is_deleted);
    CHECK(entry_owner(record) == id("cam-2"));
    const RegistryData read = decode_registry(record);
    CHECK(read.metadata.empty());
    CHECK(read.type.empty());
    CHECK(encode_registry_record(record.header, read, {}) == bytes);
    data.owner = kRegistryHeader.author;
    CHECK(as_text(encode_registry_record(kRegistryHeader, data, {})) ==
          as_text(record_of(with(kTombstoneJson, R"("owner":"cam-2",)", ""))));
}

TEST_CASE("registry record: only the owner writes an entry, anyone a tombstone") {
    check_refused(kRegistryJson, kBody,
                  {{R"("type")", R"("owner":"cam-2","type")"},
                   {R"("type")", R"("owner":"","type")"},
                   {R"("type")", R"("owner":null,"type")"}});
    check_accepted(kRegistryJson, kBody, {{R"("type")", R"("owner":"cam-1","type")"}});
    check_accepted(kTombstoneJson, "", {{R"("cam-2")", R"("cam-1")"}, {R"("owner":"cam-2",)", ""}});
    check_refused(kTombstoneJson, "",
                  {{R"("cam-2")", R"("cam 2")"},
                   {R"("deleted":true)", R"("deleted":1)"},
                   {R"("deleted":true)", R"("deleted":false)"},
                   {R"("ab12")", R"("")"}});
    CHECK_FALSE(is_accepted(kTombstoneJson, "x"));
}

TEST_CASE("registry record: each field is accepted at its limit and refused one past it") {
    check_accepted(
        kRegistryJson, kBody,
        {{R"("ab12")", quoted(limits::kHashBytesMax)},
         {R"("ab12")", R"("é \" \\ ~")"},
         {R"("face")", quoted(limits::kTypeBytesMax)},
         {R"("arc-v2")", quoted(limits::kSpaceBytesMax)},
         {"1700000000000", "-9007199254740991"},
         {R"("ttl":60000,)", R"("ttl":1,)"},
         {R"("ttl":60000,)", R"("ttl":0,)"},
         {R"("ttl":60000,)", ""},
         {R"("ttl":60000,)", R"("ttl":316224000000,)"},
         {R"("type")", R"("deleted":false,"hue":[7],"type")"},
         {R"({"zone":[4,1.50]})", object_of(limits::kMetadataBytesMax)},
         {R"({"zone":[4,1.50]})", R"({"a":)" + nested(limits::kPayloadDepthMax - 1) + "}"}});
    check_refused(kRegistryJson, kBody,
                  {{R"("ab12")", quoted(limits::kHashBytesMax + 1)},
                   {R"("ab12")", R"("")"},
                   {R"("ab12")", R"("a\nb")"},
                   {R"("ab12")", R"("\u007f")"},
                   {R"("ab12")", R"("\u0085")"},
                   {R"("ab12")", "12"},
                   {R"("hash":"ab12",)", ""},
                   {R"("face")", quoted(limits::kTypeBytesMax + 1)},
                   {R"("face")", R"("")"},
                   {R"("type":"face",)", ""},
                   {R"("arc-v2")", quoted(limits::kSpaceBytesMax + 1)},
                   {R"("arc-v2")", R"("")"},
                   {R"("space":"arc-v2",)", ""},
                   {R"(,"dim":2)", ""},
                   {R"("dim":2)", R"("dim":1)"},
                   {R"("dim":2)", R"("dim":3)"},
                   {R"("dim":2)", R"("dim":0)"},
                   {R"("dim":2)", R"("dim":"2")"},
                   {"1700000000000", "9007199254740992"},
                   {"1700000000000", "-9007199254740992"},
                   {"1700000000000", "\"\""},
                   {R"("timestamp":1700000000000,)", ""},
                   {R"("ttl":60000,)", R"("ttl":316224000001,)"},
                   {R"("ttl":60000,)", R"("ttl":-1,)"},
                   {R"("ttl":60000,)", R"("ttl":null,)"},
                   {R"({"zone":[4,1.50]})", object_of(limits::kMetadataBytesMax + 1)},
                   {R"({"zone":[4,1.50]})", R"({"a":)" + nested(limits::kPayloadDepthMax) + "}"},
                   {R"({"zone":[4,1.50]})", "[]"},
                   {R"("metadata":{"zone":[4,1.50]},)", ""}});
}

TEST_CASE("registry record: its body has the values that it promises, or with a ttl none") {
    const std::string without_ttl = with(kRegistryJson, R"("ttl":60000,)", "");
    CHECK(is_accepted(kRegistryJson, ""));
    CHECK_FALSE(is_accepted(without_ttl, ""));
    for (const std::string& json : {std::string(kRegistryJson), without_ttl}) {
        CHECK(is_accepted(json, kBody));
        CHECK_FALSE(is_accepted(json, kBody.substr(0, 3)));
        CHECK_FALSE(is_accepted(json, kBody.substr(0, 2)));
        CHECK_FALSE(is_accepted(json, kBody + "x"));
        CHECK_FALSE(is_accepted(json, kBody + "xx"));
    }
    const std::string longest = with(kRegistryJson, R"("dim":2)", R"("dim":4096)");
    CHECK(is_accepted(longest, std::string(2 * limits::kDimensionMax, 'x')));
    const std::string longer = with(kRegistryJson, R"("dim":2)", R"("dim":4097)");
    CHECK_FALSE(is_accepted(longer, std::string(2 * limits::kDimensionMax + 2, 'x')));
}

TEST_CASE("registry record: values that are no finite number are refused") {
    const std::string json = with(kRegistryJson, R"("dim":2)", R"("dim":9)");
    for (std::size_t at = 0; at < 9; ++at) {
        for (const int half : {0x7c00, 0xfc00, 0x7c01, 0x7fff, 0xfe00}) {
            std::string body(18, '\x7b');
            body[2 * at] = static_cast<char>(half & 0xff);
            body[2 * at + 1] = static_cast<char>(half >> 8);
            CHECK_FALSE(is_accepted(json, body));
        }
    }
    CHECK(is_accepted(json, std::string(18, '\x7b')));
    CHECK(is_accepted(json, std::string(18, '\xfb')));
}

TEST_CASE("registry record: its stub is the record without its body, and reads back") {
    const Buffer bytes = record_of(kRegistryJson, kBody);
    CHECK(as_text(record_body(bytes)) == kBody);
    const Bytes stub = without_body(bytes);
    CHECK(as_text(stub) == as_text(record_of(kRegistryJson)));
    const Record record = decode_record(stub).value();
    REQUIRE(record.registry);
    CHECK(record.registry->dimension == 2);
    CHECK(decode_registry(record).space == "arc-v2");
    CHECK(record_body(record.bytes).empty());
    CHECK(as_text(without_body(stub)) == as_text(stub));
    CHECK(record_body({}).empty());
    CHECK(without_body({}).empty());
}

TEST_CASE("registry record: cut short at any byte a record is refused, but for a stub") {
    for (const auto& [json, body] :
         std::vector<std::pair<std::string_view, std::string>>{{kRegistryJson, kBody},
                                                               {kTombstoneJson, ""},
                                                               {kSharedJson, ""},
                                                               {kSharedTombstoneJson, ""}}) {
        const Buffer bytes = record_of(json, body);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            const bool is_stub = size == 3 + json.size();
            CHECK(decode_record(Bytes(bytes).first(size)).has_value() == is_stub);
        }
    }
}

TEST_CASE("registry record: with any byte damaged it is refused or reads as another record") {
    for (const std::string_view json :
         {kRegistryJson, kTombstoneJson, kSharedJson, kSharedTombstoneJson}) {
        const Buffer whole = record_of(json, json == kRegistryJson ? kBody : "");
        for (std::size_t i = 0; i < whole.size(); ++i) {
            for (const int flip : {0x01, 0x20, 0x80}) {
                Buffer bytes = whole;
                bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ flip);
                const auto record = decode_record(bytes);
                CHECK((!record || record->hash != checksum64(whole)));
                if (record && record->registry) {
                    CHECK(decode_registry(*record).hash == record->registry->hash());
                }
            }
        }
    }
}

TEST_CASE("shared record: a member has exactly these bytes, and reads back") {
    const Buffer bytes =
        encode_shared_record(kSharedHeader, {"mode", R"({"night":[true,1.50]})", false});
    CHECK(as_text(bytes) == as_text(record_of(kSharedJson)));
    const Record record = decode_record(bytes).value();
    REQUIRE(record.shared);
    CHECK_FALSE((record.node || record.state || record.alert || record.registry));
    CHECK(record.shared->key == "mode");
    CHECK(record.shared->value == R"({"night":[true,1.50]})");
    CHECK_FALSE(record.shared->is_deleted);
}

TEST_CASE("shared record: a tombstone has exactly these bytes, and reads back") {
    const Buffer bytes = encode_shared_record(kSharedHeader, {"mode", "", true});
    CHECK(as_text(bytes) == as_text(record_of(kSharedTombstoneJson)));
    const Record record = decode_record(bytes).value();
    REQUIRE(record.shared);
    CHECK(record.shared->is_deleted);
    CHECK(record.shared->value.empty());
}

TEST_CASE("shared record: each field is accepted at its limit and refused one past it") {
    constexpr std::string_view kValue = R"({"night":[true,1.50]})";
    check_accepted(kSharedJson, "",
                   {{R"("mode")", quoted(limits::kSharedKeyBytesMax)},
                    {kValue, "false"},
                    {kValue, "0"},
                    {kValue, R"("")"},
                    {kValue, nested(limits::kPayloadDepthMax)},
                    {kValue, object_of(limits::kPayloadBytesMax)}});
    check_refused(kSharedJson, "",
                  {{R"("mode")", quoted(limits::kSharedKeyBytesMax + 1)},
                   {R"("mode")", R"("")"},
                   {R"("mode")", R"("\u0000")"},
                   {R"("mode")", "7"},
                   {kValue, "null"},
                   {kValue, nested(limits::kPayloadDepthMax + 1)},
                   {kValue, object_of(limits::kPayloadBytesMax + 1)},
                   {R"("value")", R"("values")"},
                   {R"("value")", R"("deleted":true,"value")"},
                   {R"("value")", R"("deleted":null,"value")"}});
    check_refused(kSharedTombstoneJson, "", {{"true", "false"}, {R"("key":"mode",)", ""}});
}

TEST_CASE("registry record: the longest entry and the longest shared record fit a record") {
    const std::string name(63, 'n');
    RegistryData data = registry_data();
    data.owner = id(name);
    data.hash = std::string(limits::kHashBytesMax, '"');
    data.type = std::string(limits::kTypeBytesMax, '"');
    data.space = std::string(limits::kSpaceBytesMax, '"');
    data.timestamp_ms = -static_cast<std::int64_t>(limits::kCounterMax);
    data.ttl_ms = limits::kTtlMsMax;
    data.metadata = object_of(limits::kMetadataBytesMax);
    data.dimension = limits::kDimensionMax;
    const Buffer entry =
        encode_registry_record(header_of(RecordKind::Registry, name, 0x12, limits::kCounterMax, 1),
                               data, Buffer(2 * limits::kDimensionMax, 'x'));
    CHECK(decode_record(entry).has_value());
    const Buffer shared = encode_shared_record(
        header_of(RecordKind::Shared, name, 0x12, limits::kCounterMax, 1),
        {std::string(limits::kSharedKeyBytesMax, '"'), object_of(limits::kPayloadBytesMax), false});
    CHECK(decode_record(shared).has_value());
    // Within a delta of one record, with the longest path.
    const DeltaRecord in_delta{
        shared, {limits::kCounterMax, std::vector<std::uint32_t>(limits::kHopsMax, UINT32_MAX), 1}};
    CHECK(encode_message(Delta{{}, {in_delta}}).bytes.size() <= limits::kMessageBytesMax);
}

TEST_CASE("registry record: a name is UTF-8 without control characters") {
    for (const std::string& good : {"a"s, " "s, "\xc2\xa0"s, "\xc3\x9f"s, "\xe2\x82\xac"s,
                                    "\xf0\x9f\x98\x80"s, "12345678"s}) {
        CHECK(is_name(good, 8));
    }
    for (const std::string& bad : {""s, "123456789"s, "\0"s, "a\x1f"s, "\x7f"s, "\xc2\x80"s,
                                   "\xc2\x9f"s, "\xff"s, "\xc3"s, "\xed\xa0\x80"s}) {
        CHECK_FALSE(is_name(bad, 8));
    }
}
