// SPDX-License-Identifier: Apache-2.0
/// \file
/// The key of a sealed mesh: one secret that all its nodes share, and the text by which people
/// carry it from box to box.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "proto/base/ids.h"
#include "proto/base/prng.h"

namespace meshd {

/// Names a mesh key without telling anything about its secret; its low 16 bits are never all zero.
/// 0 = none: an open mesh.
using KeyId = Id<struct MeshKeyTag, std::uint32_t>;

/// The shared secret of a sealed mesh. Nothing is ever sealed by `secret` itself: what seals is
/// derived from it (outside_key, psk_of in seal.h).
struct MeshKey {
    std::array<std::uint8_t, 32> secret{};
    /// High 16 bits: the lineage, drawn with the first key of a mesh, so that keys of two meshes
    /// are told apart whatever their rotations. Low 16 bits: 1 for that key, one more with each
    /// rotation.
    std::uint32_t generation = 1;

    friend bool operator==(const MeshKey&, const MeshKey&) = default;
};

inline constexpr std::uint32_t kRotationMax = 0xffff;
constexpr std::uint32_t lineage_of(std::uint32_t generation) {
    return generation >> 16;
}
/// What is shown to people as the generation.
constexpr std::uint32_t rotation_of(std::uint32_t generation) {
    return generation & kRotationMax;
}

/// A key nobody has yet. `generation` > 0.
MeshKey make_mesh_key(Prng& prng, std::uint32_t generation);
/// The first key of a lineage of its own.
MeshKey make_first_key(Prng& prng);

/// Derived from the secret by keyed BLAKE2b: the same on every node, of no use for finding the
/// secret.
KeyId key_id(const MeshKey& key);

/// What a datagram outside any session says of the key it is sealed with; 0 = not sealed. Keys of
/// two meshes may share a hint, those in one keyring never do.
constexpr std::uint16_t key_hint(KeyId id) {
    return static_cast<std::uint16_t>(id.value);
}

/// A KeyId as 8 lower-case hex digits.
std::string print_key_id(KeyId id);
/// The reverse of print_key_id. Fails on anything but 8 lower-case hex digits, and on "none".
std::optional<KeyId> parse_key_id(std::string_view text);

/// The key as people carry it: `mesh1-` and 64 characters in groups of five, which hold generation,
/// secret and a checksum (proto/PROTOCOL.md). Whoever reads it is a member: print it to nobody but
/// the operator who asked.
std::string print_key_token(const MeshKey& key);
/// The reverse of print_key_token; case, blanks, line ends and dashes do not matter, and o, i, l
/// are read as 0, 1, 1. The error says what is wrong, never what was given.
tl::expected<MeshKey, std::string> parse_key_token(std::string_view text);

}  // namespace meshd
