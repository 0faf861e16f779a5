// SPDX-License-Identifier: Apache-2.0
/// \file
/// The network interfaces to speak on, by their IPv4 address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace meshd {

/// Four bytes in network order.
using Ipv4 = std::array<std::uint8_t, 4>;

struct LocalInterface {
    std::string name;
    std::uint32_t index = 0;
    Ipv4 address{};
    Ipv4 netmask{};
    /// Absent on a point-to-point interface; 127.255.255.255 on loopback.
    std::optional<Ipv4> broadcast;
    bool is_loopback = false;
    bool is_up = false;  ///< up and running
    bool has_multicast = false;

    friend auto operator<=>(const LocalInterface&, const LocalInterface&) = default;
};

/// True where `address` lies in the interface's subnet.
bool is_in_subnet(const LocalInterface& interface, const Ipv4& address);

/// True for the exact name, or where `pattern` ends in '*' and the name starts with the rest.
bool matches_interface(std::string_view pattern, std::string_view name);

/// Those to use, one address each (the first), by index: up and running, and in `allowed`. Without
/// a list: all but loopback and the interfaces of containers, virtual machines and tunnels.
std::vector<LocalInterface> usable_interfaces(const std::vector<LocalInterface>& all,
                                              const std::vector<std::string>& allowed);

/// Every IPv4 address of this machine (getifaddrs).
tl::expected<std::vector<LocalInterface>, std::string> list_interfaces();

}  // namespace meshd
