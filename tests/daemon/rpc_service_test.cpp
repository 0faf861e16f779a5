// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "ipc/framing.h"
#include "ipc/method_table.h"
#include "proto/base/base64.h"
#include "proto/store/embedding.h"
#include "proto/wire/limits.h"
#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;
using namespace std::chrono_literals;

TEST_CASE("service: every method of the table has a handler that gives the table's fields") {
    Fixture f;
    std::map<std::string_view, std::string> params = {
        {"mesh.node", R"({"node_id":"box-1"})"},
        {"alerts.raise", R"({"alert":{"what":"smoke"}})"},
        {"state.update", R"({"patch":{"fps":25}})"},
        {"events.unsubscribe", R"({"subscription":"1"})"},
        {"registry.put", R"({"hash":"h","type":"face"})"},
        {"registry.get", R"({"hash":"known"})"},
        {"registry.nearest", R"({"embedding":[1],"space":"s"})"},
        {"mesh.ping", R"({"node":"box-1"})"},
        {"mesh.trace", R"({"node":"box-1"})"},
        {"notes.send", R"({"node":"box-1","note":{}})"},
        {"notes.broadcast", R"({"note":{}})"},
        {"search.query", R"({"query":{"hash":"known"},"search_type":"hash"})"},
        {"search.serve", R"({"types":["person"]})"},
        {"registry.delete", R"({"hash":"h"})"},
    };
    f.mesh.backup_result = BackupDone{"/b", 1, 1};
    f.result("registry.put", R"({"hash":"known","type":"face"})");
    for (const ipc::Method& method : ipc::methods()) {
        if (method.id == ipc::MethodId::MeshLeave || method.id == ipc::MethodId::EventsSubscribe) {
            continue;  // each ends what the others need: events come in between, nothing goes out
        }
        if (method.id == ipc::MethodId::AlertsGet) {
            continue;  // needs the id of the alert before
        }
        if (method.id == ipc::MethodId::MeshForget || method.id == ipc::MethodId::SearchAnswer) {
            continue;  // needs another node, or a search: each has a test of its own
        }
        CAPTURE(method.name);
        if (method.id == ipc::MethodId::KeysJoin) {
            params[method.name] =
                R"({"token":")" + print_key_token(f.keys.kept.ring.keys[0]) + "\"}";
        }
        if (method.id == ipc::MethodId::KeysRemove) {
            Keyring& ring = f.keys.kept.ring;
            params[method.name] = R"({"id":")" + print_key_id(ring.active) + "\"}";
            REQUIRE(ring.activate(key_id(ring.keys[1])));
        }
        const auto given = params.find(method.name);
        const json::Document document =
            f.result(method.name, given == params.end() ? "{}" : given->second);
        for (const ipc::Field& field : method.result) {
            CAPTURE(field.name);
            CHECK((document.root()["result"][field.name].exists() || !field.is_always_there));
        }
    }
}

TEST_CASE("service with a node: each example of the API document is understood") {
    std::ifstream file(MESHD_SOURCE_DIR "/ipc/API.md");
    REQUIRE(file);
    std::size_t examples = 0;
    std::string line;
    while (std::getline(file, line)) {
        constexpr std::string_view kBegin = "echo '";
        if (!line.starts_with(kBegin)) {
            continue;
        }
        ++examples;
        CAPTURE(line);
        const std::size_t end = line.find('\'', kBegin.size());
        REQUIRE(end != std::string::npos);
        Fixture f;
        f.mesh.backup_result = BackupDone{"/b", 1, 1};
        f.service.on_line(kClient, line.substr(kBegin.size(), end - kBegin.size()));
        for (int second = 0; second < 3; ++second) {
            f.mesh.advance(1s);
            f.deliver();
        }
        const auto lines = f.take();
        REQUIRE_FALSE(lines.empty());
        const auto reply = json::Document::parse(lines[0], json::Limits{});
        REQUIRE(reply);
        // What is not there is said with a code of our own: the call was understood.
        const std::int64_t code = reply->root()["error"]["code"].as_int().value_or(0);
        CHECK((code >= 0 && code != 900 && code != 901));
        CHECK((code != 0 || reply->root()["result"].is_object()));
    }
    CHECK(examples > ipc::methods().size());
}

