// SPDX-License-Identifier: Apache-2.0
/// \file
/// The score: cosine over stored fp16 values, in double, in one fixed order of operations and
/// without fused ones, so that it has the same bits on every machine. It is what brute force
/// compares, and what candidates are ranked by.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "proto/base/bytes.h"

namespace meshd {

/// Exact value of a finite fp16 (IEEE 754 binary16), by arithmetic alone, so that loops over it
/// vectorise without a conversion instruction.
inline float half_to_float(std::uint16_t half) {
    constexpr std::uint32_t kMagnitude = 0x7fff;
    constexpr std::uint32_t kFirstNormal = 0x0400;
    // Mantissa of 10 to one of 23 bits, exponent biased by 15 to one by 127.
    constexpr std::uint32_t kBiasDifference = (127 - 15) << 23;
    const std::uint32_t magnitude = half & kMagnitude;
    const std::uint32_t normal = (magnitude << 13) + kBiasDifference;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(
        static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
    const std::uint32_t sign = static_cast<std::uint32_t>(half & ~kMagnitude) << 16;
    return std::bit_cast<float>((magnitude < kFirstNormal ? subnormal : normal) | sign);
}

/// Values of an fp16 array, little-endian, at any alignment. `to` has half as many as `halves` has
/// bytes.
void halves_to_floats(Bytes halves, float* to);

/// query / |query|. Empty where a value is not finite, or all are zero.
std::vector<double> normalised(std::span<const float> query);

/// Dot product of a normalised query and an array, by the length of the array; 0 where the array is
/// all zeros. `halves`: as many finite values as the query has, little-endian.
double cosine(std::span<const double> query, Bytes halves);
/// The same of values that were read before.
double cosine(std::span<const double> query, std::span<const float> values);

}  // namespace meshd
