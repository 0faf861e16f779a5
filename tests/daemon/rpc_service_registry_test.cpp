// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ipc/framing.h"
#include "proto/base/base64.h"
#include "proto/store/embedding.h"
#include "proto/wire/limits.h"
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

namespace {

/// Base64 of `dimension` fp16 values, all the same and together of length 1; dimension = 4^n.
std::string even_halves(std::size_t dimension) {
    std::vector<double> values(dimension, 1.0);
    return print_base64(*make_embedding(values));
}

}  // namespace

TEST_CASE("service: a put becomes one command with all entries") {
    Fixture f;
    f.recording();
    f.service.on_line(
        kClient,
        R"({"jsonrpc":"2.0","id":1,"method":"registry.put","params":{"durable":true,"entries":[)"
        R"({"hash":"a","type":"face","embedding":[0,2],"space":"demo","metadata":{ "c" : 2 },)"
        R"("ttl_ms":5000,"timestamp_ms":17},{"hash":"b","type":"plate"}]}})");
    REQUIRE(f.mesh.commands.size() == 1);
    const auto put = std::get<PutEntries>(f.mesh.commands[0]);
    CHECK(put.is_durable);
    REQUIRE(put.entries.size() == 2);
    CHECK(put.entries[0].hash == "a");
    CHECK(put.entries[0].type == "face");
    CHECK(put.entries[0].space == "demo");
    CHECK(put.entries[0].embedding == Buffer{0x00, 0x00, 0x00, 0x3c});
    CHECK(put.entries[0].metadata == R"({"c":2})");
    CHECK(put.entries[0].ttl_ms == 5000);
    CHECK(put.entries[0].timestamp_ms == 17);
    CHECK(put.entries[1].metadata == "{}");
    CHECK(put.entries[1].embedding.empty());
    CHECK_FALSE(put.entries[1].timestamp_ms);
    f.service.on_output(EntriesPut{RequestId{f.mesh.last_request}, 2, true});
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","result":{"stored":2,"durable":true},"id":1})"});
}

TEST_CASE("service: what is wrong with an entry is said by field, and nothing is stored") {
    Fixture f;
    f.recording();
    const auto told = [&](std::string_view entry) {
        const std::string one = error_text(f, "registry.put", entry);
        std::string many = R"({"entries":[{"hash":"a","type":"t"},)" + std::string(entry) + "]}";
        CHECK(error_text(f, "registry.put", many).find(" entries[1].") != std::string::npos);
        return one;
    };
    const auto with = [&](std::string_view member) {
        return told(R"({"hash":"a","type":"face",)" + std::string(member) + "}");
    };
    CHECK(told(R"({"type":"face"})").starts_with("-32602 hash: "));
    CHECK(told(R"({"hash":"a"})").starts_with("-32602 type: "));
    CHECK(with(R"("embedding":[1])") == "-32602 space: space is required with an embedding");
    CHECK(with(R"("space":"demo")").starts_with("-32602 space: "));
    CHECK(with(R"("ttl_ms":0)").starts_with("-32602 ttl_ms: "));
    const auto embedded = [&](std::string_view embedding) {
        return with(R"("space":"demo","embedding":)" + std::string(embedding));
    };
    const std::string wrong = "-32602 embedding: ";
    CHECK(embedded("[]").starts_with(wrong));
    CHECK(embedded("[0,0,-0.0]").starts_with(wrong));
    CHECK(embedded(R"([1,"2"])") == wrong + "embedding value 1 is not a number");
    CHECK(embedded("[1,null]").starts_with(wrong));
    CHECK(embedded("7").starts_with(wrong));
    CHECK(embedded(R"({"f16":"ADw"})").starts_with(wrong));       // no padding
    CHECK(embedded(R"({"f16":""})").starts_with(wrong));          // no values
    CHECK(embedded(R"({"f16":"ADwA"})").starts_with(wrong));      // odd
    CHECK(embedded(R"({"f16":"AHw="})").starts_with(wrong));      // infinity
    CHECK(embedded(R"({"f16":"AH4="})").starts_with(wrong));      // NaN
    CHECK(embedded(R"({"f16":"AIA="})").starts_with(wrong));      // -0
    CHECK(embedded(R"({"f32":"AACA"})").starts_with(wrong));      // no multiple of 4
    CHECK(embedded(R"({"f32":"AADAfw=="})").starts_with(wrong));  // NaN
    CHECK(embedded(R"({"f32":"AACAfw=="})").starts_with(wrong));  // infinity
    std::string many = "[1";
    for (std::size_t i = 0; i < limits::kDimensionMax; ++i) {
        many += ",1";
    }
    CHECK(embedded(many + "]").starts_with(wrong));
    CHECK(with(R"("metadata":{"text":")" + std::string(9000, 'x') + "\"}")
              .starts_with("301 metadata: "));
    CHECK(error_text(f, "registry.put", R"({"entries":[{"hash":"a","type":"t"}],"hash":"b"})")
              .starts_with("-32602 hash: "));
    CHECK(error_text(f, "registry.put", "{}").starts_with("-32602 hash: "));
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service: what the core refuses of an entry is said by its place") {
    using Code = CommandError::Code;
    Fixture f;
    CommandError refused{Code::Dimension, "embedding", "has 2 values", {}, 3};
    f.recording(refused);
    CHECK(error_text(f, "registry.put", R"({"entries":[{"hash":"a","type":"t"}]})") ==
          "302 entries[3].embedding: entries[3].embedding has 2 values");
    CHECK(error_text(f, "registry.put", R"({"hash":"a","type":"t"})") ==
          "302 embedding: embedding has 2 values");
    refused.code = Code::TooLarge;
    refused.field = "metadata";
    f.recording(refused);
    CHECK(error_text(f, "registry.put", R"({"hash":"a","type":"t"})").starts_with("301 metadata:"));
}

