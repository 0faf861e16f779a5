// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd {

/// A UDP address and the local interface it is reached by. The core compares and stores it, and
/// otherwise leaves its meaning to the driver.
struct Endpoint {
    /// IPv6, or IPv4 mapped as ::ffff:a.b.c.d.
    std::array<std::uint8_t, 16> address{};
    std::uint16_t port = 0;
    /// Kernel index of the local interface; 0 = the driver chooses.
    std::uint32_t interface = 0;

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;

    bool is_ipv4() const;
    /// True where both name the same address and port, whatever the interface.
    bool same_address(const Endpoint& other) const {
        return address == other.address && port == other.port;
    }
};

/// An IPv4 endpoint from its four bytes in network order.
Endpoint ipv4_endpoint(std::array<std::uint8_t, 4> address, std::uint16_t port,
                       std::uint32_t interface = 0);

/// "10.7.0.1:9999" or "[fd00::1]:9999"; the interface is not printed.
std::string print_endpoint(const Endpoint& endpoint);
/// The reverse, for literal addresses only. A missing port means `default_port`; with
/// `default_port` 0 it is an error.
std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port = 0);

}  // namespace meshd
