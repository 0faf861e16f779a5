// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "proto/base/base64.h"
#include "proto/store/embedding.h"
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string request(std::string_view method, std::string_view params) {
    return R"({"jsonrpc":"2.0","id":"q","method":")" + std::string(method) + R"(","params":)" +
           std::string(params) + "}";
}

/// Three faces on a circle, and a car.
void put_faces(Fixture& f) {
    f.result("registry.put", R"({"entries":[)"
                             R"({"hash":"a","type":"face","space":"s","embedding":[1,0]},)"
                             R"({"hash":"b","type":"face","space":"s","embedding":[0.6,0.8]},)"
                             R"({"hash":"c","type":"face","space":"s","embedding":[0,1]},)"
                             R"({"hash":"d","type":"car","space":"s","embedding":[1,0]}]})");
}

std::string f16(std::vector<double> values) {
    return R"({"f16":")" + print_base64(*make_embedding(values)) + "\"}";
}

SearchAnswered answered(std::uint64_t number, const char* node, std::string results) {
    SearchAnswered answer;
    answer.request = RequestId{number};
    answer.node = *NodeId::parse(node);
    answer.results = std::move(results);
    return answer;
}

SearchRequested requested(std::uint64_t ticket) {
    return {SearchTicket{ticket}, *NodeId::parse("box-2"), "person", R"({"coat":"red"})", 1s, 10};
}

/// The params of the event in a line, or of a text that is none.
std::string data_of(const std::string& line) {
    const auto document = json::Document::parse(line, json::Limits{});
    REQUIRE(document);
    return document->root()["params"]["data"].print();
}

}  // namespace

TEST_CASE("registry.nearest: the entries most alike, best first, in each form of embedding") {
    Fixture f;
    put_faces(f);
    const std::string expected =
        R"({"jsonrpc":"2.0","result":{"matches":[{"hash":"a","node":"box-1","type":"face",)"
        R"("score":1,"timestamp_ms":1718000000000,"age_ms":0,"ttl_ms":null,"space":"s",)"
        R"("dimension":2,"metadata":{}}],"scanned":3,"truncated":false},"id":1})";
    for (const std::string& embedding :
         {std::string("[2,0]"), f16({1, 0}), std::string(R"({"f32":"AABAQAAAAAA="})")}) {
        CAPTURE(embedding);
        CHECK(f.call("registry.nearest", R"({"embedding":)" + embedding +
                                             R"(,"space":"s","type":"face","k":1})") == expected);
    }
    CHECK(
        has(f.call("registry.nearest",
                   R"({"embedding":[1,0],"space":"s","type":"face","k":1,"with_embedding":true})"),
            R"("embedding":)" + f16({1, 0})));
}

TEST_CASE("registry.nearest: several embeddings have their matches each, filters hold for all") {
    Fixture f;
    put_faces(f);
    const auto reply = f.result("registry.nearest",
                                R"({"embeddings":[[1,0],[0,1]],"space":"s","type":"face","k":2})");
    const json::Value results = reply.root()["result"]["results"];
    REQUIRE(results.size() == 2);
    std::string hashes;
    for (const json::Value one : results) {
        for (const json::Value match : one["matches"]) {
            hashes += std::string(match["hash"].as_string().value_or("?")) + " ";
        }
    }
    CHECK(hashes == "a b c b ");
    const auto none = f.result("registry.nearest",
                               R"({"embedding":[1,0],"space":"s","nodes":["box-2","box-3"]})");
    CHECK(none.root()["result"]["matches"].size() == 0);
    CHECK(none.root()["result"]["scanned"].as_int() == 4);
    const auto own = f.result("registry.nearest",
                              R"({"embedding":[1,0],"space":"s","node":"box-1","max_age_ms":5})");
    CHECK(own.root()["result"]["matches"].size() == 4);
}

