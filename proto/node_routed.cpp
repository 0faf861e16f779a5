// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/node_impl.h"

namespace meshd {
namespace {

/// A round trip over a link that was not measured yet.
constexpr Duration kRttUnknown = std::chrono::milliseconds(5);

/// What somebody waits for comes before what is merely long.
TrafficClass traffic_class_of(const RoutedPayload& payload) {
    const auto* answer = std::get_if<SearchAnswer>(&payload);
    return std::holds_alternative<Note>(payload) || (answer != nullptr && !answer->is_pending)
               ? TrafficClass::Normal
               : TrafficClass::High;
}

}  // namespace

/// Peers to whom something of `origin` goes from here: its tree's children, and those that the tree
/// cannot reach; everybody who does not surely have it where there is no tree, or none is to be
/// trusted.
std::vector<Link*> Node::Impl::spread_targets(const NodeId& origin,
                                              const std::vector<std::uint32_t>& path,
                                              std::uint32_t graph, const NodeId& except,
                                              bool is_flooded) {
    const auto has_it = [&](const NodeId& peer) {
        return peer == except || peer == origin ||
               std::find(path.begin(), path.end(), peer.short_id()) != path.end();
    };
    std::optional<std::vector<NodeId>> children;
    if (!is_flooded) {
        children = topology_.children_of(origin, graph);
        if (children && !std::all_of(children->begin(), children->end(),
                                     [&](const NodeId& n) { return links_.count(n) != 0; })) {
            children.reset();
        }
        if (!children) {
            counters_.add(Counter::pushes_flooded);
        }
    }
    std::vector<Link*> targets;
    for (auto& [peer, link] : links_) {
        const bool in_tree =
            !children || std::find(children->begin(), children->end(), peer) != children->end() ||
            !topology_.spans(graph, peer);
        if (in_tree && !has_it(peer)) {
            targets.push_back(&link);
        }
    }
    return targets;
}

/// False where there is no route. The peer `fallback`, if any, may know one.
bool Node::Impl::send_routed(const NodeId& destination, RoutedPayload payload,
                             const NodeId& fallback) {
    Routed routed;
    routed.source = self_.node;
    routed.start = self_.start;
    routed.seq = next_routed_seq_++;
    routed.timestamp_ms = wall_.ms;
    routed.destination = destination;
    routed.payload = std::move(payload);
    return forward(routed, fallback);
}

/// To all other nodes.
void Node::Impl::spread(RoutedPayload payload) {
    Routed routed;
    routed.source = self_.node;
    routed.start = self_.start;
    routed.seq = next_routed_seq_++;
    routed.timestamp_ms = wall_.ms;
    routed.graph = topology_.graph().hash();
    routed.payload = std::move(payload);
    forward_to_all(routed, NodeId());
}

void Node::Impl::on_routed(Now now, const NodeId& peer, const Routed& routed) {
    if (routed.source == self_.node ||
        !duplicates_.accept(now.monotonic, routed.source, routed.start, routed.seq)) {
        counters_.add(Counter::drop_duplicate);
        return;
    }
    if (routed.destination == self_.node) {
        deliver(now, routed);
        return;
    }
    const bool is_at_end = routed.path.size() >= limits::kHopsMax;
    if (routed.destination.empty()) {
        // Others first: what this node makes of it takes its time.
        if (!is_at_end) {
            forward_to_all(routed, peer);
        }
        deliver(now, routed);
    }
    if (is_at_end) {
        counters_.add(Counter::drop_hops);
        return;
    }
    if (routed.destination.empty()) {
        return;
    }
    counters_.add(Counter::messages_routed);
    if (const auto* ping = std::get_if<Ping>(&routed.payload); ping != nullptr && ping->is_trace) {
        on_ping(routed, *ping);
    }
    forward(routed, NodeId());
}

/// Hands a message to the part of this node that it is for.
void Node::Impl::deliver(Now now, const Routed& routed) {
    std::visit(
        [&](const auto& payload) {
            using T = std::decay_t<decltype(payload)>;
            if constexpr (std::is_same_v<T, DeliveryReport>) {
                deliveries_.on_report(payload.stream, payload.counter, routed.source);
            } else if constexpr (std::is_same_v<T, Note>) {
                on_note(now, routed, payload);
            } else if constexpr (std::is_same_v<T, NoteAck>) {
                notes_.on_ack(now.monotonic, payload.number, routed.source);
            } else if constexpr (std::is_same_v<T, Ping>) {
                on_ping(routed, payload);
            } else if constexpr (std::is_same_v<T, Pong>) {
                on_pong(now.monotonic, routed.source, payload);
            } else if constexpr (std::is_same_v<T, SearchQuery>) {
                on_query(now, routed.source, routed.start, payload);
            } else {
                on_answer(now.monotonic, routed.source, payload);
            }
        },
        routed.payload);
}

bool Node::Impl::forward(const Routed& routed, const NodeId& fallback) {
    const auto route = topology_.route(routed.destination);
    Link* link = route ? find_link(route->next_peer) : nullptr;
    if (link == nullptr) {
        link = find_link(routed.destination);
    }
    if (link == nullptr) {
        link = find_link(fallback);
    }
    if (link == nullptr) {
        counters_.add(Counter::drop_no_route);
        return false;
    }
    Routed next = routed;
    next.path.push_back(self_.node.short_id());
    return link->egress.send(share_message(next), traffic_class_of(routed.payload), true);
}

void Node::Impl::forward_to_all(const Routed& routed, const NodeId& except) {
    const std::vector<Link*> targets =
        spread_targets(routed.source, routed.path, routed.graph, except, false);
    if (targets.empty()) {
        return;
    }
    Routed next = routed;
    next.path.push_back(self_.node.short_id());
    const SharedMessage shared = share_message(next);
    for (Link* link : targets) {
        link->egress.send(shared, traffic_class_of(routed.payload), true);
    }
}

/// Names of the nodes in a path that ends here.
std::vector<std::string> Node::Impl::path_names(const NodeId& source,
                                                const std::vector<std::uint32_t>& path) const {
    std::vector<std::string> names;
    for (const std::uint32_t short_id : path) {
        names.push_back(short_id == source.short_id() ? source.text() : node_name(short_id));
    }
    names.push_back(self_.node.text());
    return names;
}

/// What a round trip to a node may take: measured where it is a peer, else from the hops to it.
Duration Node::Impl::rtt_to(const NodeId& node) const {
    const auto link = links_.find(node);
    if (link != links_.end()) {
        return link->second.liveness.rtt().smoothed().value_or(kRttUnknown);
    }
    Duration longest = kRttUnknown;
    for (const auto& [peer, each] : links_) {
        longest = std::max(longest, each.liveness.rtt().smoothed().value_or(kRttUnknown));
    }
    const auto route = topology_.route(node);
    return longest * (route ? static_cast<Duration::rep>(route->hops) : 1);
}

}  // namespace meshd
