// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/base/bytes.h"

namespace meshd::sim {

/// Running FNV-1a (64 bit) over what happened: two runs with equal traces were the same.
class Trace {
  public:
    void add(Bytes bytes) {
        for (const std::uint8_t byte : bytes) {
            hash_ = (hash_ ^ byte) * 1099511628211ULL;
        }
    }
    void add(std::uint64_t value) {
        std::uint8_t bytes[8];
        store_big_endian<8>(bytes, value);
        add(Bytes(bytes));
    }
    std::uint64_t hash() const { return hash_; }

  private:
    std::uint64_t hash_ = 14695981039346656037ULL;
};

}  // namespace meshd::sim