TEST_CASE("registry.nearest: what is wrong is named by its field") {
    Fixture f;
    put_faces(f);
    const auto error = [&](std::string_view params) {
        const auto document =
            json::Document::parse(f.call("registry.nearest", params), json::Limits{});
        const json::Value root = document->root()["error"];
        return std::to_string(root["code"].as_int().value_or(0)) + " " +
               std::string(root["data"]["field"].as_string().value_or(""));
    };
    CHECK(error(R"({"space":"s"})") == "-32602 embedding");
    CHECK(error(R"({"space":"s","embedding":[1],"embeddings":[[1]]})") == "-32602 embeddings");
    CHECK(error(R"({"embedding":[1,0]})") == "-32602 space");
    CHECK(error(R"({"embedding":[1,"x"],"space":"s"})") == "-32602 embedding");
    CHECK(error(R"({"embedding":[0,0],"space":"s"})") == "-32602 embedding");
    CHECK(error(R"({"embedding":[],"space":"s"})") == "-32602 embedding");
    CHECK(error(R"({"embedding":[1,0,0],"space":"s"})") == "302 embedding");
    CHECK(error(R"({"embeddings":[[1,0],[1,0,0]],"space":"s"})") == "302 embeddings[1]");
    CHECK(error(R"({"embeddings":[[1,0],[1,null]],"space":"s"})") == "-32602 embeddings[1]");
    CHECK(error(R"({"embeddings":[[1,0,0]],"space":"s"})").starts_with("302 embeddings"));
    CHECK(error(R"({"embedding":[1,0],"space":"s","k":1001})") == "-32602 k");
    CHECK(error(R"({"embeddings":[[1,0],[0,1],[1,0],[0,1],[1,0],[0,1],[1,0],[0,1],[1,0],[0,1],)"
                R"([1,1]],"space":"s","k":1000})") == "-32602 k");
    CHECK(error(R"({"embedding":[1,0],"space":"s","nodes":["a/b"]})") == "-32602 nodes");
}

TEST_CASE("registry.nearest: a long one is answered when it is done, or refused with a hint") {
    Fixture f;
    put_faces(f);
    f.mesh.is_scanning_beside = true;
    f.service.on_line(kClient,
                      request("registry.nearest", R"({"embedding":[1,0],"space":"s","k":1})"));
    f.service.on_line(2, request("registry.nearest", R"({"embedding":[1,0],"space":"s"})"));
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(f.code("mesh.status") == 0);
    REQUIRE(f.mesh.scans.size() == 2);
    f.service.on_client_gone(2);
    for (const auto& scan : f.mesh.scans) {
        scan();
    }
    CHECK(f.take().size() == 1);
    CHECK(f.take(2).empty());
    f.mesh.refusal = CommandError{CommandError::Code::Overloaded, {}, "too many", 30ms, {}};
    CHECK(has(f.call("registry.nearest", R"({"embedding":[1,0],"space":"s"})"),
              R"("code":900,"message":"too many","data":{"retry_after_ms":30})"));
}

TEST_CASE("search.query: the command carries what the params say, embeddings in canonical form") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, request("search.query", R"({"query":{"coat":"red"},)"
                                                       R"("search_type":"person"})"));
    auto search = std::get<Search>(f.mesh.commands.back());
    CHECK(search.type == "person");
    CHECK(search.query == R"({"coat":"red"})");
    CHECK(search.nodes.empty());
    CHECK(search.timeout == 2s);
    CHECK(search.limit == 10);
    f.service.on_line(
        kClient,
        request("search.query", R"({"query":{"space":"s","embedding":[3,4]},"nodes":["a","b"],)"
                                R"("search_type":"embedding","timeout_ms":70,"limit":3})"));
    search = std::get<Search>(f.mesh.commands.back());
    CHECK(search.query == R"({"space":"s","embedding":)" + f16({3, 4}) + "}");
    CHECK(search.nodes.size() == 2);
    CHECK(search.timeout == 70ms);
    CHECK(search.limit == 3);
    CHECK(f.take().empty());
    CHECK(has(f.call("search.query",
                     R"({"query":{"space":"s","embedding":[0]},"search_type":"embedding"})"),
              R"("data":{"field":"query.embedding")"));
    CHECK(f.code("search.query", R"({"query":[],"search_type":"person"})") == -32602);
    CHECK(f.code("search.query", R"({"query":{},"search_type":""})") == -32602);
    CHECK(f.code("search.query", R"({"query":{},"search_type":"x","nodes":[]})") == -32602);
    CHECK(f.code("search.query", R"({"query":{},"search_type":"x","timeout_ms":60001})") == -32602);
    CHECK(f.code("search.query", R"({"query":{},"search_type":"x","limit":0})") == -32602);
    CHECK(f.mesh.commands.size() == 2);
    f.recording(CommandError{CommandError::Code::TooLarge, "query", "has 70000 bytes", {}, {}});
    CHECK(f.code("search.query", R"({"query":{},"search_type":"x"})") == 501);
}

