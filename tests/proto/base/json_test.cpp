// SPDX-License-Identifier: Apache-2.0
#include "proto/base/json.h"

#include <doctest/doctest.h>

#include "proto/base/ids.h"
#include "proto/base/prng.h"

using namespace meshd;
using json::Document;
using json::Value;

namespace {

bool parses(std::string_view text, const json::Limits& limits = {}) {
    return Document::parse(text, limits).has_value();
}

std::string reprint(std::string_view text) {
    return Document::parse(text, {})->root().print();
}

}  // namespace

TEST_CASE("json: every kind of value is read as what it is") {
    const auto document = Document::parse(
        R"( {"n":null,"t":true,"f":false,"i":-7,"u":18446744073709551615,"d":2.5e3,
            "s":"a\u00e9\n\"\ud83d\ude00","a":[1,[],{"x":"y"}],"o":{}} )",
        {});
    REQUIRE(document.has_value());
    const Value root = document->root();
    CHECK(root.is_object());
    CHECK(root.size() == 9);
    CHECK(root["n"].is_null());
    CHECK(root["t"].as_bool() == true);
    CHECK(root["f"].as_bool() == false);
    CHECK(root["i"].as_int() == -7);
    CHECK_FALSE(root["i"].as_uint().has_value());
    CHECK(root["u"].as_uint() == UINT64_MAX);
    CHECK_FALSE(root["u"].as_int().has_value());
    CHECK(root["d"].as_double() == 2500.0);
    CHECK_FALSE(root["d"].as_int().has_value());
    CHECK(root["s"].as_string() == "a\u00e9\n\"\U0001F600");
    CHECK(root["a"].size() == 3);
    CHECK(root["o"].is_object());
    CHECK(root["o"].begin() == root["o"].end());
}

TEST_CASE("json: an absent value answers every question") {
    const Value absent;
    CHECK_FALSE(absent.exists());
    CHECK_FALSE(absent["a"]["b"].exists());
    CHECK_FALSE(absent.as_string().has_value());
    CHECK_FALSE(absent.as_double().has_value());
    CHECK(absent.size() == 0);
    CHECK(absent.begin() == absent.end());
    CHECK(absent.print() == "null");
    CHECK_FALSE(Document().root().exists());
}

TEST_CASE("json: iteration visits elements and members in the order written") {
    const auto document = Document::parse(R"({"b":[1,{"k":[2]},3],"a":{},"c":"x"})", {});
    std::string seen;
    const Value root = document->root();
    for (auto it = root.begin(); it != root.end(); ++it) {
        seen += std::string(it.key()) + '=' + (*it).print() + ' ';
    }
    CHECK(seen == R"(b=[1,{"k":[2]},3] a={} c="x" )");
    seen.clear();
    for (const Value element : root["b"]) {
        seen += element.print() + ' ';
    }
    CHECK(seen == R"(1 {"k":[2]} 3 )");
}

TEST_CASE("json: a document keeps its values when it is moved") {
    auto first = Document::parse(R"({"a":"short"})", {});
    const Value root = first->root();
    const Document second = std::move(*first);
    CHECK(root["a"].as_string() == "short");
    CHECK(second.root()["a"].as_string() == "short");
}

TEST_CASE("json: bad syntax is refused") {
    for (const char* text : {"",
                             " ",
                             "{",
                             "}",
                             "[",
                             "]",
                             "{]",
                             "[1,]",
                             "[,1]",
                             "[1 2]",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{a:1}",
                             "{'a':1}",
                             "{1:2}",
                             "\"",
                             "\"a",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "\"\\ud800\"",
                             "\"\\udc00\"",
                             "\"\\ud800\\u0041\"",
                             "{\"\\udfff\":1}",
                             "\"\n\"",
                             "tru",
                             "nul",
                             "True",
                             "01",
                             "+1",
                             ".5",
                             "1.",
                             "1e",
                             "-",
                             "--1",
                             "0x1",
                             "NaN",
                             "Infinity",
                             "-Infinity",
                             "1 1",
                             "{} {}",
                             "[]x",
                             "// c\n1",
                             "/* */1",
                             "[1]]",
                             "\xef\xbb\xbf{}"}) {
        CHECK_MESSAGE(!parses(text), text);
    }
}

TEST_CASE("json: a NUL byte never ends the text early") {
    using namespace std::string_view_literals;
    CHECK_FALSE(parses("{}\0"sv));
    CHECK_FALSE(parses("{}\0{"sv));
    CHECK_FALSE(parses("[1,\0 2]"sv));
    CHECK_FALSE(parses("\"a\0b\""sv));
    CHECK_FALSE(parses("\0{}"sv));
    const auto escaped = Document::parse(R"("a\u0000b")", {});
    REQUIRE(escaped.has_value());
    CHECK(escaped->root().as_string() == "a\0b"sv);
}

TEST_CASE("json: the error says where the parser gave up") {
    CHECK(Document::parse("[1,2,x]", {}).error().offset == 5);
    CHECK(Document::parse("[\"\xff\"]", {}).error().offset == 2);
    CHECK(Document::parse(R"({"a":1,"a":2})", {}).error().message == "duplicate key");
}