TEST_CASE("service: unknown methods and params are refused before anything happens") {
    Fixture f;
    f.recording();
    CHECK(f.call("mesh.stauts") ==
          R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no such method",)"
          R"("data":{"did_you_mean":"mesh.status"}},"id":1})");
    CHECK(f.code("alerts.raise", R"({"alert":{},"prioritie":"low"})") == -32602);
    CHECK(f.code("alerts.raise", R"({"alert":[]})") == -32602);
    CHECK(f.code("alerts.raise", R"({"alert":{},"wait_ms":60001})") == -32602);
    CHECK(f.code("state.update", "{}") == -32602);
    CHECK(f.code("state.update", R"({"activity":"OFFLINE"})") == -32602);
    CHECK(f.code("mesh.node", "{}") == -32602);
    CHECK(f.code("events.subscribe", R"({"kinds":["nodes"]})") == -32602);
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service: a malformed line gets the specified error and the next line works") {
    Fixture f;
    f.service.on_line(kClient, "{oops");
    const auto lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("\"code\":-32700,") != std::string::npos);
    CHECK(lines[0].find("\"id\":null}") != std::string::npos);
    CHECK(f.code("mesh.status") == 0);
}

TEST_CASE("service: whatever is cut off or changed in a line, the answer is one response") {
    Fixture f;
    f.recording();
    const std::string line =
        R"([{"jsonrpc":"2.0","id":1,"method":"alerts.list","params":{"limit":3}},)"
        R"({"jsonrpc":"2.0","id":"x","method":"mesh.nodes","params":[true]}])";
    const auto check = [&](const std::string& text) {
        CAPTURE(text);
        f.service.on_line(kClient, text);
        const auto lines = f.take();
        REQUIRE(lines.size() <= 1);
        if (!lines.empty()) {
            CHECK(json::Document::parse(lines[0], json::Limits{}));
        }
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        check(line.substr(0, i));
        check(line.substr(i));
        for (const char byte : {'\0', '"', '{', '}', ',', '0', '\x7f', '\xc3'}) {
            std::string changed = line;
            changed[i] = byte;
            check(changed);
        }
    }
    CHECK(f.mesh.commands.empty());
}

TEST_CASE("service: a line beyond the limit is answered") {
    Fixture f;
    f.service.on_line_too_long(kClient);
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","error":{"code":-32600,"message":)"
                            R"("a request line must not exceed 1048576 bytes"},"id":null})"});
}

TEST_CASE("service: commands carry what the params say") {
    Fixture f;
    f.recording();
    const auto send = [&](std::string_view method, std::string_view params) {
        f.service.on_line(kClient, R"({"jsonrpc":"2.0","method":")" + std::string(method) +
                                       R"(","params":)" + std::string(params) + "}");
        REQUIRE_FALSE(f.mesh.commands.empty());
        return f.mesh.commands.back();
    };
    const auto raise = std::get<RaiseAlert>(
        send("alerts.raise", R"({"alert":{ "a" : 1.50 },"priority":"critical","wait_ms":20})"));
    CHECK(raise.alert == R"({"a":1.50})");
    CHECK(raise.priority == Priority::Critical);
    CHECK(raise.wait == 20ms);
    CHECK(std::get<RaiseAlert>(send("alerts.raise", "[{}]")).priority == Priority::Normal);
    const auto update = std::get<UpdateState>(send("state.update", R"({"activity":"PROCESSING"})"));
    CHECK(update.activity == Activity::Processing);
    CHECK_FALSE(update.patch);
    CHECK(std::get<UpdateState>(send("state.update", R"({"patch":{"a":null}})")).patch ==
          R"({"a":null})");
    CHECK(std::get<Leave>(send("mesh.leave", R"({"restarting":true})")).restarting);
    CHECK_FALSE(std::get<Leave>(send("mesh.leave", "{}")).restarting);
    CHECK(std::holds_alternative<Discover>(send("mesh.discover", "{}")));
    CHECK(std::get<Forget>(send("mesh.forget", R"({"node_id":"box-9"})")).node.text() == "box-9");
    CHECK(f.take().empty());
}

TEST_CASE("service: refused commands become errors of the method's area") {
    using Code = CommandError::Code;
    Fixture f;
    f.recording(CommandError{Code::TooLarge, "alert", "has 70000 bytes", {}});
    CHECK(f.call("alerts.raise", R"({"alert":{}})")
              .find(R"("code":400,"message":"alert has 70000 bytes",)"
                    R"("data":{"field":"alert","expected":"at most 65536 bytes and 32 levels"})") !=
          std::string::npos);
    CHECK(f.code("state.update", R"({"patch":{}})") == 200);
    f.recording(CommandError{Code::HasLeft, "", "this node has left", {}});
    CHECK(f.code("alerts.raise", R"({"alert":{}})") == 101);
    f.recording(CommandError{Code::Overloaded, "", "full", 30ms});
    CHECK(f.call("alerts.raise", R"({"alert":{}})")
              .find(R"("code":900,"message":"full","data":{"retry_after_ms":30})") !=
          std::string::npos);
    f.recording(CommandError{Code::InvalidParams, "patch", "must be an object", {}});
    CHECK(f.call("state.update", R"({"patch":{}})")
              .find(R"("code":-32602,"message":"patch must be an object",)"
                    R"("data":{"field":"patch","got":"object"})") != std::string::npos);
}

