// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the search is measured against: loops that anybody would write, built by -O3
/// -march=native for the machine they run on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace meshd::bench {

enum class SumOrder {
    Sequential,   ///< as the language asks: one product after the other
    OneRegister,  ///< eight sums, as an index built for AVX2 by hand does it
    Any,          ///< whatever -ffast-math makes of it: as fast as memory gives the values
};

/// The k rows of a matrix of floats with the greatest dot products, best first.
std::vector<std::pair<float, std::size_t>> plain_nearest(SumOrder order,
                                                         const std::vector<float>& matrix,
                                                         const std::vector<float>& query,
                                                         std::size_t k);

/// Reads all bytes once; `prefetch_bytes` ahead, where it is not 0. The result means nothing.
std::uint64_t read_all(const std::int8_t* bytes, std::size_t size, std::size_t prefetch_bytes);

}  // namespace meshd::bench
