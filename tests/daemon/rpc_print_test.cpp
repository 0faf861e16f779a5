// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "daemon/rpc_print.h"
#include "ipc/method_table.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

NodeId name(std::string_view text) {
    return *NodeId::parse(text);
}

std::vector<std::string> keys(const json::Value& object) {
    std::vector<std::string> names;
    for (auto it = object.begin(); it != object.end(); ++it) {
        names.emplace_back(it.key());
    }
    return names;
}

/// The result has the fields of the method table, in its order.
void check_fields(std::string_view method, const std::string& result) {
    CAPTURE(method);
    const auto document = json::Document::parse(result, json::Limits{});
    REQUIRE(document);
    std::vector<std::string> expected;
    for (const ipc::Field& field : ipc::find_method(method)->result) {
        expected.emplace_back(field.name);
    }
    CHECK(keys(document->root()) == expected);
}

StatusView status_view() {
    StatusView status;
    status.node_id = name("box-1");
    status.instance = InstanceId{0x1};
    status.start = StartId{0xfedcba9876543210};
    status.version = "0.1.0";
    status.mesh_name = "default";
    status.activity = Activity::Idle;
    status.uptime = 61'999ms;
    status.peers = 2;
    status.nodes_alive = 3;
    status.nodes_known = 4;
    status.store.records = 5;
    status.store.bytes = 600;
    status.store.hashes = {7, 8};
    status.warnings = {"port 9999 is held by \"other\""};
    return status;
}

NodeView node_view() {
    NodeView node;
    node.node_id = name("box-2");
    node.hops = 1;
    node.rtt = 412us;
    node.address = ipv4_endpoint({10, 7, 0, 2}, 9999);
    node.last_seen = 1500us;
    node.version = "0.1.0";
    node.instance = InstanceId{0x2};
    node.addresses = {ipv4_endpoint({10, 7, 0, 2}, 9999), ipv4_endpoint({10, 8, 0, 2}, 9998)};
    node.links = {name("box-1"), name("box-3")};
    return node;
}

AlertView alert_view(std::string id, Priority priority = Priority::High) {
    AlertView alert;
    alert.id = std::move(id);
    alert.source = name("box-2");
    alert.seq = 3;
    alert.priority = priority;
    alert.timestamp_ms = 1718000000456;
    alert.age_ms = 12;
    alert.alert = R"({"what":"smoke"})";
    alert.hops = 1;
    alert.path = {"box-2", "box-1"};
    return alert;
}

const std::string kAlertText =
    R"("source":"box-2","seq":3,"priority":"high","timestamp_ms":1718000000456,"age_ms":12,)"
    R"("alert":{"what":"smoke"},"hops":1,"path":["box-2","box-1"])";

}  // namespace

TEST_CASE("results: status") {
    const std::string text = print_status(status_view());
    CHECK(text == R"({"node_id":"box-1","instance":"0000000000000001","start":"fedcba9876543210",)"
                  R"("version":"0.1.0","mesh":"default","activity":"IDLE","uptime_s":61,)"
                  R"("security":"open","peers":2,"nodes_alive":3,"nodes_known":4,"left":false,)"
                  R"("store":{"records":5,"bytes":600,"coverage":"0000000000000007",)"
                  R"("live":"0000000000000008"},"warnings":["port 9999 is held by \"other\""]})");
    check_fields("mesh.status", text);
}

TEST_CASE("results: stats name every counter once") {
    Counters counters;
    counters.add(Counter::datagrams_sent, 7);
    counters.add(Counter::links_up, 2);
    counters.add(Counter::drop_tag, 3);
    const std::string text = print_stats(status_view(), counters);
    check_fields("mesh.stats", text);
    const auto document = json::Document::parse(text, json::Limits{});
    const json::Value root = document->root();
    CHECK(root["is_running"].as_bool() == true);
    CHECK(root["alive_peers"].as_int() == 2);
    CHECK(root["total_peers"].as_int() == 3);
    CHECK(root["datagrams_sent"].as_int() == 7);
    CHECK(root["counters"]["links_up"].as_int() == 2);
    CHECK(root["drops"]["tag"].as_int() == 3);
    const std::size_t in_place = ipc::find_method("mesh.stats")->result.size() - 6;
    CHECK(root["counters"].size() + root["drops"].size() + in_place == Counters::size());
}

TEST_CASE("results: a node that left counts no other nodes alive below zero") {
    StatusView status = status_view();
    status.has_left = true;
    status.nodes_alive = 0;
    const auto document = json::Document::parse(print_stats(status, Counters()), json::Limits{});
    CHECK(document->root()["is_running"].as_bool() == false);
    CHECK(document->root()["alive_peers"].as_int() == 0);
}