TEST_CASE("service: who was forgotten and by whom, and that this node is alone, are told") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                               R"("params":{"kinds":["node"]}})");
    f.deliver();
    f.take();
    const NodeId box1 = *NodeId::parse("box-1");
    const NodeId box2 = *NodeId::parse("box-2");
    NodeEvent forgotten;
    forgotten.kind = NodeEventKind::Forgotten;
    forgotten.node = box2;
    f.service.on_output(forgotten);
    forgotten.by = box1;
    f.service.on_output(forgotten);
    f.service.on_output(NodeEvent{NodeEventKind::Isolated, box1, {}});
    f.service.on_output(NodeEvent{NodeEventKind::Rejoined, box1, {}});
    const Lines lines = f.take();
    REQUIRE(lines.size() == 4);
    const auto says = [&](std::size_t i, std::string_view kind, std::string_view data) {
        CAPTURE(lines[i]);
        CHECK(lines[i].find("\"kind\":\"" + std::string(kind) + "\"") != std::string::npos);
        CHECK(lines[i].find("\"data\":" + std::string(data)) != std::string::npos);
    };
    says(0, "node.forgotten", R"({"node_id":"box-2","because":null,"by":null})");
    says(1, "node.forgotten", R"({"node_id":"box-2","because":null,"by":"box-1"})");
    says(2, "node.isolated", R"({"node_id":"box-1","because":null})");
    says(3, "node.rejoined", R"({"node_id":"box-1","because":null})");
}

TEST_CASE("service: a waiting call is answered by the output of its request, others overtake it") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":"w","method":"alerts.raise",)"
                               R"("params":{"alert":{},"wait_ms":500}})");
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(f.code("events.unsubscribe", R"({"subscription":"x"})") == 0);
    AlertRaised other;
    other.request = RequestId{77};
    f.service.on_output(other);
    CHECK(f.take().empty());
    AlertRaised raised;
    raised.request = RequestId{f.mesh.last_request};
    raised.id = "box-1.x.1";
    f.service.on_output(raised);
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","result":{"id":"box-1.x.1","durable":false,)"
                R"("repeated":false,"delivered":[],"pending":[],"listeners":0},"id":"w"})"});
    CHECK_FALSE(f.service.is_waiting(kClient));
    f.service.on_output(raised);
    CHECK(f.take().empty());
}

TEST_CASE("service: a batch with waiting calls is answered when all are done, in order") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","id":2,"method":"nope"},)"
                               R"({"jsonrpc":"2.0","id":3,"method":"mesh.leave"}])");
    REQUIRE(f.mesh.commands.size() == 3);
    f.service.on_output(HasLeft{RequestId{103}});
    f.service.on_output(Discovered{RequestId{101}});
    CHECK(f.take().empty());
    f.service.on_output(Discovered{RequestId{102}});
    CHECK(f.take() ==
          Lines{R"([{"jsonrpc":"2.0","result":{"discovering":true},"id":1},)"
                R"({"jsonrpc":"2.0","error":{"code":-32601,"message":"there is no such method"},)"
                R"("id":2},{"jsonrpc":"2.0","result":{"left":true},"id":3}])"});
}

TEST_CASE("service: a client that vanishes while calls wait gets nothing and leaves nothing") {
    Fixture f;
    f.recording();
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"mesh.discover"},)"
                               R"({"jsonrpc":"2.0","id":2,"method":"mesh.discover"}])");
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":3,"method":"mesh.discover"})");
    f.service.on_client_gone(kClient);
    CHECK_FALSE(f.service.is_waiting(kClient));
    for (const std::uint64_t request : {101U, 102U, 103U}) {
        f.service.on_output(Discovered{RequestId{request}});
    }
    CHECK(f.take().empty());
    CHECK(f.take(2) == Lines{R"({"jsonrpc":"2.0","result":{"discovering":true},"id":3})"});
}

