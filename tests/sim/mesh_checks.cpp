// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/mesh_checks.h"

#include <algorithm>
#include <utility>

namespace meshd::sim {

MeshChecks::MeshChecks(World& world, Violation violation)
    : world_(world), violation_(std::move(violation)), stopped_(world.hosts()) {}

void MeshChecks::on_start(Host host) {
    stopped_[host].reset();
}

void MeshChecks::on_stop(Host host) {
    stopped_[host] = world_.time();
}

bool MeshChecks::is_running(const NodeId& node) const {
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.id(host) == node && world_.is_running(host)) {
            return true;
        }
    }
    return false;
}

std::optional<TimePoint> MeshChecks::stopped(const NodeId& node) const {
    std::optional<TimePoint> last;
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.id(host) == node && stopped_[host]) {
            last = std::max(last, stopped_[host]);
        }
    }
    return last;
}

void MeshChecks::on_command(Host host, const Command& command) {
    const auto* forget = std::get_if<Forget>(&command);
    if (forget == nullptr || is_running(forget->node)) {
        return;
    }
    for (Host subject = 0; subject < world_.hosts(); ++subject) {
        if (world_.id(subject) == forget->node) {
            forgotten_.push_back(
                {subject, world_.starts(subject), host, world_.starts(host), world_.time()});
        }
    }
}

void MeshChecks::on_output(Host host, const Output& output) {
    if (const auto* node = std::get_if<NodeEvent>(&output)) {
        on_node(host, *node);
    }
}

void MeshChecks::on_node(Host host, const NodeEvent& event) {
    const std::string who = world_.id(host).text();
    switch (event.kind) {
        case NodeEventKind::Joined:
        case NodeEventKind::Returned: {
            if (is_ghost(event.node)) {
                world_.after(kGhostTime, [this, host, node = event.node] { lay(host, node); });
            }
            return;
        }
        case NodeEventKind::Offline:
        case NodeEventKind::Unreachable:
            if (is_fair_ && is_running(event.node)) {
                violation_(who + " tells " + event.node.text() + " gone, which runs");
            }
            return;
        case NodeEventKind::Isolated:
            if (is_fair_) {
                violation_(who + " believes that it is cut off");
            }
            return;
        case NodeEventKind::Rejoined:
        case NodeEventKind::Left:
        case NodeEventKind::Restarting:
        case NodeEventKind::Conflict:
        case NodeEventKind::Forgotten:
            return;
    }
}

bool MeshChecks::is_ghost(const NodeId& node) const {
    const auto since = stopped(node);
    return !is_running(node) && since && world_.time() - *since > kGhostMax;
}

/// A moment after `host` told a dead node alive, it must know better.
void MeshChecks::lay(Host host, const NodeId& node) {
    if (!is_ghost(node) || !world_.is_running(host) || world_.is_paused(host) ||
        world_.time() - world_.awake_since(host) < kGhostTime) {
        return;
    }
    const auto view = world_.node(host).node(world_.now(host), node);
    if (view && view->status == NodeStatus::Alive) {
        violation_(world_.id(host).text() + " sees " + node.text() + " alive, which stopped " +
                   std::to_string(to_ms(world_.time() - *stopped(node))) + " ms ago");
    }
}

/// The one that was asked runs still, so that the mark is remembered, and no longer than marks are.
bool MeshChecks::must_stay_forgotten(const Forgotten& forgotten) const {
    return world_.starts(forgotten.subject) == forgotten.subject_starts &&
           !is_running(world_.id(forgotten.subject)) && world_.is_running(forgotten.by) &&
           world_.starts(forgotten.by) == forgotten.by_starts &&
           world_.time() - forgotten.when < world_.config(forgotten.by).tombstone_time;
}

std::string MeshChecks::difference(const std::vector<Host>& members) const {
    for (const Host host : members) {
        const Node& node = world_.node(host);
        const Now now = world_.now(host);
        if (node.status(now).isolated_for && !node.peers(now).empty()) {
            return world_.id(host).text() + " has links and says that it is cut off";
        }
    }
    if (std::string text = other_seal(members); !text.empty()) {
        return text;
    }
    for (const Forgotten& one : forgotten_) {
        for (const Host host : members) {
            const NodeId& subject = world_.id(one.subject);
            if (must_stay_forgotten(one) && world_.node(host).node(world_.now(host), subject)) {
                return world_.id(host).text() + " shows " + subject.text() + ", which " +
                       world_.id(one.by).text() + " forgot " +
                       std::to_string(to_ms(world_.time() - one.when)) + " ms ago";
            }
        }
    }
    return lost_way(members);
}

/// All seal with the newest key that any of them holds.
std::string MeshChecks::other_seal(const std::vector<Host>& members) const {
    KeyId newest;
    std::uint32_t generation = 0;
    for (const Host host : members) {
        const Keyring& ring = world_.keyring(host);
        if (ring.newest_generation() > generation) {
            generation = ring.newest_generation();
            newest = key_id(ring.keys.back());
        }
    }
    for (const Host host : members) {
        const Node& node = world_.node(host);
        for (const PeerView& peer : node.peers(world_.now(host))) {
            if (peer.seal != newest) {
                return world_.id(host).text() + " seals to " + peer.node_id.text() + " with " +
                       print_key_id(peer.seal) + ", the newest key is " + print_key_id(newest);
            }
        }
    }
    return {};
}

std::string MeshChecks::lost_way(const std::vector<Host>& members) const {
    std::map<NodeId, std::map<NodeId, NodeId>> next;  ///< by who asks and where to
    for (const Host host : members) {
        std::map<NodeId, NodeId>& routes = next[world_.id(host)];
        for (const Route& route : world_.node(host).routes()) {
            routes.emplace(route.destination, route.next_peer);
        }
    }
    for (const auto& [from, routes] : next) {
        for (const auto& [to, unused] : next) {
            NodeId at = from;
            std::size_t hops = 0;
            while (at != to && ++hops <= members.size()) {
                const auto known = next.find(at);
                if (known == next.end()) {
                    return "the route of " + from.text() + " to " + to.text() + " leads over " +
                           at.text() + ", which does not run";
                }
                const auto step = known->second.find(to);
                if (step == known->second.end()) {
                    return at.text() + " has no route to " + to.text();
                }
                at = step->second;
            }
            if (at != to) {
                return "the routes from " + from.text() + " to " + to.text() + " go in a circle";
            }
        }
    }
    return {};
}

}  // namespace meshd::sim
