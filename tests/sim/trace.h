// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/base/bytes.h"

namespace meshd::sim {

/// Running hash over what happened, as FNV-1a but of eight bytes at a time: two runs with equal
/// traces were the same.
class Trace {
  public:
    void add(Bytes bytes) {
        while (bytes.size() >= 8) {
            add(load_big_endian<8>(bytes.data()));
            bytes = bytes.subspan(8);
        }
        std::uint64_t rest = bytes.size();
        for (const std::uint8_t byte : bytes) {
            rest = rest << 8 | byte;
        }
        add(rest);
    }
    void add(std::uint64_t value) {
        hash_ = (hash_ ^ value) * 1099511628211ULL;
        // A multiplication carries differences upward only.
        hash_ ^= hash_ >> 32;
    }
    std::uint64_t hash() const { return hash_; }

  private:
    std::uint64_t hash_ = 14695981039346656037ULL;
};

}  // namespace meshd::sim
