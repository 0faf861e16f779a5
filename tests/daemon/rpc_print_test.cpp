// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "daemon/rpc_print.h"
#include "daemon/rpc_print_store.h"
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

/// The result has the fields of the method table, in its order; those that are not always there may
/// be absent.
void check_fields(std::string_view method, const std::string& result) {
    CAPTURE(method);
    const auto document = json::Document::parse(result, json::Limits{});
    REQUIRE(document);
    std::vector<std::string> expected;
    for (const ipc::Field& field : ipc::find_method(method)->result) {
        if (field.is_always_there || document->root()[field.name].exists()) {
            expected.emplace_back(field.name);
        }
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
    status.store.memory = 600;
    status.store.hashes = {7, 8};
    status.store.entries = 2;
    status.store.tombstones = 1;
    status.store.alerts = 4;
    status.store.shared = 6;
    status.store.has_disk = true;
    status.store.unwritten = 9;
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
    R"("ttl_ms":null,"dedupe_key":null,"alert":{"what":"smoke"},"hops":1,"path":["box-2","box-1"])";

}  // namespace

TEST_CASE("results: status") {
    const std::string text = print_status(status_view());
    CHECK(text == R"({"node_id":"box-1","instance":"0000000000000001","start":"fedcba9876543210",)"
                  R"("version":"0.1.0","mesh":"default","activity":"IDLE","uptime_s":61,)"
                  R"("security":"open","peers":2,"nodes_alive":3,"nodes_known":4,"left":false,)"
                  R"("isolated":false,"isolated_ms":null,)"
                  R"("store":{"records":5,"bytes":600,"coverage":"0000000000000007",)"
                  R"("live":"0000000000000008","entries":2,"tombstones":1,"alerts":4,"shared":6,)"
                  R"("durable":true,"unwritten":9,"streams_unheld":0},)"
                  R"("sealing":{"key":null,"links_sealed":0,"links_open":0,"without_newest":[],)"
                  R"("not_sealed":[]},)"
                  R"("warnings":["port 9999 is held by \"other\""]})");
    check_fields("mesh.status", text);
}

TEST_CASE("results: status of a node that is cut off says for how long") {
    StatusView status = status_view();
    status.isolated_for = 12'345ms;
    CHECK(print_status(status).find(R"("left":false,"isolated":true,"isolated_ms":12345,)") !=
          std::string::npos);
}