TEST_CASE("service: scopes of state do not mix their params") {
    Fixture f;
    f.recording();
    CHECK(error_text(f, "state.get", R"({"key":"a"})").starts_with("-32602 key:"));
    CHECK(error_text(f, "state.get", R"({"scope":"mesh","node_id":"box-1"})")
              .starts_with("-32602 node_id:"));
    CHECK(error_text(f, "state.update", R"({"scope":"mesh","activity":"IDLE","patch":{}})")
              .starts_with("-32602 activity:"));
    CHECK(error_text(f, "state.update", R"({"scope":"mesh"})").starts_with("-32602 patch:"));
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service with a node: an embedding that came out goes in unchanged") {
    Fixture f;
    const auto put = [&](const std::string& hash, const std::string& embedding) {
        f.result("registry.put", R"({"hash":")" + hash + R"(","type":"face","space":"demo",)" +
                                     R"("embedding":)" + embedding + "}");
        const json::Document got =
            f.result("registry.get", R"({"hash":")" + hash + R"(","embedding":true})");
        const json::Value entry = *got.root()["result"]["entries"].begin();
        CHECK(entry["dimension"].as_int() == 3);
        return std::string(entry["embedding"].print());
    };
    std::uint64_t state = 1;
    for (int i = 0; i < 50; ++i) {
        std::string numbers;
        for (int n = 0; n < 3; ++n) {
            state = state * 6364136223846793005 + 1442695040888963407;
            numbers += (n == 0 ? "[" : ",") +
                       std::to_string(static_cast<double>(state >> 40) / (1 << 23) - 1.0);
        }
        const std::string out = put("a", numbers + "]");
        CHECK(put("b", out) == out);
    }
    // 1, 0, 0 as fp32 of length 2.
    CHECK(put("c", R"({"f32":"AAAAQAAAAAAAAAAA"})") == put("d", "[7,0,0]"));
}

