// SPDX-License-Identifier: Apache-2.0
#include "daemon/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace meshd {
namespace {

/// Bridges and taps of containers and virtual machines reach no other box; what a tunnel reaches is
/// the operator's to decide.
constexpr std::array<std::string_view, 6> kNotByDefault = {"docker*", "veth*", "virbr*",
                                                           "br-*",    "tun*",  "tap*"};

/// 169.254.0.0/16 (RFC 3927).
bool is_link_local(const Ipv4& address) {
    return address[0] == 169 && address[1] == 254;
}

std::optional<Ipv4> ipv4_of(const sockaddr* address) {
    if (address == nullptr || address->sa_family != AF_INET) {
        return std::nullopt;
    }
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    Ipv4 bytes{};
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return bytes;
}

}  // namespace

bool is_in_subnet(const LocalInterface& interface, const Ipv4& address) {
    for (std::size_t i = 0; i < address.size(); ++i) {
        if (((interface.address[i] ^ address[i]) & interface.netmask[i]) != 0) {
            return false;
        }
    }
    return true;
}

bool matches_interface(std::string_view pattern, std::string_view name) {
    if (pattern.ends_with('*')) {
        return name.starts_with(pattern.substr(0, pattern.size() - 1));
    }
    return name == pattern;
}

std::vector<LocalInterface> usable_interfaces(const std::vector<LocalInterface>& all,
                                              const std::vector<std::string>& allowed) {
    std::vector<LocalInterface> usable;
    for (const LocalInterface& interface : all) {
        const auto matches = [&](std::string_view pattern) {
            return matches_interface(pattern, interface.name);
        };
        const bool is_allowed =
            allowed.empty() ? !interface.is_loopback &&
                                  std::none_of(kNotByDefault.begin(), kNotByDefault.end(), matches)
                            : std::any_of(allowed.begin(), allowed.end(), matches);
        if (!interface.is_up || !is_allowed) {
            continue;
        }
        const auto known = std::find_if(
            usable.begin(), usable.end(),
            [&](const LocalInterface& other) { return other.index == interface.index; });
        if (known == usable.end()) {
            usable.push_back(interface);
        } else if (is_link_local(known->address) && !is_link_local(interface.address)) {
            // The kernel lists the narrower scope first: a link-local address that appears beside
            // the one in use would take its place, and with it every session.
            *known = interface;
        }
    }
    std::sort(usable.begin(), usable.end(),
              [](const LocalInterface& a, const LocalInterface& b) { return a.index < b.index; });
    return usable;
}

tl::expected<std::vector<LocalInterface>, std::string> list_interfaces() {
    ifaddrs* head = nullptr;
    if (getifaddrs(&head) != 0) {
        return tl::unexpected(std::string("cannot list network interfaces: ") +
                              std::strerror(errno));
    }
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(head, &freeifaddrs);
    std::vector<LocalInterface> all;
    for (const ifaddrs* entry = head; entry != nullptr; entry = entry->ifa_next) {
        const auto address = ipv4_of(entry->ifa_addr);
        const auto netmask = ipv4_of(entry->ifa_netmask);
        if (!address || !netmask) {
            continue;
        }
        LocalInterface interface;
        interface.name = entry->ifa_name;
        // An alias label ("eth0:1") is an address of its interface.
        interface.name.resize(std::min(interface.name.find(':'), interface.name.size()));
        interface.index = if_nametoindex(interface.name.c_str());
        interface.address = *address;
        interface.netmask = *netmask;
        interface.is_loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
        interface.is_up = (entry->ifa_flags & IFF_UP) != 0 && (entry->ifa_flags & IFF_RUNNING) != 0;
        // Loopback lacks IFF_MULTICAST; its broadcast address serves.
        interface.has_multicast = (entry->ifa_flags & IFF_MULTICAST) != 0 && !interface.is_loopback;
        const bool has_broadcast = (entry->ifa_flags & IFF_BROADCAST) != 0 && (*netmask)[3] != 0xff;
        if (has_broadcast || interface.is_loopback) {
            Ipv4 broadcast{};
            for (std::size_t i = 0; i < broadcast.size(); ++i) {
                broadcast[i] = static_cast<std::uint8_t>((*address)[i] | ~(*netmask)[i]);
            }
            interface.broadcast = broadcast;
        }
        if (interface.index != 0) {
            all.push_back(std::move(interface));
        }
    }
    return all;
}

}  // namespace meshd
