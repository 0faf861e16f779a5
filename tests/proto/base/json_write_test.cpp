// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "proto/base/json.h"

using namespace meshd;
using json::Document;

namespace {

std::string merged(std::string_view target, std::string_view patch) {
    const auto a = Document::parse(target, {});
    const auto b = Document::parse(patch, {});
    return json::merge_patch(a->root(), b->root());
}

}  // namespace

TEST_CASE("json writer: members, elements and nesting get their commas") {
    std::string out;
    json::Writer writer(out);
    writer.begin_object();
    writer.member("s", "x").member("t", true).member("i", -1).member("u",
                                                                     std::uint64_t{UINT64_MAX});
    writer.member("d", 0.1).member_raw("r", "[1]");
    writer.key("a").begin_array().integer(1).begin_object().end_object().null().begin_array();
    writer.end_array().string("y").end_array();
    writer.key("o").begin_object().end_object();
    writer.end_object();
    CHECK(out == R"({"s":"x","t":true,"i":-1,"u":18446744073709551615,"d":0.1,"r":[1],)"
                 R"("a":[1,{},null,[],"y"],"o":{}})");
}

TEST_CASE("json writer: strings are escaped so that they read back as they were") {
    std::string all;
    for (char c = 1; c < 127; ++c) {
        all += c;
    }
    all += '\0';
    all += "\u00e9\U0001F600";
    std::string out;
    json::Writer(out).string(all);
    const auto document = Document::parse(out, {});
    REQUIRE(document.has_value());
    CHECK(document->root().as_string() == all);
    out.clear();
    json::Writer(out).string("\"\\\n\r\t\x01");
    CHECK(out == "\"\\\"\\\\\\n\\r\\t\\u0001\"");
}

TEST_CASE("json writer: doubles read back as the same value, and non-finite ones are null") {
    for (const double value :
         {0.1, 1e300, -2.5e-310, 1.0 / 3.0, 123456789.0, std::numeric_limits<double>::max()}) {
        std::string out;
        json::Writer(out).number(value);
        CHECK(Document::parse(out, {})->root().as_double() == value);
    }
    std::string out;
    json::Writer(out).begin_array().number(NAN).number(INFINITY).end_array();
    CHECK(out == "[null,null]");
}

TEST_CASE("json writer: a parsed value is copied as it was") {
    const auto document = Document::parse(R"({"a":[1.0,{"b":"c"}]})", {});
    std::string out;
    json::Writer(out).begin_array().value(document->root()).integer(2).end_array();
    CHECK(out == R"([{"a":[1.0,{"b":"c"}]},2])");
}

TEST_CASE("merge patch: the examples of RFC 7396, appendix A") {
    struct Example {
        const char* target;
        const char* patch;
        const char* result;
    };
    const Example examples[] = {
        {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
        {R"({"a":"b"})", R"({"a":null})", R"({})"},
        {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
        {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
        {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
        {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
        {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
        {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
        {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
        {R"({"a":"foo"})", R"(null)", R"(null)"},
        {R"({"a":"foo"})", R"("bar")", R"("bar")"},
        {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
        {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
        {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
    };
    for (const Example& example : examples) {
        CHECK(merged(example.target, example.patch) == example.result);
    }
}

TEST_CASE("merge patch: an absent target counts as null") {
    const auto patch = Document::parse(R"({"a":1,"b":null})", {});
    CHECK(json::merge_patch({}, patch->root()) == R"({"a":1})");
    CHECK(json::merge_patch({}, {}) == "null");
}

TEST_CASE("merge patch: large objects merge like small ones") {
    std::string target = "{";
    std::string patch = "{";
    std::string expected = "{";
    for (int i = 0; i < 100; ++i) {
        const std::string key = (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":";
        target += key + "0";
        patch += key + "1";
        expected += key + "1";
    }
    CHECK(merged(target + "}", patch + "}") == expected + "}");
    CHECK(merged(target + ",\"x\":0}", patch + ",\"x\":null,\"y\":2}") == expected + ",\"y\":2}");
}

TEST_CASE("json writer: strings of any length, with and without escapes, read back as they were") {
    for (std::size_t length = 0; length < 140; ++length) {
        for (const std::string& end :
             {std::string(), std::string("\""), std::string("\x01"), std::string("\xc3\xa4")}) {
            const std::string text = std::string(length, 'x') + end;
            std::string out;
            json::Writer(out)
                .begin_object()
                .member(text, text)
                .key("list")
                .begin_array()
                .string(text)
                .string(text)
                .end_array()
                .end_object();
            const auto document = json::Document::parse(out, json::Limits{});
            REQUIRE(document);
            CHECK(document->root()[text].as_string() == text);
            CHECK(document->root()["list"].size() == 2);
        }
    }
}
