// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proto/base/endpoint.h"

namespace meshd {

/// A host name and a port whose addresses are asked of DNS.
struct BootstrapHost {
    std::string name;
    std::uint16_t port = 0;

    friend auto operator<=>(const BootstrapHost&, const BootstrapHost&) = default;
};

/// "10.7.0.1", "gate.example:9998", a missing port being `default_port`. Fails on IPv6, on what is
/// no host name (RFC 1123, and the underscore that home networks use), and on numbers that only
/// look like an address.
std::optional<std::variant<Endpoint, BootstrapHost>> parse_bootstrap(std::string_view text,
                                                                     std::uint16_t default_port);

}  // namespace meshd
