// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "daemon/rpc_service.h"
#include "ipc/framing.h"
#include "ipc/method_table.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

constexpr RpcService::ClientId kClient = 1;

NodeOptions options() {
    NodeOptions result;
    result.node_id = *NodeId::parse("box-1");
    result.instance = InstanceId{1};
    result.version = "0.1.0";
    return result;
}

/// A real node without a network. Commands go to it, or are only recorded and accepted or refused
/// as told.
class StandInMesh : public MeshAccess {
  public:
    Now now() const override { return now_; }
    const Node& node() const override { return node_; }
    tl::expected<RequestId, CommandError> command(Command command) override {
        if (is_recording) {
            commands.push_back(std::move(command));
            if (refusal) {
                return tl::unexpected(*refusal);
            }
            return RequestId{++last_request};
        }
        return node_.handle_command(now_, std::move(command));
    }
    std::vector<Output> drain() {
        while (node_.poll_transmit()) {
        }
        std::vector<Output> outputs;
        while (auto output = node_.poll_output()) {
            outputs.push_back(std::move(*output));
        }
        return outputs;
    }
    void advance(Duration by) {
        now_.monotonic += by;
        now_.wall.ms += to_ms(by);
        node_.handle_timeout(now_);
    }

    bool is_recording = false;
    std::optional<CommandError> refusal;
    std::vector<Command> commands;
    std::uint64_t last_request = 100;

  private:
    Now now_{TimePoint(1s), WallTime{1'718'000'000'000}};
    Node node_{Config{}, options(), now_};
};

struct Fixture {
    StandInMesh mesh;
    std::map<RpcService::ClientId, std::vector<std::string>> sent;
    RpcService service{mesh, {[this](RpcService::ClientId client, std::string line, bool) {
                           REQUIRE(line.back() == '\n');
                           line.pop_back();
                           sent[client].push_back(std::move(line));
                           return true;
                       }}};

    std::vector<std::string> take(RpcService::ClientId client = kClient) {
        return std::exchange(sent[client], {});
    }
    void deliver() {
        for (const Output& output : mesh.drain()) {
            service.on_output(output);
        }
    }
    /// A call with id 1, its answer waited for.
    std::string call(std::string_view method, std::string_view params = "{}") {
        service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                     R"(","params":)" + std::string(params) + "}");
        deliver();
        const auto lines = take();
        REQUIRE(lines.size() == 1);
        return lines[0];
    }
    json::Document result(std::string_view method, std::string_view params = "{}") {
        auto document = json::Document::parse(call(method, params), json::Limits{});
        REQUIRE(document);
        CAPTURE(document->root().print());
        REQUIRE(document->root()["result"].is_object());
        return std::move(*document);
    }
    /// Code of the error; 0 where there is none.
    std::int64_t code(std::string_view method, std::string_view params = "{}") {
        const auto document = json::Document::parse(call(method, params), json::Limits{});
        return document->root()["error"]["code"].as_int().value_or(0);
    }
    /// Records commands instead of giving them to the node.
    Fixture& recording(std::optional<CommandError> refusal = {}) {
        mesh.is_recording = true;
        mesh.refusal = std::move(refusal);
        return *this;
    }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("service: every method of the table has a handler that gives the table's fields") {
    Fixture f;
    const std::map<std::string_view, std::string_view> params = {
        {"mesh.node", R"({"node_id":"box-1"})"},
        {"alerts.raise", R"({"alert":{"what":"smoke"}})"},
        {"state.update", R"({"patch":{"fps":25}})"},
        {"events.unsubscribe", R"({"subscription":"1"})"},
    };
    for (const ipc::Method& method : ipc::methods()) {
        if (method.id == ipc::MethodId::MeshLeave || method.id == ipc::MethodId::EventsSubscribe) {
            continue;  // each ends what the others need: events come in between, nothing goes out
        }
        CAPTURE(method.name);
        const auto given = params.find(method.name);
        const json::Document document =
            f.result(method.name, given == params.end() ? "{}" : given->second);
        for (const ipc::Field& field : method.result) {
            CAPTURE(field.name);
            CHECK(document.root()["result"][field.name].exists());
        }
    }
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
    CHECK(f.take() == Lines{R"({"jsonrpc":"2.0","result":{"id":"box-1.x.1","durable":false,)"
                            R"("delivered":[],"pending":[],"listeners":0},"id":"w"})"});
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
    for (const std::uint64_t request : {101, 102, 103}) {
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

TEST_CASE("service: outputs become events of subscribers") {
    Fixture f;
    f.service.on_line(kClient, R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe",)"
                               R"("params":{"kinds":["node","link","state"]}})");
    f.deliver();
    REQUIRE(f.take().front() ==
            R"({"jsonrpc":"2.0","result":{"subscription":"1","cursor":"1718000000000"},"id":1})");
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
    const auto head = [](std::string_view kind, int cursor) {
        return R"({"jsonrpc":"2.0","method":"event","params":{"subscription":"1","kind":")" +
               std::string(kind) + R"(","cursor":"171800000000)" + std::to_string(cursor) +
               R"(","timestamp_ms":1718000000000,"data":)";
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
