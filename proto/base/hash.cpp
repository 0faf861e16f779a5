// SPDX-License-Identifier: Apache-2.0
#include "proto/base/hash.h"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_shorthash_siphash24.h>

namespace meshd {

std::uint64_t hash64(Bytes bytes) {
    std::uint8_t digest[32];
    crypto_generichash_blake2b(digest, sizeof digest, bytes.data(), bytes.size(), nullptr, 0);
    return load_big_endian<8>(digest);
}

std::uint64_t checksum64(Bytes bytes) {
    return keyed_checksum64(bytes, 0);
}

std::uint64_t keyed_checksum64(Bytes bytes, std::uint64_t key) {
    std::uint8_t whole_key[crypto_shorthash_siphash24_KEYBYTES] = {};
    store_big_endian<8>(whole_key, key);
    std::uint8_t digest[crypto_shorthash_siphash24_BYTES];
    crypto_shorthash_siphash24(digest, bytes.data(), bytes.size(), whole_key);
    std::uint64_t number = 0;  // the paper's: its bytes are little-endian
    for (std::size_t i = sizeof digest; i > 0; --i) {
        number = number << 8 | digest[i - 1];
    }
    return number;
}

Hash128 hash128(Bytes bytes, Bytes key) {
    Hash128 digest;
    crypto_generichash_blake2b(digest.data(), digest.size(), bytes.data(), bytes.size(),
                               key.empty() ? nullptr : key.data(), key.size());
    return digest;
}

}  // namespace meshd
