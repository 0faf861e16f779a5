// SPDX-License-Identifier: Apache-2.0
/// \file
/// The core's only source of randomness: a ChaCha20 key stream over 32 bytes given at the start, so
/// that identifiers are unpredictable in the daemon and every run is repeatable in the simulator.
#pragma once

#include <array>
#include <cstdint>

#include "proto/base/time.h"

namespace meshd {

using Entropy = std::array<std::uint8_t, 32>;

class Prng {
  public:
    explicit Prng(const Entropy& entropy) : key_(entropy) {}

    std::uint64_t next();
    /// Uniform in [0, bound); bound > 0.
    std::uint64_t below(std::uint64_t bound);
    /// Uniform in [0, 1).
    double unit();
    /// Uniform in [low, high].
    Duration between(Duration low, Duration high);
    void fill(std::uint8_t* bytes, std::size_t size);

  private:
    Entropy key_;
    std::uint64_t block_ = 0;
    std::array<std::uint8_t, 512> pool_{};
    std::size_t used_ = sizeof pool_;
};

}  // namespace meshd