TEST_CASE("json: bad UTF-8 is refused wherever it stands") {
    for (const char* bytes :
         {"\xff", "\x80", "\xc0\xaf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"}) {
        const std::string text = std::string("12345678") + bytes;
        CHECK_FALSE(json::is_utf8(bytes));
        CHECK_FALSE(json::is_utf8(text));
        CHECK_FALSE(parses('"' + text + '"'));
        CHECK_FALSE(parses("{\"" + text + "\":1}"));
    }
    for (const char* good : {"", "abc", "\x7f", "\u00e9\u07ff", "\u0800\ud7ff\ue000\uffff",
                             "\U00010000\U0010FFFF", "1234567\u00e9 12345678"}) {
        CHECK(json::is_utf8(good));
    }
}

TEST_CASE("json: duplicate keys are refused in small and in large objects") {
    CHECK_FALSE(parses(R"({"a":1,"a":2})"));
    CHECK_FALSE(parses(R"({"a":1,"\u0061":2})"));
    CHECK_FALSE(parses(R"([{"x":{"b":1,"c":{},"b":2}}])"));
    CHECK(parses(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"));
    for (const int members : {15, 16, 17, 18, 200}) {
        std::string text = "{";
        for (int i = 0; i < members; ++i) {
            text += "\"k" + std::to_string(i) + "\":[" + std::to_string(i) + "],";
        }
        CHECK(parses(text + "\"last\":0}"));
        CHECK_FALSE(parses(text + "\"k0\":0}"));
        CHECK_FALSE(parses(text + "\"k" + std::to_string(members - 1) + "\":0}"));
    }
}

TEST_CASE("json: a number beyond double is refused, whatever its spelling") {
    CHECK(parses("1.7976931348623157e308"));
    CHECK_FALSE(parses("1e309"));
    CHECK_FALSE(parses("-1e309"));
    CHECK_FALSE(parses("[1e99999999999999999999]"));
    CHECK_FALSE(parses(std::string(400, '9')));
    CHECK(parses(std::string(300, '9')));
    CHECK(parses("123456789012345678901234567890"));
    CHECK(Document::parse("1e-400", {})->root().as_double() == 0.0);
    CHECK(Document::parse("-0", {})->root().as_int() == 0);
    CHECK_FALSE(Document::parse("9223372036854775808", {})->root().as_int().has_value());
    CHECK(Document::parse("9223372036854775808", {})->root().as_double() == 9223372036854775808.0);
}

TEST_CASE("json: bytes, depth and values are limited") {
    CHECK(parses("[[1]]", {5, 2, 3}));
    CHECK_FALSE(parses("[[1]]", {4, 2, 3}));
    CHECK_FALSE(parses("[[1]]", {5, 1, 3}));
    CHECK_FALSE(parses("[[1]]", {5, 2, 2}));
    CHECK(parses("1", {1, 0, 1}));
    CHECK_FALSE(parses("{}", {2, 0, 1}));
    CHECK(Document::parse("[[]]", {100, 1, 9}).error().message == "nested too deeply");
}

TEST_CASE("json: a million open brackets neither overflow the stack nor take long") {
    const json::Limits limits{std::size_t{1} << 22, json::kDepthLimitMax, std::size_t{1} << 22};
    CHECK_FALSE(parses(std::string(1000000, '['), limits));
    std::string deepest(json::kDepthLimitMax, '[');
    deepest += std::string(json::kDepthLimitMax, ']');
    const auto document = Document::parse(deepest, limits);
    REQUIRE(document.has_value());
    CHECK(document->root().print() == deepest);
}

TEST_CASE("json: printing is compact and keeps numbers as they were written") {
    CHECK(reprint(R"( { "a" : [ 1.50 , -0 , 1E2 ] , "b" : "\u00e9\/\b" } )") ==
          "{\"a\":[1.50,-0,1E2],\"b\":\"\u00e9/\\b\"}");
    CHECK(reprint(R"([true,false,null,{},[],""])") == R"([true,false,null,{},[],""])");
}

TEST_CASE("json: random damage is refused or read, never more") {
    const std::string good =
        R"({"a":[1,-2.5e7,"x\u00e9\n",{"b":null,"c":[true,false,[[]]]}],"node":"box-1","n":{}})";
    Prng prng(Entropy{11});
    std::size_t accepted = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string text = good;
        const auto changes = 1 + prng.below(4);
        for (std::uint64_t c = 0; c < changes; ++c) {
            text[prng.below(text.size())] = static_cast<char>(prng.next());
        }
        text.resize(1 + prng.below(text.size()));
        if (prng.below(4) == 0) {
            text += "]}";
        }
        const auto document = Document::parse(text, {});
        if (document) {
            ++accepted;
            const std::string printed = document->root().print();
            CHECK(reprint(printed) == printed);
        }
    }
    CHECK(accepted > 0);
}