TEST_CASE("search.query: the reply says who answered what, who was silent, and what is best") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, request("search.query", R"({"query":{},"search_type":"person"})"));
    auto own = answered(101, "box-1", R"([{"hash":"h","score":0.5}])");
    own.silent = 1;
    own.skipped = 2;
    f.service.on_output(answered(101, "box-2", R"([{"hash":"h","score":0.7}])"));
    f.service.on_output(own);
    auto stale = answered(101, "box-4", "[]");
    stale.is_stale = true;
    stale.is_truncated = true;
    f.service.on_output(stale);
    auto refused = answered(101, "box-5", "[]");
    refused.refused = "overloaded";
    f.service.on_output(refused);
    CHECK(f.take().empty());
    f.service.on_output(
        SearchDone{RequestId{101}, {*NodeId::parse("box-3")}, {*NodeId::parse("box-4")}});
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","result":{"answers":[)"
                R"({"node_id":"box-1","results":[{"hash":"h","score":0.5}],)"
                R"("silent_responders":1,"skipped_responders":2},)"
                R"({"node_id":"box-2","results":[{"hash":"h","score":0.7}]},)"
                R"({"node_id":"box-4","results":[],"stale":true,"truncated":true},)"
                R"({"node_id":"box-5","results":[],"refused":"overloaded"}],)"
                R"("results":[{"hash":"h","score":0.7,"node":"box-2","nodes":["box-2","box-1"]}],)"
                R"("silent":["box-3"],"unreachable":["box-4"],"complete":false,)"
                R"("truncated":true},"id":"q"})"});
    CHECK_FALSE(f.service.is_waiting(kClient));
}

TEST_CASE("search.query with stream: each answer goes to the asker alone as it comes") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, request("search.query", R"({"query":{},"search_type":"person",)"
                                                       R"("stream":true})"));
    f.service.on_line(2, request("search.query", R"({"query":{},"search_type":"person"})"));
    f.service.on_output(answered(101, "box-2", R"([{"id":1}])"));
    f.service.on_output(answered(102, "box-2", R"([{"id":1}])"));
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","method":"event","params":{"subscription":null,)"
                            R"("kind":"search.answer","cursor":null,"timestamp_ms":1718000000000,)"
                            R"("data":{"request":"q","node_id":"box-2","results":[{"id":1}]}}})"});
    CHECK(f.take(2).empty());
    f.service.on_client_gone(kClient);
    f.service.on_output(answered(101, "box-3", R"([{"id":2}])"));
    f.service.on_output(SearchDone{RequestId{101}, {}, {}});
    f.service.on_output(SearchDone{RequestId{102}, {}, {}});
    CHECK(f.take().empty());
    CHECK(f.take(2).size() == 1);
}

TEST_CASE("search.serve: requests go to the connection that serves, and its answer to the node") {
    Fixture f;
    CHECK(f.call("search.serve", R"({"types":["person","car","car"]})") ==
          R"({"jsonrpc":"2.0","result":{"types":["car","person"]},"id":1})");
    CHECK(f.service.is_waiting(kClient));
    f.recording();
    f.service.on_output(requested(7));
    const Lines lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(has(lines[0], R"("subscription":null,"kind":"search.request","cursor":null)"));
    CHECK(data_of(lines[0]) ==
          R"({"search":"0000000000000007","search_type":"person","query":{"coat":"red"},)"
          R"("source":"box-2","timeout_ms":950,"limit":10})");
    REQUIRE(f.wake_at);
    CHECK(*f.wake_at == f.mesh.now().monotonic + 950ms);
    CHECK(f.code("search.answer", R"({"search":"x","results":[]})") == 500);
    CHECK(f.code("search.answer", R"({"search":"0000000000000007","results":{}})") == -32602);
    CHECK(f.call("search.answer", R"({"search":"0000000000000007","results":[{"id":1}]})") ==
          R"({"jsonrpc":"2.0","result":{"accepted":1,"truncated":false},"id":1})");
    REQUIRE(f.mesh.commands.size() == 1);
    const auto answer = std::get<AnswerSearch>(f.mesh.commands[0]);
    CHECK(answer.ticket == SearchTicket{7});
    CHECK(answer.results == R"([{"id":1}])");
    CHECK(f.code("search.serve", R"({"types":[]})") == 0);
    CHECK_FALSE(f.service.is_waiting(kClient));
    CHECK(std::get<ServeSearches>(f.mesh.commands.back()).types.empty());
}

