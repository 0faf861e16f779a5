// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace meshd {

/// How a mesh key came to this node.
enum class KeyOrigin : std::uint8_t {
    Created,   ///< drawn here
    Joined,    ///< given by an operator
    Received,  ///< from another node, over a sealed link
};

/// "created", "joined", "received".
constexpr std::string_view key_origin_name(KeyOrigin origin) {
    switch (origin) {
        case KeyOrigin::Created:
            return "created";
        case KeyOrigin::Joined:
            return "joined";
        case KeyOrigin::Received:
            return "received";
    }
    return {};
}

constexpr std::optional<KeyOrigin> parse_key_origin(std::string_view name) {
    for (const KeyOrigin origin : {KeyOrigin::Created, KeyOrigin::Joined, KeyOrigin::Received}) {
        if (name == key_origin_name(origin)) {
            return origin;
        }
    }
    return std::nullopt;
}

}  // namespace meshd
