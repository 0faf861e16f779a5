// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "proto/disk_stall.h"
#include "proto/node_impl.h"

namespace meshd {

StatusView Node::Impl::status(Now now) const {
    StatusView view;
    view.node_id = self_.node;
    view.instance = self_.instance;
    view.start = self_.start;
    view.version = options_.version;
    view.mesh_name = config_.mesh_name;
    view.activity = own_state_.activity;
    view.uptime = now.monotonic - started_;
    view.peers = links_.size();
    view.nodes_alive = 1;
    view.nodes_known = 1 + membership_.members().size();
    for (const auto& [node, member] : membership_.members()) {
        view.nodes_alive += member.status == NodeStatus::Alive ? 1 : 0;
    }
    view.has_left = has_left_;
    if (isolated_since_) {
        view.isolated_for = now.monotonic - *isolated_since_;
    }
    view.store = {store_.records(),
                  store_.memory(),
                  store_.hashes(),
                  store_.entry_count(),
                  store_.tombstone_count(),
                  store_.alert_count(),
                  store_.shared_count(),
                  store_.streams_unheld(),
                  has_disk_ && disk_backoff_ == Duration{} &&
                      !is_disk_stalled(writing_.has_value(), clock_written_at_, now.monotonic),
                  store_.changes() + (writing_ ? writing_->records.size() : 0)};
    view.security = security_view(now.monotonic);
    view.run = run_;
    if (store_.streams_unheld() != 0) {
        view.warnings.push_back(
            "no room for the records of all nodes: " + std::to_string(store_.streams_unheld()) +
            " streams are left out (store.memory_max)");
    }
    const NameConflict::State conflict = name_conflict_.state(now.monotonic);
    if (conflict != NameConflict::State::Clear) {
        const auto& address = name_conflict_.other().address;
        const bool is_out = links_.empty() && conflict != NameConflict::State::Noticed;
        view.warnings.push_back("another node uses the name " + self_.node.text() +
                                (address ? " (at " + print_endpoint(*address) + ")" : "") +
                                (is_out ? " and is the mesh's member" : "") +
                                ": give one of them another --node-id");
    }
    if (has_left_) {
        view.warnings.push_back("this node has left the mesh: meshctl discover rejoins");
    } else if (addresses_.empty()) {
        view.warnings.push_back("no usable network interface");
    }
    return view;
}

NodeView Node::Impl::view_of(Now now, const NodeId& id) const {
    NodeView view;
    view.node_id = id;
    const HeldRecord* held = store_.node_record(id);
    const HeldRecord* state = store_.state_record(id);
    if (held != nullptr) {
        const NodeData& data = *held->record.node;
        view.version = data.version;
        view.security = data.security;
        view.instance = data.instance;
        view.addresses = data.addresses;
        for (const LinkClaim& claim : data.links) {
            view.links.push_back(claim.peer);
        }
        if (!data.addresses.empty()) {
            view.address = data.addresses.front();
        }
    }
    if (id == self_.node) {
        view.activity = own_state_.activity;
        view.hops = 0;
        return view;
    }
    if (const Membership::Member* member = membership_.find(id)) {
        view.status = member->status;
        view.restarting = member->restarting;
        view.because = member->because;
        view.last_seen = now.monotonic - member->since;
    }
    if (state != nullptr) {
        view.activity = state->record.state->activity;
    }
    if (view.status != NodeStatus::Alive) {
        view.activity = Activity::Offline;
    } else if (const auto route = topology_.route(id)) {
        view.hops = route->hops;
        if (held != nullptr && state != nullptr) {
            view.last_seen = std::min(
                {view.last_seen, now.monotonic - held->arrived, now.monotonic - state->arrived});
        }
    }
    const auto link = links_.find(id);
    if (link != links_.end()) {
        view.rtt = link->second.liveness.rtt().smoothed();
        view.address = link->second.endpoint();
        view.last_seen = now.monotonic - link->second.liveness.last_heard();
    }
    return view;
}

std::vector<NodeView> Node::Impl::nodes(Now now) const {
    std::vector<NodeView> views;
    for (const NodeId& id : store_.nodes()) {
        views.push_back(view_of(now, id));
    }
    return views;
}

std::optional<NodeView> Node::Impl::node(Now now, const NodeId& id) const {
    if (store_.node_record(id) == nullptr) {
        return std::nullopt;
    }
    return view_of(now, id);
}

std::vector<PeerView> Node::Impl::peers(Now now) const {
    std::vector<PeerView> views;
    for (const auto& [peer, link] : links_) {
        const auto agreed_at = reconciler_.agreed_at(peer);
        views.push_back({peer, link.endpoint(), link.liveness.rtt().smoothed(),
                         link.liveness.loss(), now.monotonic - link.up_since(),
                         link.egress.pending(), link.cost_class, link.liveness.is_suspect(),
                         link.seal(),
                         agreed_at ? std::optional(now.monotonic - *agreed_at) : std::nullopt});
    }
    return views;
}

DiagnosisView Node::Impl::diagnosis(Now now) const {
    DiagnosisView view;
    for (const Stranger& stranger : strangers_.heard(now.monotonic)) {
        view.strangers.push_back(
            {stranger.kind, stranger.name, stranger.address, now.monotonic - stranger.last_heard});
    }
    for (const auto& [node, heard] : neighbours_.all()) {
        // Whoever is not heard either has gone, which is told elsewhere.
        const bool is_heard = heard.silent_since && heard.last_heard > *heard.silent_since;
        if (is_heard && !links_.contains(node)) {
            view.unanswered.push_back(
                {node, heard.endpoint, now.monotonic - heard.last_heard, heard.failures});
        }
    }
    if (const auto mesh = mesh_time_.known(now)) {
        view.clock_off_ms = now.wall.ms - mesh->ms;
    }
    view.hops_max = limits::kHopsMax;
    return view;
}

std::vector<LinkView> Node::Impl::links() const {
    std::vector<LinkView> views;
    const Graph& graph = topology_.graph();
    for (std::uint32_t v = 0; v < graph.size(); ++v) {
        for (const Graph::Edge& edge : graph.edges(v)) {
            if (v < edge.to) {
                views.push_back({graph.nodes()[v], graph.nodes()[edge.to], edge.cost});
            }
        }
    }
    return views;
}

StateView Node::Impl::own_state_view() const {
    return {self_.node, own_state_.activity, own_state_.document, 0};
}

std::optional<StateView> Node::Impl::state(Now now, const NodeId& id) const {
    const HeldRecord* held = store_.state_record(id);
    if (id == self_.node) {
        StateView own = own_state_view();
        own.age_ms = held == nullptr ? 0 : held->age_ms(now.monotonic);
        return own;
    }
    if (held == nullptr) {
        return std::nullopt;
    }
    const Membership::Member* member = membership_.find(id);
    const bool alive = member != nullptr && member->status == NodeStatus::Alive;
    return StateView{id, alive ? held->record.state->activity : Activity::Offline,
                     held->record.state->document, held->age_ms(now.monotonic)};
}

std::string Node::Impl::node_name(std::uint32_t short_id) const {
    if (short_id == self_.node.short_id()) {
        return self_.node.text();
    }
    if (const NodeId node = node_of(short_id); !node.empty()) {
        return node.text();
    }
    char text[12];
    std::snprintf(text, sizeof text, "#%08x", short_id);
    return text;
}

AlertView Node::Impl::alert_view(TimePoint now, const HeldRecord& held) const {
    AlertView view;
    const RecordHeader& header = held.record.header;
    view.id = print_alert_id(header);
    view.source = header.author;
    view.seq = header.counter;
    view.priority = held.record.alert->priority;
    view.timestamp_ms = held.record.alert->timestamp_ms;
    view.age_ms = held.age_ms(now);
    view.alert = held.record.alert->alert;
    view.ttl_ms = held.record.alert->ttl_ms;
    view.dedupe_key = held.record.alert->dedupe_key;
    view.arrival = held.arrival;
    view.hops = static_cast<std::uint32_t>(held.provenance.path.size());
    view.path = path_names(header.author, held.provenance.path);
    return view;
}

const HeldRecord* Node::Impl::held_alert(std::string_view id) const {
    const auto place = parse_alert_id(id);
    const HeldRecord* held = place ? store_.record(place->stream, place->counter) : nullptr;
    return held == nullptr || !held->record.alert || print_alert_id(held->record.header) != id
               ? nullptr
               : held;
}

std::optional<AlertView> Node::Impl::alert(Now now, std::string_view id) const {
    const HeldRecord* held = held_alert(id);
    return held == nullptr ? std::nullopt : std::optional(alert_view(now.monotonic, *held));
}

std::vector<AlertView> Node::Impl::alerts(Now now, const AlertFilter& filter) const {
    std::vector<AlertView> views;
    std::size_t bytes = 0;
    const HeldRecord* before = filter.before.empty() ? nullptr : held_alert(filter.before);
    store_.newest_alerts(before, [&](const HeldRecord& held) {
        if (held.record.alert->priority < filter.least ||
            (filter.source && held.record.header.author != *filter.source) ||
            (filter.age_ms_max && held.age_ms(now.monotonic) > *filter.age_ms_max)) {
            return true;
        }
        const bool is_last = bytes > filter.bytes_max || views.size() + 1 == filter.limit;
        views.push_back(alert_view(now.monotonic, held));
        bytes += views.back().alert.size();
        return !is_last;
    });
    return views;
}

std::vector<AlertView> Node::Impl::alerts_after(Now now, std::uint64_t arrival,
                                                std::size_t limit) const {
    std::vector<AlertView> views;
    for (const HeldRecord* held : store_.alerts_after(arrival, limit)) {
        views.push_back(alert_view(now.monotonic, *held));
    }
    return views;
}

}  // namespace meshd