TEST_CASE("search.serve: who subscribed to the kind gets the request by that subscription") {
    Fixture f;
    f.result("events.subscribe", R"({"kinds":["node"]})");
    f.result("events.subscribe", R"({"kinds":["search.request"]})");
    f.result("search.serve", R"({"types":["person"]})");
    f.service.on_line(2, request("events.subscribe", R"({"kinds":["search.request"]})"));
    f.take(2);
    f.service.on_output(requested(7));
    const Lines lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(has(lines[0], R"("subscription":"2","kind":"search.request","cursor":")"));
    CHECK(f.take(2).empty());
}

TEST_CASE("search.serve: a hung responder is counted silent in time, shown after the second time") {
    Fixture f;
    f.result("search.serve", R"({"types":["person"]})");
    f.recording();
    for (std::uint64_t ticket : {7U, 8U}) {
        f.service.on_output(requested(ticket));
        f.mesh.advance(950ms);
        f.service.on_timeout();
        const auto answer = std::get<AnswerSearch>(f.mesh.commands.back());
        CHECK(answer.ticket == SearchTicket{ticket});
        CHECK(answer.silent == 1);
    }
    f.take();
    CHECK(has(f.call("mesh.status"), "does not answer the searches it serves (person)"));
    CHECK(has(f.call("mesh.stats"), R"("responders_silent":2)"));
    f.service.on_output(requested(9));
    CHECK(f.take().empty());
    CHECK(std::get<AnswerSearch>(f.mesh.commands.back()).skipped == 1);
}

TEST_CASE("search.serve: a timer that comes too early is set again") {
    Fixture f;
    f.result("search.serve", R"({"types":["person"]})");
    f.recording();
    f.service.on_output(requested(7));
    const auto due = f.wake_at;
    REQUIRE(due);
    f.wake_at.reset();
    f.mesh.advance(949ms);
    f.service.on_timeout();
    CHECK(f.mesh.commands.empty());
    CHECK(f.wake_at == due);
    f.mesh.advance(1ms);
    f.service.on_timeout();
    CHECK(f.mesh.commands.size() == 1);
}

TEST_CASE("search.serve: more than the asker wants is said, by the node too") {
    Fixture f;
    f.service.on_line(2, request("search.serve", R"({"types":["person"]})"));
    f.service.on_line(kClient, request("search.query", R"({"query":{},"search_type":"person",)"
                                                       R"("limit":1})"));
    f.deliver();
    f.service.on_line(2, request("search.answer", R"({"search":"0000000000000001",)"
                                                  R"("results":[{"n":1},{"n":2}]})"));
    CHECK(has(f.take(2).back(), R"("result":{"accepted":1,"truncated":true})"));
    f.deliver();
    const Lines reply = f.take();
    REQUIRE(reply.size() == 1);
    CHECK(has(reply[0], R"("answers":[{"node_id":"box-1","results":[{"n":1}],"truncated":true}])"));
    CHECK(has(reply[0], R"("complete":true,"truncated":true)"));
}

TEST_CASE("search.serve: a connection that dies serves no longer, and is not waited for") {
    Fixture f;
    f.result("search.serve", R"({"types":["person"]})");
    f.recording();
    f.service.on_output(requested(7));
    f.service.on_client_gone(kClient);
    REQUIRE(f.mesh.commands.size() == 2);
    CHECK(std::get<AnswerSearch>(f.mesh.commands[0]).silent == 1);
    CHECK(std::get<ServeSearches>(f.mesh.commands[1]).types.empty());
}

TEST_CASE("searches with a node: what a local responder answers comes back to the asker") {
    Fixture f;
    f.service.on_line(2, request("search.serve", R"({"types":["person"]})"));
    f.take(2);
    f.service.on_line(kClient, request("search.query", R"({"query":{"coat":"red"},)"
                                                       R"("search_type":"person"})"));
    f.deliver();
    CHECK(f.take().empty());
    const Lines asked = f.take(2);
    REQUIRE(asked.size() == 1);
    const auto event = json::Document::parse(asked[0], json::Limits{});
    const std::string search(
        event->root()["params"]["data"]["search"].as_string().value_or("none"));
    f.service.on_line(
        2, request("search.answer", R"({"search":")" + search + R"(","results":[{"score":0.5}]})"));
    f.deliver();
    const Lines reply = f.take();
    REQUIRE(reply.size() == 1);
    CHECK(has(reply[0], R"("answers":[{"node_id":"box-1","results":[{"score":0.5}]}],)"
                        R"("results":[{"score":0.5,"node":"box-1","nodes":["box-1"]}],)"
                        R"("silent":[],"unreachable":[],"complete":true,"truncated":false})"));
}
