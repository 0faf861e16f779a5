// SPDX-License-Identifier: Apache-2.0
#include "proto/crypto/keyring.h"

#include <algorithm>

namespace meshd {

const MeshKey* Keyring::find(KeyId id) const {
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [id](const MeshKey& key) { return key_id(key) == id; });
    return found == keys.end() ? nullptr : &*found;
}

const MeshKey* Keyring::find_hint(std::uint16_t hint) const {
    const auto found = std::find_if(keys.begin(), keys.end(), [hint](const MeshKey& key) {
        return key_hint(key_id(key)) == hint;
    });
    return found == keys.end() ? nullptr : &*found;
}

const MeshKey* Keyring::active_key() const {
    return find(active);
}

std::uint32_t Keyring::newest_generation() const {
    return keys.empty() ? 0 : keys.back().generation;
}

tl::expected<bool, std::string> Keyring::add(const MeshKey& key) {
    const KeyId id = key_id(key);
    if (const MeshKey* held = find(id)) {
        if (held->generation != key.generation) {
            return tl::unexpected("the key " + print_key_id(id) +
                                  " is held already, with another generation");
        }
        return false;
    }
    for (const MeshKey& held : keys) {
        if (lineage_of(held.generation) != lineage_of(key.generation)) {
            return tl::unexpected("the key " + print_key_id(id) + " belongs to another mesh than " +
                                  print_key_id(key_id(held)));
        }
        if (held.generation == key.generation) {
            return tl::unexpected("the key " + print_key_id(key_id(held)) +
                                  " is of the same generation: " + print_key_id(id) +
                                  " belongs to another mesh");
        }
        // One in 65 536 pairs: better another draw than two keys to try for every datagram.
        if (key_hint(key_id(held)) == key_hint(id)) {
            return tl::unexpected("the keys " + print_key_id(id) + " and " +
                                  print_key_id(key_id(held)) +
                                  " cannot be told apart on the wire: make another one");
        }
    }
    if (keys.size() == kKeysMax) {
        return tl::unexpected("the keyring is full (" + std::to_string(kKeysMax) +
                              " keys): remove an old one first");
    }
    const auto place = std::find_if(keys.begin(), keys.end(), [&key](const MeshKey& held) {
        return held.generation > key.generation;
    });
    keys.insert(place, key);
    if (!active) {
        active = id;
    }
    return true;
}

bool Keyring::remove(KeyId id) {
    if (id == active) {
        return false;
    }
    return std::erase_if(keys, [id](const MeshKey& key) { return key_id(key) == id; }) > 0;
}

bool Keyring::activate(KeyId id) {
    if (find(id) == nullptr) {
        return false;
    }
    active = id;
    return true;
}

}  // namespace meshd
