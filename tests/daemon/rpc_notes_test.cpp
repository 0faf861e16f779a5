// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "daemon/rpc_print_notes.h"
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;

namespace {

NodeId id(const char* text) {
    return *NodeId::parse(text);
}

std::string request(std::string_view method, std::string_view params) {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":)" +
           std::string(params) + "}";
}

NodeView view(NodeStatus status, const char* because = nullptr) {
    NodeView node;
    node.node_id = id("box-3");
    node.status = status;
    if (because != nullptr) {
        node.because = id(because);
    }
    if (status == NodeStatus::Alive) {
        node.hops = 2;
    }
    return node;
}

/// "601 box-3 is offline | offline | null"
std::string failure(ipc::CallReply reply) {
    const ipc::Error* const error = reply.as_failed();
    REQUIRE(error != nullptr);
    return std::to_string(static_cast<int>(error->code)) + " " + error->message + " | " +
           error->status + " | " + (error->because.empty() ? "null" : error->because);
}

std::string result(ipc::CallReply reply) {
    REQUIRE(reply.as_done() != nullptr);
    return reply.as_done()->result;
}

NoteEvent note(std::string topic) {
    return {id("box-2"), !topic.empty(), topic, R"({"open":"gate"})", 5, 1, {"box-2", "box-1"}};
}

}  // namespace

TEST_CASE("notes: commands carry what the params say") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, request("notes.send", R"({"node":"box-2","note":{"a":1.50}})"));
    auto send = std::get<SendNote>(f.mesh.commands.back());
    CHECK(send.node == id("box-2"));
    CHECK(send.note == R"({"a":1.50})");
    CHECK(send.wants_ack);
    CHECK(send.timeout == 5s);
    f.service.on_line(kClient, request("notes.send", R"({"node":"box-2","note":{},"ack":false,)"
                                                     R"("timeout_ms":70})"));
    send = std::get<SendNote>(f.mesh.commands.back());
    CHECK_FALSE(send.wants_ack);
    CHECK(send.timeout == 70ms);
    f.service.on_line(kClient, request("notes.broadcast", R"({"topic":"doors","note":{}})"));
    CHECK(std::get<BroadcastNote>(f.mesh.commands.back()).topic == "doors");
    f.service.on_line(kClient, request("mesh.ping", R"({"node":"box-2"})"));
    CHECK_FALSE(std::get<Probe>(f.mesh.commands.back()).is_trace);
    f.service.on_line(kClient, request("mesh.trace", R"({"node":"box-2","timeout_ms":9})"));
    CHECK(std::get<Probe>(f.mesh.commands.back()).is_trace);
    CHECK(std::get<Probe>(f.mesh.commands.back()).timeout == 9ms);
    CHECK(f.take().empty());
    f.service.on_output(NoteSpread{RequestId{103}, 4});
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","result":{"nodes":4},"id":1})"});
}

TEST_CASE("notes: what the node refuses is said with the code of its area") {
    using Code = CommandError::Code;
    Fixture f;
    f.recording(CommandError{Code::TooLarge, "note", "has 70000 bytes", {}, {}});
    CHECK(f.code("notes.send", R"({"node":"box-2","note":{}})") == 600);
    CHECK(f.code("notes.broadcast", R"({"note":{}})") == 600);
    f.recording(CommandError{Code::UnknownNode, "node", "no node of the name box-2", {}, {}});
    CHECK(f.call("mesh.ping", R"({"node":"box-2"})")
              .find(R"("code":100,"message":"no node of the name box-2",)"
                    R"("data":{"field":"node","got":"box-2"})") != std::string::npos);
    CHECK(f.code("notes.send", R"({"note":{}})") == -32602);
    CHECK(f.code("notes.broadcast", R"({"topic":"a\u0001b","note":{}})") == -32602);
    CHECK(f.code("mesh.trace", R"({"node":"box-2","timeout_ms":0})") == -32602);
}

TEST_CASE("notes: what became of one to a node, and why not") {
    const NodeId to = id("box-3");
    CHECK(result(note_reply({RequestId{1}, to, NoteOutcome::Acknowledged, 1500us},
                            view(NodeStatus::Alive))) ==
          R"({"node":"box-3","acknowledged":true,"took_ms":1.5})");
    CHECK(result(note_reply({RequestId{1}, to, NoteOutcome::Sent, 0us}, std::nullopt))
              .find(R"("acknowledged":false)") != std::string::npos);
    const auto fail = [&](NoteOutcome outcome, const std::optional<NodeView>& node) {
        return failure(note_reply({RequestId{1}, to, outcome, 0us}, node));
    };
    CHECK(fail(NoteOutcome::NoRoute, view(NodeStatus::Offline)) ==
          "601 box-3 is offline | offline | null");
    CHECK(fail(NoteOutcome::NoRoute, view(NodeStatus::Left)) == "601 box-3 has left | left | null");
    CHECK(fail(NoteOutcome::NoRoute, view(NodeStatus::Unreachable, "box-2")) ==
          "601 box-3 is unreachable, because of box-2 | unreachable | box-2");
    CHECK(fail(NoteOutcome::NoRoute, std::nullopt) ==
          "601 there is no way to box-3 | unknown | null");
    CHECK(fail(NoteOutcome::Silent, view(NodeStatus::Alive)) ==
          "602 sent, but box-3 has not said in time that it has it | alive | null");
    CHECK(fail(NoteOutcome::Silent, view(NodeStatus::Offline)) ==
          "602 box-3 is offline | offline | null");
}