TEST_CASE("results: status names the key and who is not sealed with it") {
    StatusView status = status_view();
    status.security.mode = SecurityMode::Mixed;
    status.security.active = KeyId{0x1a098fca};
    status.security.links_sealed = 2;
    status.security.links_open = 1;
    status.security.without_newest = {name("box-3")};
    status.security.not_sealed = {name("box-2"), name("box-3")};
    const std::string text = print_status(status);
    CHECK(text.find(R"("security":"mixed")") != std::string::npos);
    CHECK(text.find(R"("sealing":{"key":"1a098fca","links_sealed":2,"links_open":1,)"
                    R"("without_newest":["box-3"],"not_sealed":["box-2","box-3"]})") !=
          std::string::npos);
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
    peer.cost_class = 1;
    peer.is_suspect = true;
    CHECK(print_peers({peer}) ==
          R"({"peers":[{"node_id":"box-2","address":"10.7.0.2:9999","rtt_ms":null,"loss":0.25,)"
          R"("up_for_s":90,"queued":4,"cost_class":1,"suspect":true,"agreed_ms":null}]})");
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
    const std::vector<AlertView> both = {alert_view("a.1"), alert_view("a.2")};
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
    raised.is_durable = true;
    raised.delivered = {name("box-2")};
    raised.pending = {name("box-3"), name("box-4")};
    const std::string text = print_raised(raised, 2);
    CHECK(text == R"({"id":"box-1.00.7","durable":true,"repeated":false,"delivered":["box-2"],)"
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

TEST_CASE("results: an alert with ttl and dedupe key") {
    AlertView alert = alert_view("a.1");
    alert.ttl_ms = 5000;
    alert.dedupe_key = "smoke-2";
    const std::string text = print_alert(alert);
    check_fields("alerts.get", text);
    CHECK(text.find(R"("ttl_ms":5000,"dedupe_key":"smoke-2",)") != std::string::npos);
}

TEST_CASE("results: an entry shows its embedding only if asked") {
    EntryView entry;
    entry.hash = "a/b";
    entry.node = name("box-2");
    entry.type = "face";
    entry.timestamp_ms = 1718000000456;
    entry.age_ms = 12;
    entry.metadata = R"({"camera":2})";
    const auto print = [&](bool with_embedding) {
        std::string text;
        json::Writer writer(text);
        write_entry(writer, entry, with_embedding);
        return text;
    };
    const std::string head =
        R"({"hash":"a/b","node":"box-2","type":"face","timestamp_ms":1718000000456,"age_ms":12,)";
    const std::string bare =
        head + R"("ttl_ms":null,"space":null,"dimension":null,"metadata":{"camera":2})";
    CHECK(print(false) == bare + "}");
    CHECK(print(true) == bare + R"(,"embedding":null})");
    entry.ttl_ms = 60'000;
    entry.space = "demo";
    entry.dimension = 2;
    entry.embedding = {0x00, 0x3c, 0x00, 0x00};
    CHECK(print(true) == head + R"("ttl_ms":60000,"space":"demo","dimension":2,)" +
                             R"("metadata":{"camera":2},"embedding":{"f16":"ADwAAA=="}})");
    CHECK(print_entry_key(entry) == "box-2/a/b");
}

TEST_CASE("results: pages of entries say where to go on") {
    EntryView entry;
    entry.hash = "h";
    entry.node = name("box-2");
    entry.metadata = "{}";
    EntryPagePrinter empty(false);
    CHECK(empty.finish(true) == R"({"entries":[],"next":null})");
    EntryPagePrinter page(false);
    page.add(entry);
    CHECK_FALSE(page.is_full());
    const std::string text = page.finish(false);
    CHECK(text.ends_with(R"(],"next":"box-2/h"})"));
    check_fields("registry.list", text);
    check_fields("registry.get", text);
    EntryPagePrinter large(false);
    entry.metadata = R"({"text":")" + std::string(8000, 'x') + "\"}";
    while (!large.is_full()) {
        large.add(entry);
    }
    const std::size_t bytes = large.finish(false).size();
    CHECK(bytes >= EntryPagePrinter::kBytesMax);
    CHECK(bytes < EntryPagePrinter::kBytesMax + 8'300);
}

TEST_CASE("results: shared state, its changes, puts and backups") {
    SharedView mode;
    mode.key = "mode";
    mode.value = R"({"night":true})";
    mode.by = name("box-2");
    mode.age_ms = 7;
    SharedView limit = mode;
    limit.key = "a \"b\"";
    limit.value = "3";
    const std::string text = print_shared({limit, mode});
    CHECK(text == R"({"state":{"a \"b\"":3,"mode":{"night":true}},"members":{"a \"b\"":)"
                  R"({"by":"box-2","age_ms":7},"mode":{"by":"box-2","age_ms":7}}})");
    check_fields("state.get", text);
    const std::string updated = print_shared_updated(1, {mode});
    CHECK(updated == R"({"changed":1,"state":{"mode":{"night":true}}})");
    check_fields("state.update", updated);
    mode.value = '"' + std::string(EntryPagePrinter::kBytesMax, 'x') + '"';
    CHECK(print_shared_updated(2, {mode}) == R"({"changed":2,"state":null})");
    EntriesPut put;
    put.stored = 3;
    put.is_durable = true;
    CHECK(print_put(put) == R"({"stored":3,"durable":true})");
    CHECK(print_backup({"/b", 4096, 12}) == R"({"path":"/b","bytes":4096,"records":12})");
}

TEST_CASE("results: data of registry and shared events") {
    RegistryEvent event;
    event.hash = "h";
    event.node = name("box-2");
    event.type = "face";
    event.age_ms = 5;
    event.by = name("box-3");
    CHECK(print_registry_event(event) ==
          R"({"hash":"h","node":"box-2","type":"face","age_ms":5,"by":"box-3"})");
    SharedEvent changed;
    changed.member.key = "mode";
    changed.member.by = name("box-2");
    changed.member.age_ms = 9;
    CHECK(print_shared_event(changed) == R"({"key":"mode","value":null,"by":"box-2","age_ms":9})");
    changed.member.value = "3";
    CHECK(print_shared_event(changed) == R"({"key":"mode","value":3,"by":"box-2","age_ms":9})");
}