TEST_CASE("service with a node: entries are put, got, listed by pages and deleted") {
    Fixture f;
    std::string entries;
    for (int n = 0; n < 250; ++n) {
        const std::string number = std::to_string(1000 + n);
        entries += std::string(n == 0 ? "" : ",") + R"({"hash":"h)" + number + R"(","type":")" +
                   (n % 2 == 0 ? "even" : "odd") + R"(","metadata":{"n":)" + number + "}}";
    }
    CHECK(f.result("registry.put", R"({"entries":[)" + entries + "]}")
              .root()["result"]["stored"]
              .as_int() == 250);
    const auto count = [&](const std::string& filter, int limit) {
        std::size_t found = 0;
        std::size_t pages = 0;
        std::string after;
        do {
            const json::Document page = f.result(
                "registry.list", "{" + filter + "\"limit\":" + std::to_string(limit) +
                                     (after.empty() ? "" : ",\"after\":\"" + after + "\"") + "}");
            found += page.root()["result"]["entries"].size();
            after = page.root()["result"]["next"].as_string().value_or("");
            ++pages;
        } while (!after.empty() && pages < 300);
        return std::pair(found, pages);
    };
    CHECK(count("", 1000) == std::pair<std::size_t, std::size_t>(250, 1));
    CHECK(count("", 250) == std::pair<std::size_t, std::size_t>(250, 1));
    CHECK(count("", 120) == std::pair<std::size_t, std::size_t>(250, 3));
    CHECK(count(R"("type":"odd",)", 100) == std::pair<std::size_t, std::size_t>(125, 2));
    CHECK(count(R"("prefix":"h110",)", 3) == std::pair<std::size_t, std::size_t>(10, 4));
    CHECK(count(R"("node":"box-9",)", 3) == std::pair<std::size_t, std::size_t>(0, 1));
    const json::Document got = f.result("registry.get", R"({"hash":"h1007"})");
    const json::Value entry = *got.root()["result"]["entries"].begin();
    CHECK(entry["node"].as_string() == "box-1");
    CHECK(entry["metadata"].print() == R"({"n":1007})");
    CHECK(entry["space"].is_null());
    CHECK_FALSE(entry["embedding"].exists());
    CHECK(f.result("registry.delete", R"({"hash":"h1007"})").root()["result"]["deleted"].as_int() ==
          1);
    CHECK(f.result("registry.delete", R"({"hash":"h1007"})").root()["result"]["deleted"].as_int() ==
          0);
    CHECK(f.code("registry.get", R"({"hash":"h1007"})") == 300);
    CHECK(count("", 1000) == std::pair<std::size_t, std::size_t>(249, 1));
    const json::Document status = f.result("mesh.status");
    CHECK(status.root()["result"]["store"]["entries"].as_int() == 249);
}

TEST_CASE("service with a node: another dimension in a space is refused as a whole") {
    Fixture f;
    f.result("registry.put", R"({"hash":"a","type":"t","space":"s","embedding":[1,1]})");
    CHECK(error_text(f, "registry.put",
                     R"({"entries":[{"hash":"b","type":"t"},)"
                     R"({"hash":"c","type":"t","space":"s","embedding":[1,1,1]}]})")
              .starts_with("302 entries[1].embedding: "));
    CHECK(f.code("registry.get", R"({"hash":"b"})") == 300);
}

TEST_CASE("service with a node: shared state is changed, read and told") {
    Fixture f;
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                         R"("params":{"kinds":["shared"]}})");
    f.take(2);
    CHECK(f.result("state.update", R"({"scope":"mesh","patch":{"mode":"night","n":{"a":1}}})")
              .root()["result"]
              .print() == R"({"changed":2,"state":{"mode":"night","n":{"a":1}}})");
    CHECK(f.result("state.update", R"({"scope":"mesh","patch":{"mode":null}})")
              .root()["result"]
              .print() == R"({"changed":1,"state":{"n":{"a":1}}})");
    CHECK(f.result("state.get", R"({"scope":"mesh"})").root()["result"].print() ==
          R"({"state":{"n":{"a":1}},"members":{"n":{"by":"box-1","age_ms":0}}})");
    CHECK(f.result("state.get", R"({"scope":"mesh","key":"x"})").root()["result"].print() ==
          R"({"state":{},"members":{}})");
    CHECK(f.take(2).size() == 3);
    CHECK(f.code("state.update",
                 R"({"scope":"mesh","patch":{"x":")" + std::string(70'000, 'x') + "\"}}") == 200);
}

TEST_CASE("service: a line of nothing but numbers is within the limits") {
    Fixture f;
    std::string values(limits::kDimensionMax * 2 - 1, '1');
    for (std::size_t i = 1; i < values.size(); i += 2) {
        values[i] = ',';
    }
    std::string entries;
    for (int n = 0; n < 120; ++n) {
        entries += std::string(n == 0 ? "" : ",") + R"({"hash":"h)" + std::to_string(n) +
                   R"(","type":"t","space":"s","embedding":[)" + values + "]}";
    }
    CHECK(entries.size() > ipc::kRequestBytesMax * 9 / 10);
    CHECK(f.result("registry.put", R"({"entries":[)" + entries + "]}")
              .root()["result"]["stored"]
              .as_int() == 120);
    const json::Document got = f.result("registry.get", R"({"hash":"h0","embedding":true})");
    CHECK((*got.root()["result"]["entries"].begin())["embedding"]["f16"].as_string() ==
          even_halves(limits::kDimensionMax));
}
