// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

#include <algorithm>

namespace meshd::sim {

namespace {

constexpr std::uint16_t kPort = 9999;
/// Interfaces of a segment that differ in the last byte of their address only.
constexpr std::size_t kPlacesPerByte = 250;
constexpr Duration kDuplicateDelayMax = std::chrono::milliseconds(10);
constexpr Duration kReorderDelayMax = std::chrono::milliseconds(20);

bool chance(double probability, Prng& prng) {
    return probability > 0 && prng.unit() < probability;
}

}  // namespace

Host Network::add_host() {
    hosts_.emplace_back();
    deaf_.emplace_back();
    last_arrival_.emplace_back();
    return hosts_.size() - 1;
}

void Network::attach(Host host, Segment segment) {
    hosts_[host].emplace_back();
    place(host, hosts_[host].size() - 1, segment);
}

void Network::place(Host host, std::size_t interface, Segment segment) {
    if (segments_.size() <= segment) {
        segments_.resize(segment + 1);
    }
    auto& members = segments_[segment].members;
    const std::size_t place = members.size() + 1;
    Interface& placed = hosts_[host][interface];
    placed.segment = segment;
    placed.endpoint = ipv4_endpoint({10, static_cast<std::uint8_t>(segment + 1),
                                     static_cast<std::uint8_t>(place / kPlacesPerByte),
                                     static_cast<std::uint8_t>(place % kPlacesPerByte + 1)},
                                    kPort, static_cast<std::uint32_t>(interface + 1));
    members.push_back({host, interface});
}

void Network::readdress(Host host, std::size_t interface, Segment segment) {
    for (Member& member : segments_[hosts_[host][interface].segment].members) {
        if (member.host == host && member.interface == interface) {
            member.is_gone = true;
        }
    }
    place(host, interface, segment);
}

void Network::set_carrier(Host host, std::size_t interface, bool has_carrier) {
    hosts_[host][interface].has_carrier = has_carrier;
}

void Network::repair() {
    for (std::vector<Interface>& interfaces : hosts_) {
        for (Interface& interface : interfaces) {
            interface.has_carrier = true;
        }
    }
    for (Broadcast& segment : segments_) {
        segment.is_up = true;
    }
}

bool Network::is_at(const Member& member) const {
    return !member.is_gone && hosts_[member.host][member.interface].has_carrier;
}

/// By the place that place() wrote into the address.
const Network::Member* Network::find(Segment segment, const Endpoint& address) const {
    const std::size_t place =
        address.address[14] * kPlacesPerByte + address.address[15] - std::size_t{1};
    const std::vector<Member>& members = segments_[segment].members;
    if (place == 0 || place > members.size() || !is_at(members[place - 1])) {
        return nullptr;
    }
    const Member& member = members[place - 1];
    const Interface& interface = hosts_[member.host][member.interface];
    return interface.endpoint.same_address(address) ? &member : nullptr;
}

std::vector<Endpoint> Network::addresses(Host host) const {
    std::vector<Endpoint> addresses;
    for (const Interface& interface : hosts_[host]) {
        if (interface.has_carrier) {
            addresses.push_back(interface.endpoint);
        }
    }
    return addresses;
}

void Network::make_deaf(Host a, Host b) {
    for (const auto& [one, other] : {Pair(a, b), Pair(b, a)}) {
        deaf_[one].resize(std::max(deaf_[one].size(), other + 1));
        deaf_[one][other] = true;
    }
}

bool Network::share_segment(Host a, Host b) const {
    for (const Interface& mine : hosts_[a]) {
        for (const Interface& theirs : hosts_[b]) {
            if (mine.segment == theirs.segment && mine.has_carrier && theirs.has_carrier &&
                segments_[mine.segment].is_up) {
                return true;
            }
        }
    }
    return false;
}

LinkSettings& Network::link(Host from, Host to) {
    return links_.try_emplace({from, to}, defaults_).first->second;
}

void Network::calm_link(Host from, Host to) {
    if (const auto found = links_.find({from, to}); found != links_.end()) {
        const bool is_up = found->second.up;
        found->second = defaults_;
        found->second.up = is_up;
    }
}

const LinkSettings& Network::settings(Host from, Host to) const {
    if (links_.empty()) {
        return defaults_;
    }
    const auto found = links_.find({from, to});
    return found == links_.end() ? defaults_ : found->second;
}

void Network::set_up(Host a, Host b, bool up) {
    link(a, b).up = up;
    link(b, a).up = up;
}

void Network::partition(const std::vector<Host>& one, const std::vector<Host>& other) {
    for (const Host a : one) {
        for (const Host b : other) {
            set_up(a, b, false);
        }
    }
}

bool Network::is_connected(Host a, Host b) const {
    return share_segment(a, b) && !is_deaf(a, b) && settings(a, b).up && settings(b, a).up;
}

std::vector<Delivery> Network::send(Host from, const Transmit& transmit, TimePoint now,
                                    Prng& prng) {
    std::vector<Delivery> deliveries;
    ++figures_.sent;
    bool is_routed = false;
    for (const Interface& out : hosts_[from]) {
        const bool is_meant =
            transmit.to.interface == 0 || transmit.to.interface == out.endpoint.interface;
        if (!is_meant || !out.has_carrier || !segments_[out.segment].is_up) {
            continue;
        }
        if (transmit.is_beacon) {
            // Broadcast and multicast come back to their sender, as on a real interface.
            is_routed = true;
            for (const Member& to : segments_[out.segment].members) {
                if (is_at(to)) {
                    pass(from, out, to, transmit.bytes, now, prng, deliveries);
                }
            }
        } else if (const Member* to = find(out.segment, transmit.to)) {
            is_routed = true;
            pass(from, out, *to, transmit.bytes, now, prng, deliveries);
        }
    }
    figures_.unrouted += is_routed ? 0 : 1;
    return deliveries;
}

void Network::pass(Host from, const Interface& out, const Member& member, const Buffer& bytes,
                   TimePoint now, Prng& prng, std::vector<Delivery>& deliveries) {
    const Host to = member.host;
    const LinkSettings& link = settings(from, to);
    if (from != to && (is_deaf(from, to) || !link.up || chance(link.loss, prng))) {
        ++figures_.lost;
        return;
    }
    Delivery delivery{from, to, out.endpoint, {}, bytes};
    delivery.from.interface = hosts_[to][member.interface].endpoint.interface;
    if (from == to) {
        deliveries.push_back(std::move(delivery));
        return;
    }
    TimePoint arrival = now + link.delay + prng.between(Duration::zero(), link.jitter);
    if (last_arrival_[from].size() <= to) {
        last_arrival_[from].resize(to + 1);
    }
    TimePoint& last = last_arrival_[from][to];
    arrival = std::max(arrival, last);
    if (chance(link.reorder, prng)) {
        ++figures_.reordered;
        arrival += prng.between(Duration::zero(), kReorderDelayMax);
    } else {
        last = arrival;
    }
    delivery.after = arrival - now;
    if (chance(link.duplicate, prng)) {
        ++figures_.duplicated;
        Delivery copy = delivery;
        copy.after += prng.between(Duration::zero(), kDuplicateDelayMax);
        deliveries.push_back(std::move(copy));
    }
    deliveries.push_back(std::move(delivery));
}

}  // namespace meshd::sim