TEST_CASE("results: nodes, with null for what is not known") {
    NodeView silent;
    silent.node_id = name("box-3");
    silent.status = NodeStatus::Unreachable;
    silent.because = name("box-2");
    silent.activity = Activity::Processing;
    silent.last_seen = 2500ms;
    CHECK(print_nodes({node_view(), silent}, {}) ==
          R"({"nodes":[{"node_id":"box-2","status":"alive","because":null,"activity":"ACTIVE",)"
          R"("hops":1,"rtt_ms":0.412,"address":"10.7.0.2:9999","last_seen_ms":1,)"
          R"("restarting":false},{"node_id":"box-3","status":"unreachable","because":"box-2",)"
          R"("activity":"OFFLINE","hops":null,"rtt_ms":null,"address":null,)"
          R"("last_seen_ms":2500,"restarting":false}]})");
    StateView state;
    state.document = R"({"fps":25})";
    const std::string text = print_nodes({silent, silent}, {state, std::nullopt});
    CHECK(text.find(R"("restarting":false,"state":{"fps":25}})") != std::string::npos);
    CHECK(text.find(R"("restarting":false,"state":null})") != std::string::npos);
    CHECK(print_nodes({}, {}) == R"({"nodes":[]})");
}

TEST_CASE("results: one node") {
    const std::string text = print_node(node_view(), std::nullopt);
    check_fields("mesh.node", text);
    CHECK(text.find(R"("version":"0.1.0","instance":"0000000000000002",)"
                    R"("addresses":["10.7.0.2:9999","10.8.0.2:9998"],)"
                    R"("links":["box-1","box-3"],"state":null})") != std::string::npos);
}

TEST_CASE("results: peers") {
    PeerView peer;
    peer.node_id = name("box-2");
    peer.address = ipv4_endpoint({10, 7, 0, 2}, 9999);
    peer.loss = 0.25;
    peer.up_for = 90s;
    peer.queued = 4;
    CHECK(print_peers({peer}) ==
          R"({"peers":[{"node_id":"box-2","address":"10.7.0.2:9999","rtt_ms":null,"loss":0.25,)"
          R"("up_for_s":90,"queued":4}]})");
}

TEST_CASE("results: routes and topology") {
    Route route;
    route.destination = name("box-3");
    route.next_peer = name("box-2");
    route.hops = 2;
    route.cost = 2;
    route.path = {name("box-2"), name("box-3")};
    CHECK(print_routes({route}) ==
          R"({"routes":[{"node_id":"box-3","next_peer":"box-2","hops":2,"cost":2,)"
          R"("path":["box-2","box-3"]}]})");
    CHECK(print_topology({node_view()}, {{name("box-1"), name("box-2"), 1}}) ==
          R"({"nodes":[{"node_id":"box-2","status":"alive"}],)"
          R"("links":[{"a":"box-1","b":"box-2","cost":1}]})");
}

TEST_CASE("results: alerts come in pages by number and by bytes, one at least") {
    const AlertView first = alert_view("a.1");
    const AlertView second = alert_view("a.2");
    const std::vector<const AlertView*> both = {&first, &second};
    const std::string one = R"({"alerts":[{"id":"a.1",)" + kAlertText + R"(}],"next":"a.1"})";
    CHECK(print_alerts(both, 1, 1'000'000).text == one);
    CHECK(print_alerts(both, 100, 10).text == one);
    const AlertPage whole = print_alerts(both, 2, 1'000'000);
    CHECK(whole.count == 2);
    CHECK(whole.text == R"({"alerts":[{"id":"a.1",)" + kAlertText + R"(},{"id":"a.2",)" +
                            kAlertText + R"(}],"next":null})");
    CHECK(print_alerts({}, 5, 100).text == R"({"alerts":[],"next":null})");
}

TEST_CASE("results: raised alert and state") {
    AlertRaised raised;
    raised.id = "box-1.00.7";
    raised.delivered = {name("box-2")};
    raised.pending = {name("box-3"), name("box-4")};
    const std::string text = print_raised(raised, 2);
    CHECK(text == R"({"id":"box-1.00.7","durable":false,"delivered":["box-2"],)"
                  R"("pending":["box-3","box-4"],"listeners":2})");
    check_fields("alerts.raise", text);
    StateView state;
    state.node_id = name("box-2");
    state.activity = Activity::Processing;
    state.document = R"({"fps":25})";
    state.age_ms = 40;
    CHECK(print_state(state) ==
          R"({"node_id":"box-2","activity":"PROCESSING","state":{"fps":25},"age_ms":40})");
    CHECK(print_state(state, false).find("OFFLINE") != std::string::npos);
    check_fields("state.get", print_state(state));
}
