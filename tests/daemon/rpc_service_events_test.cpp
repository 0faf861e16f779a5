// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "tests/daemon/rpc_fixture.h"

using namespace meshd;
using namespace meshd::rpc_test;
using namespace std::chrono_literals;

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

TEST_CASE("service with a node: a page of large alerts ends by its bytes, and the next goes on") {
    Fixture f;
    constexpr int kAlerts = 150;
    const std::string text(60'000, 'x');
    for (int n = 0; n < kAlerts; ++n) {
        f.result("alerts.raise", R"({"alert":{"text":")" + text + "\"}}");
        f.mesh.advance(1s);
        f.deliver();
    }
    std::vector<std::size_t> pages;
    std::string params = R"({"limit":1000})";
    for (std::string after = "-"; !after.empty();) {
        const json::Document page = f.result("alerts.list", params);
        pages.push_back(page.root()["result"]["alerts"].size());
        after = page.root()["result"]["next"].as_string().value_or("");
        params = R"({"limit":1000,"after":")" + after + "\"}";
    }
    REQUIRE(pages.size() == 2);
    CHECK(pages[0] > 100);
    CHECK(pages[0] + pages[1] == kAlerts);
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
