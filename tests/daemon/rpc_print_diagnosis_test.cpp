// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print_diagnosis.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>

namespace meshd {
namespace {

using namespace std::chrono_literals;

NodeView node(std::string_view name, std::string_view version, NodeStatus status) {
    NodeView view;
    view.node_id = *NodeId::parse(name);
    view.version = version;
    view.status = status;
    return view;
}

TEST_CASE("rpc print: a diagnosis tells strangers, who does not answer, the host and versions") {
    DiagnosisView diagnosis;
    diagnosis.strangers = {
        {Stranger::Kind::OtherMesh, "farm", ipv4_endpoint({10, 0, 0, 9}, 9999), 1500ms}};
    SecurityView security;
    security.foreigners = {{ipv4_endpoint({10, 0, 0, 8}, 9999), true, 2s},
                           {ipv4_endpoint({10, 0, 0, 7}, 9999), false, 3s}};
    diagnosis.unanswered = {{*NodeId::parse("b"), ipv4_endpoint({10, 0, 0, 2}, 9999), 4s, 6}};
    diagnosis.clock_off_ms = -70'000;
    diagnosis.hops_max = 32;
    HostFacts host;
    host.interfaces = {{"eth0", ipv4_endpoint({10, 0, 0, 1}, 9999), 1500}};
    host.receive_drops = 4;
    host.state_dir = "/var/lib/meshd";
    host.disk_free_bytes = 1024;
    const std::vector<NodeView> nodes = {node("a", "0.1.0", NodeStatus::Alive),
                                         node("b", "0.2.0", NodeStatus::Alive),
                                         node("c", "0.0.1", NodeStatus::Offline)};
    CHECK(
        print_diagnosis(diagnosis, security, nodes, host) ==
        R"({"pid":)" + std::to_string(getpid()) +
            R"(,"interfaces":[{"name":"eth0","address":"10.0.0.1:9999","mtu":1500}],)"
            R"("receive_drops":4,"state_dir":"/var/lib/meshd","disk_free_bytes":1024,)"
            R"("clock_off_ms":-70000,"hops_max":32,"strangers":[)"
            R"({"kind":"other_mesh","name":"farm","address":"10.0.0.9:9999","last_heard_ms":1500},)"
            R"({"kind":"other_key","name":null,"address":"10.0.0.8:9999","last_heard_ms":2000},)"
            R"({"kind":"unsealed","name":null,"address":"10.0.0.7:9999","last_heard_ms":3000}],)"
            R"("unanswered":[{"node_id":"b","address":"10.0.0.2:9999","last_heard_ms":4000,)"
            R"("failures":6}],"versions":[{"version":"0.1.0","nodes":["a"]},)"
            R"({"version":"0.2.0","nodes":["b"]}]})");
}

TEST_CASE("rpc print: whoever is an alive member by now is no stranger") {
    SecurityView security;
    security.foreigners = {{ipv4_endpoint({10, 0, 0, 8}, 9999), true, 2s},
                           {ipv4_endpoint({10, 0, 0, 7}, 9999), false, 3s}};
    NodeView member = node("b", "0.1.0", NodeStatus::Alive);
    member.address = ipv4_endpoint({10, 0, 0, 8}, 9999);
    NodeView away = node("c", "0.1.0", NodeStatus::Offline);
    away.address = ipv4_endpoint({10, 0, 0, 7}, 9999);
    const std::string text = print_diagnosis({}, security, {member, away}, {});
    CHECK(text.find("other_key") == std::string::npos);
    CHECK(text.find(R"("kind":"unsealed","name":null,"address":"10.0.0.7:9999")") !=
          std::string::npos);
}

TEST_CASE("rpc print: what the host does not say is null") {
    const std::string text = print_diagnosis({}, {}, {}, {});
    CHECK(text.find(R"("receive_drops":null,"state_dir":null,"disk_free_bytes":null,)"
                    R"("clock_off_ms":null)") != std::string::npos);
}

}  // namespace
}  // namespace meshd