TEST_CASE("notes: the reason stands in the data of the error") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, request("notes.send", R"({"node":"box-1","note":{}})"));
    f.service.on_output(NoteSent{RequestId{101}, id("box-1"), NoteOutcome::Silent, 5s});
    const Lines lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(R"("code":602,)") != std::string::npos);
    CHECK(lines[0].find(R"("data":{"field":"node","status":"alive","because":null}})") !=
          std::string::npos);
}

TEST_CASE("notes: events go to subscribers, who may choose by topic") {
    Fixture f;
    f.result("events.subscribe", R"({"kinds":["note"],"topic":"doors"})");
    f.service.on_line(2, request("events.subscribe", R"({"kinds":["note"]})"));
    f.take(2);
    f.service.on_output(note("doors"));
    f.service.on_output(note("lights"));
    f.service.on_output(note(""));
    const Lines lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find(R"("kind":"note","cursor":)") != std::string::npos);
    CHECK(lines[0].find(R"("data":{"source":"box-2","topic":"doors","broadcast":true,)"
                        R"("note":{"open":"gate"},"timestamp_ms":5,"hops":1,)"
                        R"("path":["box-2","box-1"]})") != std::string::npos);
    const Lines all = f.take(2);
    REQUIRE(all.size() == 3);
    CHECK(all[2].find(R"("topic":null,"broadcast":false)") != std::string::npos);
}

TEST_CASE("notes with a node: one to itself is told to its subscribers and acknowledged") {
    Fixture f;
    f.service.on_line(2, request("events.subscribe", R"({"kinds":["note"]})"));
    f.take(2);
    CHECK(f.call("notes.send", R"({"node":"box-1","note":{"a":1}})") ==
          R"({"jsonrpc":"2.0","result":{"node":"box-1","acknowledged":true,"took_ms":0},"id":1})");
    CHECK(f.take(2).size() == 1);
    CHECK(f.call("notes.broadcast", R"({"topic":"t","note":{}})") ==
          R"({"jsonrpc":"2.0","result":{"nodes":0},"id":1})");
    CHECK(f.take(2).size() == 1);
    CHECK(f.code("notes.send", R"({"node":"box-9","note":{}})") == 100);
}

TEST_CASE("ping and trace: the way there with its round trips, or why there is none") {
    const NodeId self = id("box-1");
    const NodeId to = id("box-3");
    Probed probed{RequestId{1}, to, 2500us, {{id("box-2"), 1ms}, {to, 2500us}}};
    CHECK(result(ping_reply(probed, self, view(NodeStatus::Alive))) ==
          R"({"node_id":"box-3","rtt_ms":2.5,"hops":2,"path":["box-1","box-2","box-3"]})");
    probed.hops[0] = {NodeId(), std::nullopt};
    CHECK(result(trace_reply(probed, view(NodeStatus::Alive))) ==
          R"({"node_id":"box-3","complete":true,"hops":[{"hop":1,"node_id":null,"rtt_ms":null},)"
          R"({"hop":2,"node_id":"box-3","rtt_ms":2.5}]})");
    probed.rtt.reset();
    probed.hops.pop_back();
    CHECK(failure(ping_reply(probed, self, view(NodeStatus::Alive))) ==
          "104 box-3 has not answered in time | alive | null");
    CHECK(failure(ping_reply(probed, self, view(NodeStatus::Unreachable, "box-2"))) ==
          "103 box-3 is unreachable, because of box-2 | unreachable | box-2");
    CHECK(result(trace_reply(probed, view(NodeStatus::Offline))).find(R"("complete":false)") !=
          std::string::npos);
    probed.hops.clear();
    CHECK(failure(trace_reply(probed, view(NodeStatus::Offline))) ==
          "103 box-3 is offline | offline | null");
    Fixture f;
    CHECK(f.call("mesh.ping", R"({"node":"box-1"})") ==
          R"({"jsonrpc":"2.0","result":{"node_id":"box-1","rtt_ms":0,"hops":0,)"
          R"("path":["box-1"]},"id":1})");
    CHECK(f.call("mesh.trace", R"({"node":"box-1"})") ==
          R"({"jsonrpc":"2.0","result":{"node_id":"box-1","complete":true,"hops":[]},"id":1})");
    CHECK(f.code("mesh.ping", R"({"node":"box-9"})") == 100);
}
