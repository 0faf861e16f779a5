// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print_diagnosis.h"

#include <unistd.h>

#include <map>
#include <optional>

#include "daemon/security_words.h"
#include "proto/base/json.h"

namespace meshd {
namespace {

std::string_view kind_name(Stranger::Kind kind) {
    switch (kind) {
        case Stranger::Kind::OtherMesh:
            return "other_mesh";
        case Stranger::Kind::OtherVersion:
            return "other_version";
    }
    return {};
}

void write_maybe(json::Writer& writer, std::string_view key,
                 const std::optional<std::uint64_t>& value) {
    writer.key(key);
    value ? writer.unsigned_integer(*value) : writer.null();
}

void write_text(json::Writer& writer, std::string_view key, const std::string& text) {
    writer.key(key);
    text.empty() ? writer.null() : writer.string(text);
}

void write_host(json::Writer& writer, const HostFacts& host) {
    writer.member("pid", static_cast<std::int64_t>(getpid())).key("interfaces").begin_array();
    for (const InterfaceFacts& interface : host.interfaces) {
        writer.begin_object()
            .member("name", interface.name)
            .member("address", print_endpoint(interface.address));
        write_maybe(
            writer, "mtu",
            interface.mtu == 0 ? std::nullopt : std::optional<std::uint64_t>(interface.mtu));
        writer.end_object();
    }
    writer.end_array();
    write_maybe(writer, "receive_drops", host.receive_drops);
    write_text(writer, "state_dir", host.state_dir);
    write_maybe(writer, "disk_free_bytes", host.disk_free_bytes);
}

void write_stranger(json::Writer& writer, std::string_view kind, const std::string& name,
                    const Endpoint& address, Duration last_heard) {
    writer.begin_object().member("kind", kind);
    write_text(writer, "name", name);
    writer.member("address", print_endpoint(address))
        .member("last_heard_ms", to_ms(last_heard))
        .end_object();
}

void write_nodes(json::Writer& writer, std::string_view key, const std::vector<NodeId>& nodes) {
    writer.key(key).begin_array();
    for (const NodeId& node : nodes) {
        writer.string(node.text());
    }
    writer.end_array();
}

void write_versions(json::Writer& writer, const std::vector<NodeView>& nodes) {
    std::map<std::string, std::vector<NodeId>> versions;
    for (const NodeView& node : nodes) {
        // What a node ran that is gone says nothing of what it will come back with.
        if (node.status == NodeStatus::Alive && !node.version.empty()) {
            versions[node.version].push_back(node.node_id);
        }
    }
    writer.key("versions").begin_array();
    for (const auto& [version, of_nodes] : versions) {
        writer.begin_object().member("version", version);
        write_nodes(writer, "nodes", of_nodes);
        writer.end_object();
    }
    writer.end_array();
}

}  // namespace

std::string print_diagnosis(const DiagnosisView& diagnosis, const SecurityView& security,
                            const std::vector<NodeView>& nodes, const HostFacts& host) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_host(writer, host);
    writer.key("clock_off_ms");
    diagnosis.clock_off_ms ? writer.integer(*diagnosis.clock_off_ms) : writer.null();
    writer.member("hops_max", diagnosis.hops_max).key("strangers").begin_array();
    for (const StrangerView& one : diagnosis.strangers) {
        write_stranger(writer, kind_name(one.kind), one.name, one.address, one.last_heard);
    }
    for (const ForeignerView& one : without_members(security, nodes).foreigners) {
        write_stranger(writer, one.is_sealed ? "other_key" : "unsealed", "", one.from,
                       one.last_heard);
    }
    writer.end_array().key("unanswered").begin_array();
    for (const UnansweredView& node : diagnosis.unanswered) {
        writer.begin_object()
            .member("node_id", node.node_id.text())
            .member("address", print_endpoint(node.address))
            .member("last_heard_ms", to_ms(node.last_heard))
            .member("failures", node.failures)
            .end_object();
    }
    writer.end_array();
    write_versions(writer, nodes);
    writer.end_object();
    return text;
}

}  // namespace meshd
