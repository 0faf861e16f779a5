// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace meshd {

/// With whom a node speaks. Local configuration, never taken from the mesh.
enum class SecurityMode : std::uint8_t {
    Sealed,  ///< with nodes that hold the mesh key; without a key with nobody
    Mixed,   ///< with both, sealed where the other can: while an open mesh moves to a key
    Open,    ///< with whoever reaches the port
};

/// "sealed", "mixed", "open".
constexpr std::string_view security_mode_name(SecurityMode mode) {
    switch (mode) {
        case SecurityMode::Sealed:
            return "sealed";
        case SecurityMode::Mixed:
            return "mixed";
        case SecurityMode::Open:
            return "open";
    }
    return {};
}

constexpr std::optional<SecurityMode> parse_security_mode(std::string_view name) {
    for (const SecurityMode mode :
         {SecurityMode::Sealed, SecurityMode::Mixed, SecurityMode::Open}) {
        if (name == security_mode_name(mode)) {
            return mode;
        }
    }
    return std::nullopt;
}

}  // namespace meshd
