// SPDX-License-Identifier: Apache-2.0
/// \file
/// BLAKE2b in the lengths that meshd uses (RFC 7693), and a quick checksum; libsodium's
/// implementations.
#pragma once

#include <array>
#include <cstdint>

#include "proto/base/bytes.h"

namespace meshd {

/// First 8 bytes of BLAKE2b-256 of `bytes`, as a big-endian integer.
std::uint64_t hash64(Bytes bytes);

/// SipHash-2-4 (Aumasson and Bernstein, 2012) of `bytes` under a key of zeros: 64 bits in a third
/// of the time, for what has to notice mistakes only. Whoever wants two strings of one checksum can
/// compute them.
std::uint64_t checksum64(Bytes bytes);

/// The same under a key that is not known outside: nobody can choose strings by what it gives.
std::uint64_t keyed_checksum64(Bytes bytes, std::uint64_t key);

using Hash128 = std::array<std::uint8_t, 16>;
/// BLAKE2b-128 of `bytes`; with `key` (16 to 64 bytes) the keyed hash.
Hash128 hash128(Bytes bytes, Bytes key = {});

}  // namespace meshd
