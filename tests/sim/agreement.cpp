// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <sstream>

#include "tests/sim/checkers.h"

namespace meshd::sim {

namespace {

template <class Range>
std::string join(const Range& range) {
    std::string text;
    for (const NodeId& id : range) {
        text += (text.empty() ? "" : ",") + id.text();
    }
    return text;
}

std::string print_links(const std::vector<LinkView>& links) {
    std::string text;
    for (const LinkView& link : links) {
        text += link.a.text() + "-" + link.b.text() + ":" + std::to_string(link.cost) + " ";
    }
    return text;
}

std::string print_alert(const AlertView& alert) {
    return alert.id + " " + alert.source.text() + " " + std::to_string(alert.seq) + " " +
           std::string(priority_name(alert.priority)) + " " + std::to_string(alert.timestamp_ms) +
           " " + alert.alert;
}

std::set<std::string> print_alerts(const std::vector<AlertView>& alerts) {
    std::set<std::string> lines;
    for (const AlertView& alert : alerts) {
        // Each holder drops it at its own time.
        if (alert.ttl_ms == 0) {
            lines.insert(print_alert(alert));
        }
    }
    return lines;
}

std::string shorten(const std::string& text) {
    constexpr std::size_t kShown = 300;
    return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

}  // namespace

/// Only what all nodes should see alike: not hops, rtt or ages.
std::string Checkers::describe(Host host, const NodeView& view) const {
    std::ostringstream out;
    out << view.node_id.text() << " " << node_status_name(view.status)
        << (view.restarting ? " restarting " : " ") << activity_name(view.activity) << " "
        << print_hex(view.instance.value) << " links " << join(view.links) << " addresses";
    for (const Endpoint& address : view.addresses) {
        out << " " << print_endpoint(address);
    }
    const auto state = world_.node(host).state(world_.now(host), view.node_id);
    out << " state " << (state ? state->document : "none");
    return out.str();
}

std::string Checkers::missing_alert(Host host, const std::vector<Host>& members) const {
    std::set<std::string> held;
    for (const AlertView& alert : world_.node(host).alerts(world_.now(host))) {
        held.insert(alert.alert);
    }
    for (const auto& [document, raised] : raised_) {
        if (raised.host == host || raised.ttl_ms != 0 || held.contains(document) ||
            told_[host].documents.contains(document)) {
            continue;
        }
        // An author that died at once may have taken its alert along.
        const auto is_teller = [&, &text = document, &from = raised](Host other) {
            return told_[other].documents.contains(text) ||
                   (other == from.host && world_.starts(other) == from.start);
        };
        const bool is_held = std::any_of(members.begin(), members.end(), is_teller);
        if (is_held) {
            return world_.id(host).text() + " lacks alert " + shorten(document) + " of " +
                   world_.id(raised.host).text();
        }
    }
    return {};
}

std::string Checkers::difference() const {
    std::vector<Host> members;
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.is_running(host) && !said_goodbye_[host]) {
            members.push_back(host);
        }
    }
    std::map<NodeId, std::string> expected;
    std::set<std::string> alerts;
    std::string links;
    StoreView store;
    for (const Host host : members) {
        const Node& node = world_.node(host);
        const std::string& name = world_.id(host).text();
        const Now now = world_.now(host);
        std::map<NodeId, std::string> seen;
        for (const NodeView& view : node.nodes(now)) {
            seen.emplace(view.node_id, describe(host, view));
            const auto is_it = [&](Host other) { return world_.id(other) == view.node_id; };
            const bool is_member = std::any_of(members.begin(), members.end(), is_it);
            if (is_member != (view.status == NodeStatus::Alive)) {
                return name + " says " + view.node_id.text() + " is " +
                       std::string(node_status_name(view.status));
            }
        }
        for (const Host other : members) {
            if (!seen.contains(world_.id(other))) {
                return name + " does not know " + world_.id(other).text();
            }
        }
        const std::set<std::string> own_alerts = print_alerts(node.alerts(now));
        const std::string own_links = print_links(node.links());
        const StoreView own_store = node.status(now).store;
        if (host == members.front()) {
            expected = seen;
            alerts = own_alerts;
            links = own_links;
            store = own_store;
        }
        for (const auto& [id, description] : expected) {
            if (seen[id] != description) {
                return name + " sees " + shorten(seen[id]) + " where " +
                       world_.id(members.front()).text() + " sees " + shorten(description);
            }
        }
        if (seen.size() != expected.size()) {
            for (const auto& [id, description] : seen) {
                if (!expected.contains(id)) {
                    return name + " sees " + shorten(description) + ", which " +
                           world_.id(members.front()).text() + " does not know";
                }
            }
        }
        if (own_links != links) {
            return name + " sees links " + own_links + " where another sees " + links;
        }
        if (std::string missing = missing_alert(host, members); !missing.empty()) {
            return missing;
        }
        if (own_alerts != alerts) {
            return name + " lists " + std::to_string(own_alerts.size()) + " alerts where " +
                   world_.id(members.front()).text() + " lists " + std::to_string(alerts.size()) +
                   ", or others";
        }
        if (own_store.hashes != store.hashes) {
            return name + " has other store hashes than " + world_.id(members.front()).text() +
                   (own_store.hashes.live == store.hashes.live ? " (coverage) " : " (live) ") +
                   store_.difference(members);
        }
    }
    std::string lost = mesh_.difference(members);
    return lost.empty() ? store_.difference(members) : lost;
}

}  // namespace meshd::sim