TEST_CASE("service: waiting calls of a client are bounded, those that need not wait go on") {
    Fixture f;
    f.recording();
    for (int i = 0; i < 64; ++i) {
        f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    }
    CHECK(f.take().empty());
    CHECK(f.code("mesh.discover") == 900);
    CHECK(f.code("mesh.status") == 0);
    CHECK(f.mesh.commands.size() == 64);
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    CHECK(f.mesh.commands.size() == 65);
    f.service.on_output(Discovered{RequestId{101}});
    f.take();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})");
    CHECK(f.mesh.commands.size() == 66);
}

TEST_CASE("service: waiting calls of a user are bounded over all connections") {
    Fixture f;
    f.recording();
    const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"mesh.discover"})";
    for (std::size_t i = 0; i < RpcService::kWaitingPerUserMax; ++i) {
        f.service.on_line(10 + i % 16, line);
    }
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax);
    f.user = 1001;
    f.service.on_line(2, line);
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax + 1);
    f.user = 1000;
    f.service.on_line(3, line);
    REQUIRE(f.take(3).size() == 1);
    f.service.on_client_gone(10);
    f.service.on_line(3, line);
    CHECK(f.take(3).empty());
    CHECK(f.mesh.commands.size() == RpcService::kWaitingPerUserMax + 2);
}

TEST_CASE("service: results that wait for the rest of their batch are bounded for a client") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string batch = R"([{"jsonrpc":"2.0","id":0,"method":"mesh.discover"})";
    for (int i = 1; i < 200; ++i) {
        batch += R"(,{"jsonrpc":"2.0","id":1,"method":"state.get"})";
    }
    batch += "]";
    for (int i = 0; i < 4; ++i) {
        f.service.on_line(kClient, batch);
    }
    // The third and fourth find no room, begin nothing and are answered at once.
    CHECK(f.take().size() == 2);
    CHECK(f.mesh.commands.size() == 2);
    std::size_t bytes = 0;
    for (std::uint64_t request = 101; request <= 102; ++request) {
        f.service.on_output(Discovered{RequestId{request}});
    }
    for (const std::string& line : f.take()) {
        bytes += line.size();
    }
    CHECK(bytes > 12'000'000);
    CHECK(bytes < 18'000'000);
    f.service.on_line(kClient, R"([{"jsonrpc":"2.0","id":1,"method":"state.get"}])");
    CHECK(f.take().front().size() > 60'000);
}

TEST_CASE("service: what was answered no longer counts against a client that has calls waiting") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string batch = R"([{"jsonrpc":"2.0","id":0,"method":"mesh.discover"})";
    for (int i = 1; i < 100; ++i) {
        batch += R"(,{"jsonrpc":"2.0","id":1,"method":"state.get"})";
    }
    batch += "]";
    // One call always waits, whatever has been answered.
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":9,"method":"mesh.discover"})");
    for (std::uint64_t i = 0; i < 6; ++i) {
        f.service.on_line(kClient, batch);
        f.service.on_output(Discovered{RequestId{102 + i}});
        const auto lines = f.take();
        REQUIRE(lines.size() == 1);
        CHECK(lines[0].size() > 99 * 60'000);
    }
}

TEST_CASE("service: a call in a batch whose results leave no room for it is not begun") {
    Fixture f;
    f.result("state.update", R"({"patch":{"x":")" + std::string(60'000, 'x') + "\"}}");
    f.recording();
    std::string gets;
    for (int i = 0; i < 200; ++i) {
        gets += R"({"jsonrpc":"2.0","id":1,"method":"state.get"},)";
    }
    const std::string leave = R"({"jsonrpc":"2.0","id":2,"method":"mesh.discover"}])";
    f.service.on_line(kClient, "[" + gets + leave);
    CHECK(f.mesh.commands.size() == 1);
    f.service.on_line(kClient, "[" + gets + leave);
    CHECK(f.mesh.commands.size() == 1);
    const auto lines = f.take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].ends_with(
        R"("message":"the results of the batch so far leave no room for this call: )"
        R"(it was not begun"},"id":2}])"));
}

TEST_CASE("service: what changes something is reported with its client, permitted or not") {
    Fixture f;
    f.recording();
    f.call("mesh.status");
    CHECK(f.writes.empty());
    f.is_admin = false;
    f.code("mesh.forget", R"({"node_id":"box-2"})");
    f.service.on_line(kClient,
                      R"({"jsonrpc":"2.0","method":"alerts.raise","params":{"alert":{}}})");
    CHECK(f.writes == Lines{"mesh.forget refused", "alerts.raise"});
}

