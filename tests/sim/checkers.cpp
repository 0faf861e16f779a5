// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/checkers.h"

#include <algorithm>
#include <utility>

namespace meshd::sim {

namespace {

std::string print_time(Duration elapsed) {
    return std::to_string(to_ms(elapsed)) + " ms: ";
}

}  // namespace

Checkers::Checkers(World& world)
    : world_(world),
      store_(world, [this](std::string what) { on_violation(std::move(what)); }),
      mesh_(world, [this](std::string what) { on_violation(std::move(what)); }),
      told_(world.hosts()),
      said_goodbye_(world.hosts()) {
    world_.observe(this);
    look();
}

Checkers::~Checkers() {
    static Observer silent;
    world_.observe(&silent);
}

void Checkers::look() {
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.is_running(host)) {
            check_own(host);
            check_copies(host);
        }
    }
    // One box a second, in turn: it shows all it holds, which takes its time. A phantom stays, as
    // all records do, and whoever sees it come and go tells so by events.
    const Host host =
        static_cast<Host>(world_.elapsed() / std::chrono::seconds(1)) % world_.hosts();
    if (world_.is_running(host)) {
        check_nodes(host);
        if (!world_.is_paused(host)) {
            store_.look(host);
        }
    }
    world_.after(std::chrono::seconds(1), [this] { look(); });
}

void Checkers::on_violation(std::string what) {
    if (violations_.size() < kViolationsMax) {
        violations_.push_back(print_time(world_.elapsed()) + std::move(what));
    }
}

std::string Checkers::report() const {
    std::string text;
    for (const std::string& violation : violations_) {
        text += violation + "\n";
    }
    return text;
}

void Checkers::on_start(Host host) {
    ever_started_.insert(world_.id(host));
    told_[host] = {};
    told_[host].state = world_.config(host).initial_state;
    said_goodbye_[host] = false;
    store_.on_start(host);
    mesh_.on_start(host);
}

void Checkers::on_stop(Host host) {
    store_.on_stop(host);
    mesh_.on_stop(host);
}

void Checkers::on_persist(Host host, const Persist& persist) {
    store_.on_persist(host, persist);
}

void Checkers::on_stored(Host host, const Persist& persist) {
    store_.on_stored(host, persist);
}

void Checkers::on_disk_changed(Host host, const DiskImage& image) {
    store_.on_disk_changed(host, image);
}

void Checkers::on_transmit(Host host, const Transmit& transmit) {
    if (transmit.bytes.empty() || transmit.bytes.size() > world_.config(host).datagram_bytes) {
        on_violation(world_.id(host).text() + " sends a datagram of " +
                     std::to_string(transmit.bytes.size()) + " bytes");
    }
}

void Checkers::on_command(Host host, RequestId request, const Command& command) {
    store_.on_command(host, request, command);
    mesh_.on_command(host, command);
    const auto* raise = std::get_if<RaiseAlert>(&command);
    if (raise == nullptr) {
        return;
    }
    raised_.insert_or_assign(raise->alert,
                             Raised{host, world_.starts(host), world_.time(), raise->ttl_ms});
    unanswered_[{host, world_.starts(host), request}] = raise->alert;
    last_raised_ = raise->alert;
    told_of_last_.clear();
}

void Checkers::on_output(Host host, const Output& output) {
    store_.on_output(host, output);
    mesh_.on_output(host, output);
    Told& told = told_[host];
    if (const auto* alert = std::get_if<AlertEvent>(&output)) {
        check_alert(host, alert->alert);
    } else if (const auto* raised = std::get_if<AlertRaised>(&output)) {
        const auto asked = unanswered_.find({host, world_.starts(host), raised->request});
        if (asked != unanswered_.end()) {
            if (raised->is_repeated) {
                raised_.erase(asked->second);
            }
            unanswered_.erase(asked);
        }
    } else if (const auto* node = std::get_if<NodeEvent>(&output)) {
        ++told.nodes[{node->kind, node->node}];
        if (!node->node.empty()) {
            check_known(host, node->node);
        }
    } else if (const auto* updated = std::get_if<StateUpdated>(&output)) {
        told.state = updated->state.document;
    } else if (std::holds_alternative<HasLeft>(output)) {
        said_goodbye_[host] = true;
    } else if (std::holds_alternative<Discovered>(output)) {
        said_goodbye_[host] = false;
    }
}

