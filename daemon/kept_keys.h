// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "proto/crypto/keyring.h"

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

/// The mesh keys of this node as its driver keeps them.
struct KeptKeys {
    Keyring ring;
    /// Of each key in the ring.
    std::map<KeyId, KeyOrigin> origins;

    /// The same with `next` as its ring: keys that are new come from `origin`.
    KeptKeys with(Keyring next, KeyOrigin origin) const {
        KeptKeys result;
        for (const MeshKey& key : next.keys) {
            const KeyId id = key_id(key);
            const auto known = origins.find(id);
            result.origins[id] = known == origins.end() ? origin : known->second;
        }
        result.ring = std::move(next);
        return result;
    }
    friend bool operator==(const KeptKeys&, const KeptKeys&) = default;
};

}  // namespace meshd