TEST_CASE("service: overload becomes an event, once a second with the number of refused calls") {
    Fixture f;
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                         R"("params":{"kinds":["overload"]}})");
    f.take(2);
    f.recording(CommandError{CommandError::Code::Overloaded, "", "full", 30ms});
    for (int i = 0; i < 5; ++i) {
        CHECK(f.code("alerts.raise", R"({"alert":{}})") == 900);
    }
    const auto first = f.take(2);
    REQUIRE(first.size() == 1);
    CHECK(first[0].find(R"("data":{"method":"alerts.raise","refused":1,"retry_after_ms":30})") !=
          std::string::npos);
    f.mesh.advance(1s);
    CHECK(f.code("registry.put", R"({"hash":"h","type":"t"})") == 900);
    const auto second = f.take(2);
    REQUIRE(second.size() == 1);
    CHECK(second[0].find(R"("data":{"method":"registry.put","refused":5,)") != std::string::npos);
}

TEST_CASE("service: outputs become events of subscribers") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                               R"("params":{"kinds":["node","link","state"]}})");
    f.deliver();
    const StatusView status = f.mesh.node().status(f.mesh.now());
    const std::string start =
        print_hex(status.instance.value).substr(0, 8) + print_hex(status.start.value).substr(8);
    REQUIRE(f.take().front() == R"({"jsonrpc":"2.0","result":{"subscription":"1","cursor":")" +
                                    start + R"(.0.1099511627775"},"id":1})");
    CHECK(f.service.is_waiting(kClient));
    const NodeId box2 = *NodeId::parse("box-2");
    const NodeId box3 = *NodeId::parse("box-3");
    f.service.on_output(NodeEvent{NodeEventKind::Unreachable, box2, box3});
    f.service.on_output(NodeEvent{NodeEventKind::Joined, box2, {}});
    f.service.on_output(LinkEvent{true, box2, ipv4_endpoint({10, 7, 0, 2}, 9999)});
    StateView state;
    state.node_id = box2;
    state.activity = Activity::Idle;
    state.document = R"({"fps":25})";
    f.service.on_output(StateEvent{state});
    const auto head = [&](std::string_view kind, int cursor) {
        return R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1","kind":")" +
               std::string(kind) + R"(","cursor":")" + start + "." + std::to_string(cursor) +
               R"(.1099511627775","timestamp_ms":1718000000000,"data":)";
    };
    CHECK(f.take() ==
          Lines{head("node.unreachable", 1) + R"({"node_id":"box-2","because":"box-3"}}})",
                head("node.joined", 2) + R"({"node_id":"box-2","because":null}}})",
                head("link.up", 3) + R"({"node_id":"box-2","address":"10.7.0.2:9999"}}})",
                head("state.changed", 4) +
                    R"({"node_id":"box-2","activity":"IDLE","state":{"fps":25}}}})"});
    CHECK(f.call("events.unsubscribe", R"({"subscription":"1"})") ==
          R"({"jsonrpc":"2.0","result":{"unsubscribed":true},"id":1})");
    CHECK_FALSE(f.service.is_waiting(kClient));
    f.service.on_output(NodeEvent{NodeEventKind::Left, box2, {}});
    CHECK(f.take().empty());
}

TEST_CASE("service: past events follow the reply to the subscription") {
    Fixture f;
    const NodeId box2 = *NodeId::parse("box-2");
    f.service.on_output(NodeEvent{NodeEventKind::Joined, box2, {}});
    f.service.on_output(NodeEvent{NodeEventKind::Offline, box2, {}});
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                               R"("params":{"kinds":["node.offline"],"replay":true}})");
    const auto lines = f.take();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("\"result\"") != std::string::npos);
    CHECK(lines[1].find("node.offline") != std::string::npos);
}

TEST_CASE("service with a node: an alert raised here is listed, and told with hops 0") {
    Fixture f;
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                         R"("params":{"kinds":["alert"]}})");
    f.take(2);
    const json::Document raised =
        f.result("alerts.raise", R"({"alert":{"what":"smoke"},"priority":"high","wait_ms":1000})");
    CHECK(raised.root()["result"]["listeners"].as_int() == 1);
    CHECK(raised.root()["result"]["delivered"].size() == 0);
    CHECK(raised.root()["result"]["pending"].size() == 0);
    const std::string id(*raised.root()["result"]["id"].as_string());
    const auto events = f.take(2);
    REQUIRE(events.size() == 1);
    const auto event = json::Document::parse(events[0], json::Limits{});
    const json::Value data = event->root()["params"]["data"];
    CHECK(data["id"].as_string() == id);
    CHECK(data["hops"].as_int() == 0);
    CHECK(data["path"].print() == R"(["box-1"])");
    CHECK(data["alert"].print() == R"({"what":"smoke"})");
    CHECK(data["replayed"].as_bool() == false);
    const json::Document listed = f.result("alerts.list");
    CHECK(listed.root()["result"]["alerts"].size() == 1);
    CHECK((*listed.root()["result"]["alerts"].begin())["id"].as_string() == id);
}

