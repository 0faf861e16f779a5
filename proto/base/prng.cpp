// SPDX-License-Identifier: Apache-2.0
#include "proto/base/prng.h"

#include <sodium/crypto_stream_chacha20.h>

#include "proto/base/assert.h"
#include "proto/base/bytes.h"

namespace meshd {

void Prng::fill(std::uint8_t* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
        if (used_ == pool_.size()) {
            std::uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
            store_big_endian<8>(nonce, block_++);
            crypto_stream_chacha20(pool_.data(), pool_.size(), nonce, key_.data());
            used_ = 0;
        }
        bytes[i] = pool_[used_++];
    }
}

std::uint64_t Prng::next() {
    std::uint8_t bytes[8];
    fill(bytes, sizeof bytes);
    return load_big_endian<8>(bytes);
}

std::uint64_t Prng::below(std::uint64_t bound) {
    MESHD_ASSERT(bound > 0);
    // Rejects the tail that would make low values more likely.
    const std::uint64_t limit = bound * (UINT64_MAX / bound);
    std::uint64_t value = next();
    while (value >= limit) {
        value = next();
    }
    return value % bound;
}

double Prng::unit() {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

Duration Prng::between(Duration low, Duration high) {
    MESHD_ASSERT(low <= high);
    return low + Duration(static_cast<Duration::rep>(
                     below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

}  // namespace meshd
