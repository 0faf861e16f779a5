// SPDX-License-Identifier: Apache-2.0
/// \file
/// The mesh keys that a node accepts, and the one it seals with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "proto/crypto/mesh_key.h"

namespace meshd {

/// A value: the driver stores it, the core seals and opens by it. All its keys belong to one mesh,
/// of which each generation has one key; several are held only while keys rotate.
/// Invariant: `keys` sorted by generation; hints and generations differ; `active` names one of
/// them, or nothing where there is none.
struct Keyring {
    /// A rotation needs two; two more for those begun before the last one's key was removed.
    static constexpr std::size_t kKeysMax = 4;

    std::vector<MeshKey> keys;
    /// The key that new links and beacons are sealed with; every other one only opens.
    KeyId active;

    friend bool operator==(const Keyring&, const Keyring&) = default;

    bool empty() const { return keys.empty(); }
    /// nullptr where it is not held.
    const MeshKey* find(KeyId id) const;
    /// The only key with that hint; nullptr where none is held, and for hint 0.
    const MeshKey* find_hint(std::uint16_t hint) const;
    /// nullptr in an empty ring.
    const MeshKey* active_key() const;
    /// The highest generation held; 0 in an empty ring.
    std::uint32_t newest_generation() const;

    /// Takes a key in; the first one becomes active. True where it is new, false where it was held
    /// already. Refused, with the reason: a ring that is full, a hint that another key has, another
    /// lineage (a key of another mesh), and a generation that another key has.
    tl::expected<bool, std::string> add(const MeshKey& key);
    /// Drops a key. False where it is not held, or is the active one.
    bool remove(KeyId id);
    /// Seals with that key from now on. False where it is not held.
    bool activate(KeyId id);
};

}  // namespace meshd