TEST_CASE("service with a node: alerts are filtered and paged, newest first") {
    Fixture f;
    for (int n = 0; n < 5; ++n) {
        f.result("alerts.raise", R"({"alert":{"n":)" + std::to_string(n) + R"(},"priority":")" +
                                     (n % 2 == 0 ? "low" : "critical") + "\"}");
        f.mesh.advance(1s);
        f.deliver();
    }
    const auto numbers = [&](const std::string& params) {
        const json::Document page = f.result("alerts.list", params);
        std::string text;
        for (const json::Value alert : page.root()["result"]["alerts"]) {
            text += alert["alert"]["n"].print();
        }
        return text;
    };
    CHECK(numbers("{}") == "43210");
    CHECK(numbers(R"({"priority":"high"})") == "31");
    CHECK(numbers(R"({"since_ms":2500})") == "43");
    CHECK(numbers(R"({"node_id":"box-1","limit":2})") == "43");
    CHECK(numbers(R"({"node_id":"box-9"})").empty());
    std::string after;
    std::string all;
    do {
        const std::string params =
            after.empty() ? R"({"limit":2})" : R"({"limit":2,"after":")" + after + "\"}";
        all += numbers(params) + ".";
        const json::Document page = f.result("alerts.list", params);
        after = page.root()["result"]["next"].as_string().value_or("");
    } while (!after.empty());
    CHECK(all == "43.21.0.");
    CHECK(f.code("alerts.list", R"({"after":"box-1.nope.1"})") == 401);
}

TEST_CASE("service with a node: state is patched, read back and told") {
    Fixture f;
    CHECK(f.result("state.get").root()["result"]["state"].print() == "{}");
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                         R"("params":{"kinds":["state"]}})");
    f.take(2);
    const json::Document updated = f.result(
        "state.update", R"({"patch":{"camera":{"fps":25},"x":1},"activity":"PROCESSING"})");
    CHECK(updated.root()["result"]["state"].print() == R"({"camera":{"fps":25},"x":1})");
    f.result("state.update", R"({"patch":{"x":null,"camera":{"on":true}}})");
    const json::Document read = f.result("state.get", R"({"node_id":"box-1"})");
    CHECK(read.root()["result"]["state"].print() == R"({"camera":{"fps":25,"on":true}})");
    CHECK(read.root()["result"]["activity"].as_string() == "PROCESSING");
    CHECK(f.result("mesh.node", R"({"node_id":"box-1"})")
              .root()["result"]["state"]["camera"]
              .is_object());
    CHECK(f.result("mesh.nodes", R"({"state":true})")
              .root()["result"]["nodes"]
              .print()
              .find("\"fps\":25") != std::string::npos);
    CHECK_FALSE(f.take(2).empty());
    CHECK(f.code("state.get", R"({"node_id":"box-9"})") == 100);
    CHECK(f.code("mesh.node", R"({"node_id":"box-9"})") == 100);
}

TEST_CASE("service with a node: too large and too deep payloads are refused by their area") {
    Fixture f;
    const std::string large = R"({"text":")" + std::string(70'000, 'x') + "\"}";
    CHECK(f.code("alerts.raise", R"({"alert":)" + large + "}") == 400);
    CHECK(f.code("state.update", R"({"patch":)" + large + "}") == 200);
    const std::string deep = R"({"a":)" + std::string(40, '[') + std::string(40, ']') + "}";
    CHECK(f.code("alerts.raise", R"({"alert":)" + deep + "}") == 400);
    CHECK(f.code("state.update", R"({"patch":)" + deep + "}") == 200);
    CHECK(f.result("alerts.list").root()["result"]["alerts"].size() == 0);
}

TEST_CASE("service with a node: after leaving the local API goes on, discover rejoins") {
    Fixture f;
    CHECK(f.call("mesh.leave") == R"({"jsonrpc":"2.0","result":{"left":true},"id":1})");
    CHECK(f.result("mesh.status").root()["result"]["left"].as_bool() == true);
    CHECK(f.result("mesh.stats").root()["result"]["is_running"].as_bool() == false);
    CHECK(f.code("alerts.raise", R"({"alert":{}})") == 101);
    CHECK(f.call("mesh.discover") == R"({"jsonrpc":"2.0","result":{"discovering":true},"id":1})");
    CHECK(f.result("mesh.status").root()["result"]["left"].as_bool() == false);
}

