// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_print.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "proto/base/ids.h"

namespace meshd {

namespace {

constexpr std::string_view kDropPrefix = "drop_";

/// Counters with a place of their own in `mesh.stats`: those of the predecessor, and the traffic.
constexpr std::array kNamedCounters = {
    Counter::messages_sent,    Counter::messages_received,  Counter::messages_routed,
    Counter::peers_discovered, Counter::heartbeats_sent,    Counter::alerts_sent,
    Counter::datagrams_sent,   Counter::datagrams_received, Counter::bytes_sent,
    Counter::bytes_received,
};

bool is_named(std::size_t index) {
    return std::find(kNamedCounters.begin(), kNamedCounters.end(), static_cast<Counter>(index)) !=
           kNamedCounters.end();
}

std::int64_t to_s(Duration duration) {
    return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

/// Other nodes, of a count that includes this one.
std::size_t others(std::size_t nodes) {
    return nodes > 0 ? nodes - 1 : 0;
}

void write_node_name(json::Writer& writer, std::string_view key, const NodeId& node) {
    writer.key(key);
    if (node.empty()) {
        writer.null();
    } else {
        writer.string(node.text());
    }
}

template <class Nodes>
void write_names(json::Writer& writer, std::string_view key, const Nodes& nodes) {
    writer.key(key).begin_array();
    for (const NodeId& node : nodes) {
        writer.string(node.text());
    }
    writer.end_array();
}

void write_rtt(json::Writer& writer, const std::optional<Duration>& rtt) {
    writer.key("rtt_ms");
    if (rtt) {
        writer.number(fractional_ms(*rtt));
    } else {
        writer.null();
    }
}

void write_node(json::Writer& writer, const NodeView& node) {
    const bool is_alive = node.status == NodeStatus::Alive;
    writer.member("node_id", node.node_id.text()).member("status", node_status_name(node.status));
    write_node_name(writer, "because", node.because);
    writer.member("activity", activity_name(is_alive ? node.activity : Activity::Offline));
    writer.key("hops");
    if (node.hops) {
        writer.unsigned_integer(*node.hops);
    } else {
        writer.null();
    }
    write_rtt(writer, node.rtt);
    writer.key("address");
    if (node.address) {
        writer.string(print_endpoint(*node.address));
    } else {
        writer.null();
    }
    writer.member("last_seen_ms", to_ms(node.last_seen)).member("restarting", node.restarting);
}

void write_nodes(json::Writer& writer, std::string_view name, const std::vector<NodeId>& nodes) {
    writer.key(name).begin_array();
    for (const NodeId& node : nodes) {
        writer.string(node.text());
    }
    writer.end_array();
}

void write_sealing(json::Writer& writer, const SecurityView& security) {
    writer.key("sealing").begin_object().key("key");
    security.active ? writer.string(print_key_id(security.active)) : writer.null();
    writer.member("links_sealed", security.links_sealed).member("links_open", security.links_open);
    write_nodes(writer, "without_newest", security.without_newest);
    write_nodes(writer, "not_sealed", security.not_sealed);
    writer.end_object();
}

void write_document(json::Writer& writer, const MaybeState& state) {
    writer.key("state");
    if (state) {
        writer.raw(state->document);
    } else {
        writer.null();
    }
}

}  // namespace

double fractional_ms(Duration duration) {
    return static_cast<double>(duration.count()) / 1000.0;
}

std::string print_status(const StatusView& status) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("node_id", status.node_id.text())
        .member("instance", print_hex(status.instance.value))
        .member("start", print_hex(status.start.value))
        .member("version", status.version)
        .member("mesh", status.mesh_name)
        .member("activity", activity_name(status.activity))
        .member("uptime_s", to_s(status.uptime))
        .member("security", security_mode_name(status.security.mode))
        .member("peers", status.peers)
        .member("nodes_alive", status.nodes_alive)
        .member("nodes_known", status.nodes_known)
        .member("left", status.has_left)
        .member("isolated", status.isolated_for.has_value())
        .key("isolated_ms");
    if (status.isolated_for) {
        writer.integer(to_ms(*status.isolated_for));
    } else {
        writer.null();
    }
    writer.key("store")
        .begin_object()
        .member("records", status.store.records)
        .member("bytes", status.store.memory)
        .member("coverage", print_hex(status.store.hashes.coverage))
        .member("live", print_hex(status.store.hashes.live))
        .member("entries", status.store.entries)
        .member("tombstones", status.store.tombstones)
        .member("alerts", status.store.alerts)
        .member("shared", status.store.shared)
        .member("durable", status.store.has_disk)
        .member("unwritten", status.store.unwritten)
        .member("streams_unheld", status.store.streams_unheld)
        .end_object();
    write_sealing(writer, status.security);
    writer.key("warnings").begin_array();
    for (const std::string& warning : status.warnings) {
        writer.string(warning);
    }
    writer.end_array().end_object();
    return text;
}

std::string print_stats(const StatusView& status, const Counters& counters,
                        const OtherCounters& other_counters) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("node_id", status.node_id.text())
        .member("is_running", !status.has_left)
        .member("alive_peers", others(status.nodes_alive))
        .member("total_peers", others(status.nodes_known));
    for (const Counter counter : kNamedCounters) {
        writer.member(Counters::name(static_cast<std::size_t>(counter)), counters[counter]);
    }
    writer.key("counters").begin_object();
    for (std::size_t i = 0; i < Counters::size(); ++i) {
        if (!is_named(i) && !Counters::name(i).starts_with(kDropPrefix)) {
            writer.member(Counters::name(i), counters.value(i));
        }
    }
    for (const auto& [name, value] : other_counters) {
        writer.member(name, value);
    }
    writer.end_object().key("drops").begin_object();
    for (std::size_t i = 0; i < Counters::size(); ++i) {
        if (Counters::name(i).starts_with(kDropPrefix)) {
            writer.member(Counters::name(i).substr(kDropPrefix.size()), counters.value(i));
        }
    }
    writer.end_object().end_object();
    return text;
}

