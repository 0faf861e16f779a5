// SPDX-License-Identifier: Apache-2.0
#include "cli/entry_line.h"

#include <doctest/doctest.h>

#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

constexpr std::int64_t kNow = 1'718'000'000'000;

std::string line_of(std::string_view entry) {
    const auto document = parsed(entry);
    return print_entry_line(document.root(), kNow);
}

std::string why(std::string_view line) {
    const auto entry = parse_entry_line(line, kNow);
    return entry ? std::string() : entry.error();
}

TEST_CASE("entry line: an entry is written with what it was and what is left of its life") {
    CHECK(line_of(R"({"hash":"9f86","node":"cam-1","type":"person","timestamp_ms":5,"age_ms":2000.5,
                      "ttl_ms":60000,"space":"s","dimension":2,"metadata":{"a":[1]},
                      "embedding":{"f16":"AAAA"}})") ==
          R"({"hash":"9f86","type":"person","embedding":{"f16":"AAAA"},"space":"s",)"
          R"("metadata":{"a":[1]},"timestamp_ms":5,"ttl_ms":57999,"exported_ms":1718000000000,)"
          R"("node":"cam-1","age_ms":2001})");
    CHECK(
        line_of(
            R"({"hash":"a","node":"b","type":"t","timestamp_ms":5,"age_ms":1,"ttl_ms":null,"space":null,"metadata":{}})") ==
        R"({"hash":"a","type":"t","metadata":{},"timestamp_ms":5,"node":"b","age_ms":1})");
}

TEST_CASE("entry line: an entry whose life is over is not written") {
    CHECK(line_of(R"({"hash":"a","node":"b","type":"t","age_ms":1000,"ttl_ms":1000})").empty());
}

TEST_CASE("entry line: what was written is read back, and names do not go into the registry") {
    const auto entry = parse_entry_line(
        R"({"hash":"9f86","type":"person","space":"s","embedding":[1.50,2],"timestamp_ms":5,"node":"cam-1","age_ms":7,"ttl_ms":null})",
        kNow);
    REQUIRE(entry.has_value());
    CHECK(entry->hash == "9f86");
    CHECK(entry->node == "cam-1");
    CHECK(entry->timestamp_ms == 5);
    CHECK(!entry->has_expired);
    CHECK(entry->entry ==
          R"({"hash":"9f86","type":"person","embedding":[1.50,2],"space":"s","timestamp_ms":5})");
}

TEST_CASE("entry line: time in the file is taken off the ttl, and none is added") {
    const auto ttl_of = [](std::int64_t ttl, std::int64_t exported) {
        const auto entry =
            parse_entry_line(R"({"hash":"a","type":"t","ttl_ms":)" + std::to_string(ttl) +
                                 R"(,"exported_ms":)" + std::to_string(exported) + "}",
                             kNow);
        REQUIRE(entry.has_value());
        if (entry->has_expired) {
            return std::int64_t{-1};
        }
        return parsed(entry->entry).root()["ttl_ms"].as_int().value_or(0);
    };
    CHECK(ttl_of(60'000, kNow) == 60'000);
    CHECK(ttl_of(60'000, kNow - 20'000) == 40'000);
    CHECK(ttl_of(60'000, kNow - 60'000) == -1);
    CHECK(ttl_of(60'000, kNow + 20'000) == 60'000);
    CHECK(ttl_of(60'000, INT64_MIN) == 60'000);
    const auto by_hand = parse_entry_line(R"({"hash":"a","type":"t","ttl_ms":5})", kNow);
    REQUIRE(by_hand.has_value());
    CHECK(by_hand->entry == R"({"hash":"a","type":"t","ttl_ms":5})");
}

TEST_CASE("entry line: a line that is no entry says why") {
    CHECK(why("{\"hash\":").starts_with("no JSON at byte"));
    CHECK(why("[]") == "no JSON object");
    CHECK(why(R"({"type":"t"})") == "hash is missing");
    CHECK(why(R"({"hash":1,"type":"t"})") == "hash is no text");
    CHECK(why(R"({"hash":"a"})") == "type is missing");
    CHECK(why(R"({"hash":"a","type":"t","metdata":{}})") ==
          "unknown member 'metdata'; did you mean 'metadata'?");
    CHECK(why(R"({"hash":"a","type":"t","ttl_ms":1.5})") == "ttl_ms is no whole number");
    CHECK(why(R"({"hash":"a","type":"t","timestamp_ms":"now"})") ==
          "timestamp_ms is no whole number");
}

}  // namespace
}  // namespace meshd::cli