namespace {

/// Base64 of `dimension` fp16 values, all the same and together of length 1; dimension = 4^n.
std::string even_halves(std::size_t dimension) {
    std::vector<double> values(dimension, 1.0);
    return print_base64(*make_embedding(values));
}

std::string error_text(Fixture& f, std::string_view method, std::string_view params) {
    const auto document = json::Document::parse(f.call(method, params), json::Limits{});
    const json::Value error = document->root()["error"];
    return std::to_string(error["code"].as_int().value_or(0)) + " " +
           std::string(error["data"]["field"].as_string().value_or("")) + ": " +
           std::string(error["message"].as_string().value_or(""));
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

TEST_CASE("service: the limits of the method table are those of the core") {
    const auto max_of = [](std::string_view method, std::string_view name) {
        for (const ipc::Param& param : ipc::find_method(method)->params) {
            if (param.name == name) {
                return static_cast<std::uint64_t>(param.max);
            }
        }
        return std::uint64_t{0};
    };
    CHECK(max_of("registry.put", "hash") == limits::kHashBytesMax);
    CHECK(max_of("registry.put", "type") == limits::kTypeBytesMax);
    CHECK(max_of("registry.put", "space") == limits::kSpaceBytesMax);
    CHECK(max_of("registry.put", "ttl_ms") == limits::kTtlMsMax);
    CHECK(max_of("registry.put", "timestamp_ms") == limits::kCounterMax);
    CHECK(max_of("registry.put", "entries") == limits::kEntriesPerPutMax);
    CHECK(max_of("registry.get", "hash") == limits::kHashBytesMax);
    CHECK(max_of("state.get", "key") == limits::kSharedKeyBytesMax);
    CHECK(max_of("alerts.raise", "dedupe_key") == limits::kDedupeKeyBytesMax);
    CHECK(max_of("alerts.raise", "ttl_ms") == static_cast<std::uint64_t>(limits::kAlertAgeMsMax));
    for (const ipc::Param& member : ipc::find_method("registry.put")->params.back().members) {
        CAPTURE(member.name);
        CHECK(max_of("registry.put", member.name) == static_cast<std::uint64_t>(member.max));
    }
}

TEST_CASE("service: methods for admins are refused to others before anything happens") {
    Fixture f;
    f.recording();
    f.is_admin = false;
    CHECK(error_text(f, "mesh.leave", "{}") ==
          "901 : mesh.leave is for root, the user meshd runs as, and members of group meshd-admin");
    CHECK(f.code("mesh.forget", R"({"node_id":"box-2"})") == 901);
    CHECK(f.code("store.backup") == 901);
    CHECK(f.code("store.backup", R"({"nope":1})") == 901);
    CHECK(f.code("mesh.status") == 0);
    CHECK(f.mesh.commands.empty());
    CHECK(f.mesh.backup_paths.empty());
}

TEST_CASE("service: forgetting is answered by its output, and refused in clear words") {
    Fixture f;
    CHECK(error_text(f, "mesh.forget", R"({"node_id":"box-9"})") ==
          "100 node_id: no node of this name is known");
    CHECK(error_text(f, "mesh.forget", R"({"node_id":"box-1"})") ==
          "102 node_id: box-1 is this node itself: it cannot be forgotten");
    CHECK(f.code("mesh.forget", "{}") == -32602);
    CHECK(f.code("mesh.forget", R"({"node_id":"no name"})") == -32602);
    f.recording(CommandError{CommandError::Code::NodeAlive, "node_id", "is alive", {}});
    CHECK(f.call("mesh.forget", R"({"node_id":"box-2"})")
              .find(R"("code":102,"message":"is alive",)"
                    R"("data":{"field":"node_id","got":"box-2"})") != std::string::npos);
    f.recording();
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":"f","method":"mesh.forget",)"
                               R"("params":{"node_id":"box-2"}})");
    CHECK(f.take().empty());
    f.service.on_output(Forgotten{RequestId{f.mesh.last_request}, *NodeId::parse("box-2")});
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","result":{"node_id":"box-2","forgotten":true},"id":"f"})"});
}