std::string print_nodes(const std::vector<NodeView>& nodes, const std::vector<MaybeState>& states) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("nodes").begin_array();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        writer.begin_object();
        write_node(writer, nodes[i]);
        if (!states.empty()) {
            write_document(writer, states[i]);
        }
        writer.end_object();
    }
    writer.end_array().end_object();
    return text;
}

std::string print_node(const NodeView& node, const MaybeState& state) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_node(writer, node);
    writer.member("version", node.version)
        .member("instance", print_hex(node.instance.value))
        .key("addresses")
        .begin_array();
    for (const Endpoint& address : node.addresses) {
        writer.string(print_endpoint(address));
    }
    writer.end_array();
    write_names(writer, "links", node.links);
    write_document(writer, state);
    writer.end_object();
    return text;
}

std::string print_peers(const std::vector<PeerView>& peers) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("peers").begin_array();
    for (const PeerView& peer : peers) {
        writer.begin_object()
            .member("node_id", peer.node_id.text())
            .member("address", print_endpoint(peer.address));
        write_rtt(writer, peer.rtt);
        writer.member("loss", peer.loss)
            .member("up_for_s", to_s(peer.up_for))
            .member("queued", peer.queued)
            .member("cost_class", static_cast<unsigned>(peer.cost_class))
            .member("suspect", peer.is_suspect)
            .key("agreed_ms");
        peer.agreed ? writer.integer(to_ms(*peer.agreed)) : writer.null();
        writer.end_object();
    }
    writer.end_array().end_object();
    return text;
}

std::string print_routes(const std::vector<Route>& routes) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("routes").begin_array();
    for (const Route& route : routes) {
        writer.begin_object()
            .member("node_id", route.destination.text())
            .member("next_peer", route.next_peer.text())
            .member("hops", route.hops)
            .member("cost", route.cost);
        write_names(writer, "path", route.path);
        writer.end_object();
    }
    writer.end_array().end_object();
    return text;
}

std::string print_topology(const std::vector<NodeView>& nodes, const std::vector<LinkView>& links) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object().key("nodes").begin_array();
    for (const NodeView& node : nodes) {
        writer.begin_object()
            .member("node_id", node.node_id.text())
            .member("status", node_status_name(node.status))
            .end_object();
    }
    writer.end_array().key("links").begin_array();
    for (const LinkView& link : links) {
        writer.begin_object()
            .member("a", link.a.text())
            .member("b", link.b.text())
            .member("cost", link.cost)
            .end_object();
    }
    writer.end_array().end_object();
    return text;
}

void write_alert(json::Writer& writer, const AlertView& alert, std::uint64_t aged_ms) {
    writer.member("id", alert.id)
        .member("source", alert.source.text())
        .member("seq", alert.seq)
        .member("priority", priority_name(alert.priority))
        .member("timestamp_ms", alert.timestamp_ms)
        .member("age_ms", alert.age_ms + aged_ms)
        .key("ttl_ms");
    if (alert.ttl_ms == 0) {
        writer.null();
    } else {
        writer.unsigned_integer(alert.ttl_ms);
    }
    writer.key("dedupe_key");
    if (alert.dedupe_key.empty()) {
        writer.null();
    } else {
        writer.string(alert.dedupe_key);
    }
    writer.member_raw("alert", alert.alert).member("hops", alert.hops).key("path").begin_array();
    for (const std::string& node : alert.path) {
        writer.string(node);
    }
    writer.end_array();
}

std::string print_alert(const AlertView& alert) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object();
    write_alert(writer, alert);
    writer.end_object();
    return text;
}

AlertPage print_alerts(const std::vector<AlertView>& alerts, std::size_t limit,
                       std::size_t bytes_max) {
    AlertPage page;
    json::Writer writer(page.text);
    writer.begin_object().key("alerts").begin_array();
    while (page.count < std::min(limit, alerts.size()) &&
           (page.count == 0 || page.text.size() < bytes_max)) {
        writer.begin_object();
        write_alert(writer, alerts[page.count]);
        writer.end_object();
        ++page.count;
    }
    writer.end_array().key("next");
    if (page.count > 0 && page.count < alerts.size()) {
        writer.string(alerts[page.count - 1].id);
    } else {
        writer.null();
    }
    writer.end_object();
    return page;
}

std::string print_raised(const AlertRaised& raised, std::size_t listeners) {
    std::string text;
    json::Writer writer(text);
    writer.begin_object()
        .member("id", raised.id)
        .member("durable", raised.is_durable)
        .member("repeated", raised.is_repeated);
    write_names(writer, "delivered", raised.delivered);
    write_names(writer, "pending", raised.pending);
    writer.member("listeners", listeners).end_object();
    return text;
}

std::string print_state(const StateView& state, bool is_alive) {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("node_id", state.node_id.text())
        .member("activity", activity_name(is_alive ? state.activity : Activity::Offline))
        .member_raw("state", state.document)
        .member("age_ms", state.age_ms)
        .end_object();
    return text;
}

}  // namespace meshd
