// SPDX-License-Identifier: Apache-2.0
/// \file
/// Sealing of datagrams: authenticated encryption by a session's keys, and by the mesh key for what
/// is sent outside any session. All of it is libsodium's; here stands which key and which nonce.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proto/base/bytes.h"
#include "proto/base/prng.h"
#include "proto/crypto/mesh_key.h"

namespace meshd {

inline constexpr std::size_t kSealTagBytes = 16;
inline constexpr std::size_t kOutsideNonceBytes = 24;

using SealTag = std::array<std::uint8_t, kSealTagBytes>;
using OutsideNonce = std::array<std::uint8_t, kOutsideNonceBytes>;

/// A key of ChaCha20-Poly1305. It is wiped where it ends.
struct SealKey {
    std::array<std::uint8_t, 32> bytes{};

    SealKey() = default;
    explicit SealKey(const std::array<std::uint8_t, 32>& key) : bytes(key) {}
    SealKey(const SealKey&) = default;
    SealKey& operator=(const SealKey&) = default;
    ~SealKey() { wipe(); }

    friend bool operator==(const SealKey&, const SealKey&) = default;
    void wipe();
};

/// What both ends of a handshake must know beforehand.
using Psk = std::array<std::uint8_t, 32>;

/// Seals what is sent outside any session (beacons, handshakes). Derived from the mesh key by
/// keyed BLAKE2b, so that it tells nothing about psk_of() of the same key.
SealKey outside_key(const MeshKey& key);
/// The pre-shared key of the Noise handshake; derived likewise.
Psk psk_of(const MeshKey& key);

/// Seals `text` in place (ChaCha20-Poly1305, RFC 8439; nonce = four zero bytes and `counter`,
/// little-endian, as Noise has it). `associated` is authenticated, not hidden. A counter is never
/// used twice with one key. `text` may be empty.
void seal_session(const SealKey& key, std::uint64_t counter, Bytes associated,
                  std::span<std::uint8_t> text, std::span<std::uint8_t, kSealTagBytes> tag);
/// Opens `sealed` into `text`, which has the same size and is the same place or another one
/// altogether. False, with nothing written that is of use, where any bit differs.
[[nodiscard]] bool open_session(const SealKey& key, std::uint64_t counter, Bytes associated,
                                Bytes sealed, std::span<const std::uint8_t, kSealTagBytes> tag,
                                std::uint8_t* text);

/// 24 random bytes: many senders may draw them for one key for ever.
OutsideNonce make_outside_nonce(Prng& prng);
/// As seal_session, by XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).
void seal_outside(const SealKey& key, const OutsideNonce& nonce, Bytes associated,
                  std::span<std::uint8_t> text, std::span<std::uint8_t, kSealTagBytes> tag);
/// As open_session, by XChaCha20-Poly1305.
[[nodiscard]] bool open_outside(const SealKey& key, const OutsideNonce& nonce, Bytes associated,
                                Bytes sealed, std::span<const std::uint8_t, kSealTagBytes> tag,
                                std::uint8_t* text);

}  // namespace meshd
