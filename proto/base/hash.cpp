// SPDX-License-Identifier: Apache-2.0
#include "proto/base/hash.h"

#include <sodium/crypto_generichash_blake2b.h>

namespace meshd {

std::uint64_t hash64(Bytes bytes) {
    std::uint8_t digest[32];
    crypto_generichash_blake2b(digest, sizeof digest, bytes.data(), bytes.size(), nullptr, 0);
    return load_big_endian<8>(digest);
}

Hash128 hash128(Bytes bytes, Bytes key) {
    Hash128 digest;
    crypto_generichash_blake2b(digest.data(), digest.size(), bytes.data(), bytes.size(),
                               key.empty() ? nullptr : key.data(), key.size());
    return digest;
}

}  // namespace meshd