TEST_CASE("service: a backup answers when it is done, or at once") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"store.backup"})");
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":2,"method":"store.backup",)"
                               R"("params":{"path":"/b"}})");
    CHECK(f.take().empty());
    CHECK(f.service.is_waiting(kClient));
    CHECK(f.mesh.backup_paths == Lines{"", "/b"});
    f.mesh.backups[1](tl::unexpected(std::string("disk full")));
    f.mesh.backups[0](BackupDone{"/s/b", 4096, 3});
    CHECK(f.take() ==
          Lines{R"({"jsonrpc":"2.0","error":{"code":700,"message":"disk full"},"id":2})",
                R"({"jsonrpc":"2.0","result":{"path":"/s/b","bytes":4096,"records":3},"id":1})"});
    CHECK_FALSE(f.service.is_waiting(kClient));
    f.mesh.backup_result = tl::unexpected(std::string("none"));
    CHECK(f.code("store.backup") == 700);
    CHECK(f.code("store.backup", R"({"path":"b"})") == -32602);
}

TEST_CASE("service: a backup that ends after the service is gone harms nobody") {
    StandInMesh mesh;
    {
        RpcService service(mesh, {[](RpcService::ClientId, std::string, bool) { return true; },
                                  [](RpcService::ClientId) { return true; }});
        service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"store.backup"})");
        REQUIRE(mesh.backups.size() == 1);
    }
    mesh.backups[0](BackupDone{});
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

TEST_CASE("service: registry and shared outputs become events of subscribers") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                               R"("params":{"kinds":["registry","shared"],"type":"face"}})");
    f.deliver();
    f.take();
    RegistryEvent entry;
    entry.hash = "h";
    entry.node = entry.by = *NodeId::parse("box-2");
    entry.type = "face";
    f.service.on_output(entry);
    entry.type = "plate";
    f.service.on_output(entry);
    entry.type = "face";
    entry.is_deleted = true;
    f.service.on_output(entry);
    SharedEvent changed;
    changed.member.key = "mode";
    changed.member.by = entry.by;
    f.service.on_output(changed);
    const auto lines = f.take();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find(R"("kind":"registry.put")") != std::string::npos);
    CHECK(lines[1].find(R"("kind":"registry.deleted")") != std::string::npos);
    CHECK(lines[2].find(R"("kind":"shared.changed")") != std::string::npos);
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

TEST_CASE("service with a node: an alert with a dedupe key is raised once, and got by id") {
    Fixture f;
    const std::string params =
        R"({"alert":{"what":"smoke"},"dedupe_key":"smoke-2","ttl_ms":60000})";
    const json::Document first = f.result("alerts.raise", params);
    const std::string id(*first.root()["result"]["id"].as_string());
    CHECK(first.root()["result"]["repeated"].as_bool() == false);
    const json::Document second = f.result("alerts.raise", params);
    CHECK(second.root()["result"]["id"].as_string() == id);
    CHECK(second.root()["result"]["repeated"].as_bool() == true);
    const json::Document got = f.result("alerts.get", R"({"id":")" + id + "\"}");
    CHECK(got.root()["result"]["dedupe_key"].as_string() == "smoke-2");
    CHECK(got.root()["result"]["ttl_ms"].as_int() == 60'000);
    CHECK(f.code("alerts.get", R"({"id":"x"})") == 401);
}

TEST_CASE("service with a node: a returning subscriber is told the alerts it missed") {
    Fixture f;
    const std::string first(
        *f.result("alerts.raise", R"({"alert":{"n":1}})").root()["result"]["id"].as_string());
    const json::Document subscribed = f.result("events.subscribe", R"({"kinds":["alert"]})");
    const std::string cursor(*subscribed.root()["result"]["cursor"].as_string());
    f.service.on_client_gone(kClient);
    const std::string second(
        *f.result("alerts.raise", R"({"alert":{"n":2}})").root()["result"]["id"].as_string());
    f.service.on_line(2, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":)"
                         R"({"kinds":["alert"],"since":")" +
                             cursor + "\"}}");
    auto lines = f.take(2);
    REQUIRE(lines.size() == 2);
    CHECK(lines[1].find(second) != std::string::npos);
    CHECK(lines[1].find(R"("replayed":true)") != std::string::npos);
    // As if told by an earlier start, which had seen the first alert alone.
    const auto alerts = f.mesh.node().alerts_after(f.mesh.now(), 0, 10);
    REQUIRE(alerts.size() == 2);
    CHECK(alerts[0].id == first);
    CHECK(f.mesh.node().alerts_after(f.mesh.now(), alerts[0].arrival, 10).size() == 1);
    CHECK(f.mesh.node().alerts_after(f.mesh.now(), 0, 1).size() == 1);
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
