// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/survey.h"

#include <algorithm>
#include <deque>

#include "proto/wire/codec.h"
#include "proto/wire/frame.h"

namespace meshd::sim {

namespace {

/// A link that goes down so long after one end closed it did so for that: the word was lost.
constexpr Duration kClosedMax = std::chrono::seconds(10);
constexpr std::size_t kNever = SIZE_MAX;

Endpoint anywhere(Endpoint address) {
    address.interface = 0;
    return address;
}

}  // namespace

Survey::Survey(World& world)
    : world_(world),
      sees_(world.hosts(), std::vector<bool>(world.hosts())),
      seen_(world.hosts()),
      links_(world.hosts()),
      degree_peaks_(world.hosts()),
      gone_(world.hosts()) {
    for (Host host = 0; host < world.hosts(); ++host) {
        hosts_.emplace(world.id(host), host);
        for (const Endpoint& address : world.network().addresses(host)) {
            addresses_.emplace(anywhere(address), host);
        }
    }
    world_.observe(this);
}

Survey::~Survey() {
    static Observer silent;
    world_.observe(&silent);
}

void Survey::on_start(Host host) {
    ++running_;
    sees_[host].assign(world_.hosts(), false);
    seen_[host] = 0;
    links_[host].clear();
    gone_[host].clear();
}

void Survey::on_stop(Host host) {
    --running_;
    links_[host].clear();
    gone_[host].clear();
}

void Survey::on_transmit(Host host, const Transmit& transmit) {
    const auto datagram = open_datagram(transmit.bytes);
    if (!datagram) {
        return;
    }
    for (const Item& item : datagram->items) {
        ++sent_[static_cast<std::uint8_t>(item.kind)];
        if (item.kind == MessageKind::Close) {
            const auto message = decode_message(item.kind, item.bytes);
            const auto* close = message ? std::get_if<Close>(&*message) : nullptr;
            if (close != nullptr && close->reason <= CloseReason::Pruned) {
                note_close(host, transmit);
            }
        }
    }
}

void Survey::note_close(Host host, const Transmit& transmit) {
    const auto target = addresses_.find(anywhere(transmit.to));
    if (target != addresses_.end()) {
        closed_[{host, target->second}] = world_.time();
    }
}

void Survey::on_output(Host host, const Output& output) {
    if (const auto* node = std::get_if<NodeEvent>(&output)) {
        on_node(host, *node);
    } else if (const auto* link = std::get_if<LinkEvent>(&output)) {
        on_link(host, *link);
    } else if (const auto* told = std::get_if<AlertEvent>(&output)) {
        if (told->alert.source != world_.id(host)) {
            alerts_[told->alert.alert].emplace(host, world_.time());
        }
    }
}

void Survey::on_node(Host host, const NodeEvent& event) {
    const bool is_alive =
        event.kind == NodeEventKind::Joined || event.kind == NodeEventKind::Returned;
    const bool is_gone =
        event.kind == NodeEventKind::Left || event.kind == NodeEventKind::Restarting ||
        event.kind == NodeEventKind::Offline || event.kind == NodeEventKind::Unreachable;
    const auto found = hosts_.find(event.node);
    if ((!is_alive && !is_gone) || found == hosts_.end() || found->second == host) {
        return;
    }
    const Host subject = found->second;
    if (sees_[host][subject] != is_alive) {
        sees_[host][subject] = is_alive;
        seen_[host] += is_alive ? std::size_t{1} : SIZE_MAX;
    }
    if (is_gone) {
        if (world_.is_running(subject)) {
            ++false_offline_;
        } else {
            gone_[subject].emplace(host, world_.time());
        }
    }
}

void Survey::on_link(Host host, const LinkEvent& event) {
    const auto found = hosts_.find(event.peer);
    if (found == hosts_.end()) {
        return;
    }
    const Host peer = found->second;
    if (event.up) {
        links_[host].insert(peer);
        degree_peaks_[host] = std::max(degree_peaks_[host], links_[host].size());
        return;
    }
    links_[host].erase(peer);
    const auto is_recent = [&](Host from, Host to) {
        const auto closed = closed_.find({from, to});
        return closed != closed_.end() && world_.time() - closed->second <= kClosedMax;
    };
    if (world_.is_running(peer) && !is_recent(host, peer) && !is_recent(peer, host)) {
        ++false_link_down_;
    }
}

bool Survey::is_complete() const {
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (!world_.is_running(host)) {
            continue;
        }
        if (seen_[host] + 1 != running_) {
            return false;
        }
    }
    for (Host host = 0; host < world_.hosts(); ++host) {
        for (Host subject = 0; subject < world_.hosts(); ++subject) {
            if (world_.is_running(host) && host != subject &&
                sees_[host][subject] != world_.is_running(subject)) {
                return false;
            }
        }
    }
    return true;
}

bool Survey::is_known_gone(Host host) const {
    for (Host viewer = 0; viewer < world_.hosts(); ++viewer) {
        if (world_.is_running(viewer) && sees_[viewer][host]) {
            return false;
        }
    }
    return true;
}

bool Survey::have_same_links() const {
    const auto is_same = [](const LinkView& a, const LinkView& b) {
        return a.cost == b.cost && a.a == b.a && a.b == b.b;
    };
    std::optional<std::vector<LinkView>> first;
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (!world_.is_running(host)) {
            continue;
        }
        std::vector<LinkView> links = world_.node(host).links();
        if (!first) {
            first = std::move(links);
        } else if (!std::equal(first->begin(), first->end(), links.begin(), links.end(), is_same)) {
            return false;
        }
    }
    return true;
}

/// By each host over links that both ends hold; kNever where there is no way.
std::vector<std::size_t> Survey::hops_from(Host host) const {
    std::vector<std::size_t> hops(world_.hosts(), kNever);
    hops[host] = 0;
    std::deque<Host> frontier = {host};
    while (!frontier.empty()) {
        const Host at = frontier.front();
        frontier.pop_front();
        for (const Host next : links_[at]) {
            if (hops[next] == kNever && links_[next].contains(at)) {
                hops[next] = hops[at] + 1;
                frontier.push_back(next);
            }
        }
    }
    return hops;
}

bool Survey::is_connected() const {
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.is_running(host)) {
            const auto hops = hops_from(host);
            return static_cast<std::size_t>(std::count_if(hops.begin(), hops.end(), [](auto count) {
                       return count != kNever;
                   })) == running_;
        }
    }
    return true;
}

std::size_t Survey::diameter() const {
    std::size_t longest = 0;
    for (Host host = 0; host < world_.hosts(); ++host) {
        if (world_.is_running(host)) {
            for (const std::size_t hops : hops_from(host)) {
                longest = hops == kNever ? longest : std::max(longest, hops);
            }
        }
    }
    return longest;
}

std::uint64_t Survey::handshake_messages() const {
    return sent(MessageKind::Req) + sent(MessageKind::Acc) + sent(MessageKind::Conf) +
           sent(MessageKind::Close) + sent(MessageKind::Prune);
}

const std::map<Host, TimePoint>& Survey::told_alert(const std::string& document) const {
    static const std::map<Host, TimePoint> kNobody;
    const auto found = alerts_.find(document);
    return found == alerts_.end() ? kNobody : found->second;
}

}  // namespace meshd::sim
