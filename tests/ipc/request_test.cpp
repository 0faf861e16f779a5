// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "ipc/call_group.h"
#include "ipc/request.h"

using namespace meshd;
using namespace meshd::ipc;

namespace {

Error error_of(ErrorCode code, std::string message) {
    Error error;
    error.code = code;
    error.message = std::move(message);
    return error;
}

/// The server of the specification's examples: subtract, sum, get_data, and notifications.
std::string serve(std::string_view line) {
    const Incoming incoming = Incoming::parse(line);
    CallGroup group(incoming.is_batch(), incoming.items().size());
    for (std::size_t i = 0; i < incoming.items().size(); ++i) {
        const auto& item = incoming.items()[i];
        if (!item) {
            // The specification fixes the code; our message says more.
            Error error = item.error().error;
            error.message = error.code == ErrorCode::ParseError ? "Parse error" : "Invalid Request";
            group.fail(i, item.error().id, error);
            continue;
        }
        if (item->is_notification) {
            group.skip();
            continue;
        }
        std::vector<std::int64_t> numbers;
        for (const json::Value value : item->params) {
            numbers.push_back(value.as_int().value_or(0));
        }
        if (item->method == "subtract") {
            const bool by_name = item->params.is_object();
            const std::int64_t left = by_name ? *item->params["minuend"].as_int() : numbers.at(0);
            const std::int64_t right =
                by_name ? *item->params["subtrahend"].as_int() : numbers.at(1);
            group.finish(i, item->id, std::to_string(left - right));
        } else if (item->method == "sum") {
            std::int64_t sum = 0;
            for (const std::int64_t number : numbers) {
                sum += number;
            }
            group.finish(i, item->id, std::to_string(sum));
        } else if (item->method == "get_data") {
            group.finish(i, item->id, R"(["hello",5])");
        } else {
            group.fail(i, item->id, error_of(ErrorCode::MethodNotFound, "Method not found"));
        }
    }
    REQUIRE(group.is_complete());
    return group.take_line();
}

/// The only refusal of a line.
Refusal refusal_of(std::string_view line) {
    const Incoming incoming = Incoming::parse(line);
    REQUIRE(incoming.items().size() == 1);
    REQUIRE_FALSE(incoming.items()[0]);
    return incoming.items()[0].error();
}

}  // namespace

TEST_CASE("specification: positional params") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1})") ==
          R"({"jsonrpc":"2.0","result":19,"id":1})"
          "\n");
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2})") ==
          R"({"jsonrpc":"2.0","result":-19,"id":2})"
          "\n");
}

TEST_CASE("specification: named params in either order") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "subtract",)"
                R"( "params": {"subtrahend": 23, "minuend": 42}, "id": 3})") ==
          R"({"jsonrpc":"2.0","result":19,"id":3})"
          "\n");
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "subtract",)"
                R"( "params": {"minuend": 42, "subtrahend": 23}, "id": 4})") ==
          R"({"jsonrpc":"2.0","result":19,"id":4})"
          "\n");
}

TEST_CASE("specification: notifications are not answered") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]})").empty());
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "foobar"})").empty());
}

TEST_CASE("specification: unknown method") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "foobar", "id": "1"})") ==
          R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"1"})"
          "\n");
}

TEST_CASE("specification: invalid JSON") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])") ==
          R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null})"
          "\n");
}

TEST_CASE("specification: invalid request object") {
    CHECK(serve(R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})") ==
          R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null})"
          "\n");
}

TEST_CASE("specification: batch with invalid JSON is answered once") {
    CHECK(serve(R"([ {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},)"
                R"( {"jsonrpc": "2.0", "method" ])") ==
          R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null})"
          "\n");
}

TEST_CASE("specification: an empty batch is answered by one error, not an array") {
    CHECK(serve("[]") ==
          R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null})"
          "\n");
}

TEST_CASE("specification: an invalid but not empty batch gets an error per element") {
    const std::string one =
        R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null})";
    CHECK(serve("[1]") == "[" + one + "]\n");
    CHECK(serve("[1,2,3]") == "[" + one + "," + one + "," + one + "]\n");
}

TEST_CASE("specification: a mixed batch") {
    CHECK(serve(R"([
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}])") ==
          R"([{"jsonrpc":"2.0","result":7,"id":"1"},)"
          R"({"jsonrpc":"2.0","result":19,"id":"2"},)"
          R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request"},"id":null},)"
          R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"5"},)"
          R"({"jsonrpc":"2.0","result":["hello",5],"id":"9"}])"
          "\n");
}

TEST_CASE("specification: a batch of notifications is not answered") {
    CHECK(serve(R"([{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},)"
                R"({"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}])")
              .empty());
}

TEST_CASE("requests: ids come back as they were written") {
    for (const std::string id :
         {"1", "-7", "1.5", "18446744073709551615", "1e3", "\"\"", "\"a b\"", "null"}) {
        CAPTURE(id);
        CHECK(serve(R"({"jsonrpc":"2.0","method":"get_data","id":)" + id + "}") ==
              R"({"jsonrpc":"2.0","result":["hello",5],"id":)" + id + "}\n");
    }
}