void Checkers::check_alert(Host host, const AlertView& alert) {
    const std::string who = world_.id(host).text() + " tells alert " + alert.id;
    Told& told = told_[host];
    const auto raised = raised_.find(alert.alert);
    if (raised == raised_.end()) {
        on_violation(who + ", which nobody raised");
        return;
    }
    if (!told.alerts.emplace(alert.id, alert.alert).second ||
        !told.documents.insert(alert.alert).second) {
        on_violation(who + " twice");
    }
    if (alert.source != world_.id(raised->second.host)) {
        on_violation(who + " as raised by " + alert.source.text());
    }
    const std::set<std::string> distinct(alert.path.begin(), alert.path.end());
    if (distinct.size() != alert.path.size()) {
        on_violation(who + " along a loop");
    }
    if (alert.path.empty() || !may_begin(alert, raised->second.when) ||
        alert.path.back() != world_.id(host).text() || alert.hops != alert.path.size() - 1) {
        std::string path;
        for (const std::string& node : alert.path) {
            path += node + " ";
        }
        on_violation(who + " with path " + path + "and hops " + std::to_string(alert.hops));
    }
    if (alert.alert == last_raised_) {
        told_of_last_.emplace(host, world_.time());
    }
}

/// A path begins with the author, or with a box that has the alert from its disk, which does not
/// keep paths. "#…" is a box not known by name yet.
bool Checkers::may_begin(const AlertView& alert, TimePoint raised) const {
    if (alert.path.front() == alert.source.text() || alert.path.front().front() == '#') {
        return true;
    }
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.id(host).text() == alert.path.front()) {
            return world_.started_at(host) >= raised;
        }
    }
    return false;
}

void Checkers::check_nodes(Host host) {
    for (const NodeView& view : world_.node(host).nodes(world_.now(host))) {
        check_known(host, view.node_id);
    }
}

void Checkers::check_known(Host host, const NodeId& node) {
    if (!ever_started_.contains(node)) {
        on_violation(world_.id(host).text() + " sees phantom node " + node.text());
    }
}

void Checkers::check_own(Host host) {
    const Node& node = world_.node(host);
    const Now now = world_.now(host);
    const auto own = node.state(now, node.id());
    if (!own || own->document != told_[host].state) {
        on_violation(world_.id(host).text() + " has another own state than it was given: " +
                     (own ? own->document.substr(0, 80) : "none"));
    }
    if (node.peers(now).size() > world_.config(host).bridges_max) {
        on_violation(world_.id(host).text() + " has too many links");
    }
}

void Checkers::check_copies(Host host) {
    const Counters& counters = world_.node(host).counters();
    const std::uint64_t links =
        std::max<std::uint64_t>(world_.hosts(), world_.config(host).max_peers);
    const std::uint64_t copies = counters[Counter::alert_copies_received];
    if (copies > raised_.size() * links * kCopiesPerLinkMax) {
        on_violation(world_.id(host).text() + " got " + std::to_string(copies) + " copies of " +
                     std::to_string(raised_.size()) + " alerts");
    }
}

std::size_t Checkers::events(Host host, NodeEventKind kind, const NodeId& subject) const {
    const auto& nodes = told_[host].nodes;
    const auto found = nodes.find({kind, subject});
    return found == nodes.end() ? 0 : found->second;
}

std::size_t Checkers::alerts_told(Host host) const {
    return told_[host].alerts.size();
}

std::string Checkers::settle(Duration limit, Duration step) {
    std::string last;
    world_.run_until([&] { return (last = difference()).empty(); }, limit, step);
    return last;
}

}  // namespace meshd::sim
