// SPDX-License-Identifier: Apache-2.0
#include "proto/base/hash.h"

#include <doctest/doctest.h>

#include <cstdint>

using namespace meshd;

// Computed with Python's hashlib.blake2b, and with the reference code of SipHash.
TEST_CASE("hash: known answers") {
    CHECK(hash64({}) == 0x0e5751c026e543b2);
    CHECK(hash64(as_bytes("abc")) == 0xbddd813c63423972);
    CHECK(checksum64({}) == 0x1e924b9d737700d7);
    CHECK(checksum64(as_bytes("abc")) == 0x3fc884964770eede);
}

TEST_CASE("hash: a checksum tells any two texts apart that differ in one bit") {
    Buffer bytes(100);
    const std::uint64_t whole = checksum64(bytes);
    for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
        bytes[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
        CHECK(checksum64(bytes) != whole);
        bytes[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
    }
}