TEST_CASE("requests: an id that is no string, number or null is an invalid request") {
    for (const std::string id : {"[1]", "{}", "true"}) {
        CAPTURE(id);
        const Refusal refusal =
            refusal_of(R"({"jsonrpc":"2.0","method":"get_data","id":)" + id + "}");
        CHECK(refusal.error.code == ErrorCode::InvalidRequest);
        CHECK(refusal.id == "null");
    }
}

TEST_CASE("requests: what is no request is refused, with its id where it has one") {
    const std::map<std::string, std::string> cases = {
        {R"({"method":"x","id":4})", "4"},
        {R"({"jsonrpc":"1.0","method":"x","id":4})", "4"},
        {R"({"jsonrpc":2.0,"method":"x","id":4})", "4"},
        {R"({"jsonrpc":"2.0","id":"q"})", "\"q\""},
        {R"({"jsonrpc":"2.0","method":["x"],"id":4})", "4"},
        {R"({"jsonrpc":"2.0","method":"x","params":3,"id":4})", "4"},
        {R"({"jsonrpc":"2.0","method":"x","params":null,"id":4})", "4"},
        {R"({"jsonrpc":"2.0","result":3})", "null"},
        {"\"text\"", "null"},
        {"12", "null"},
        {"null", "null"},
    };
    for (const auto& [line, id] : cases) {
        const auto& shown = line;
        CAPTURE(shown);
        const Refusal refusal = refusal_of(line);
        CHECK(refusal.error.code == ErrorCode::InvalidRequest);
        CHECK(refusal.id == id);
    }
}

TEST_CASE("requests: duplicate keys, bad UTF-8 and text behind the request are parse errors") {
    for (const std::string& line :
         {std::string(R"({"jsonrpc":"2.0","method":"a","method":"b","id":1})"),
          std::string("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\",\"id\":1}"),
          std::string(R"({"jsonrpc":"2.0","method":"a","id":1} x)"), std::string("{")}) {
        CAPTURE(line);
        CHECK(refusal_of(line).error.code == ErrorCode::ParseError);
    }
}

TEST_CASE("requests: depth 64 is accepted, depth 65 is a parse error") {
    const auto nested = [](std::size_t depth) {
        return R"({"jsonrpc":"2.0","method":"a","id":1,"params":)" + std::string(depth, '[') +
               std::string(depth, ']') + "}";
    };
    CHECK(Incoming::parse(nested(kRequestDepthMax - 1)).items()[0]);
    CHECK(refusal_of(nested(kRequestDepthMax)).error.code == ErrorCode::ParseError);
    CHECK(refusal_of(std::string(500'000, '[')).error.code == ErrorCode::ParseError);
}

TEST_CASE("requests: a batch beyond its limit is refused as a whole") {
    std::string batch = "[";
    for (std::size_t i = 0; i < kBatchRequestsMax; ++i) {
        batch += R"({"jsonrpc":"2.0","method":"sum","id":1},)";
    }
    CHECK(Incoming::parse(batch.substr(0, batch.size() - 1) + "]").items().size() ==
          kBatchRequestsMax);
    CHECK(refusal_of(batch + "1]").error.code == ErrorCode::InvalidRequest);
}

TEST_CASE("call groups: a batch is complete when its last call is, in the order of the requests") {
    CallGroup group(true, 3);
    group.finish(2, "3", "{}");
    group.skip();
    CHECK_FALSE(group.is_complete());
    group.finish(0, "1", "{}");
    CHECK(group.is_complete());
    CHECK(group.take_line() ==
          R"([{"jsonrpc":"2.0","result":{},"id":1},{"jsonrpc":"2.0","result":{},"id":3}])"
          "\n");
}

TEST_CASE("call groups: results beyond the limit become overloaded errors") {
    CallGroup group(true, 2);
    group.finish(0, "1", "\"" + std::string(kResultBytesMax - 100, 'x') + "\"");
    group.finish(1, "2", "\"" + std::string(200, 'y') + "\"");
    const std::string line = group.take_line();
    CHECK(line.size() < kResultBytesMax + 1000);
    CHECK(line.find("{\"code\":900,") != std::string::npos);
    CHECK(line.find("yyy") == std::string::npos);
}

TEST_CASE("errors: data holds what is known and is left out where nothing is") {
    std::string text;
    Error error = error_of(ErrorCode::Overloaded, "too much");
    {
        json::Writer writer(text);
        write_error(writer, error);
    }
    CHECK(text == R"({"code":900,"message":"too much"})");
    error.retry_after_ms = 20;
    error.field = "f";
    error.got = "[1]";
    error.expected = "string";
    error.did_you_mean = "g";
    text.clear();
    json::Writer writer(text);
    write_error(writer, error);
    CHECK(text == R"({"code":900,"message":"too much","data":{"field":"f","got":[1],)"
                  R"("expected":"string","did_you_mean":"g","retry_after_ms":20}})");
}

TEST_CASE("notifications: method and params") {
    CHECK(print_notification("event", "{\"a\":1}") ==
          R"({"jsonrpc":"2.0","method":"event","params":{"a":1}})");
}
