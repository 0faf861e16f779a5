// SPDX-License-Identifier: Apache-2.0
#include "proto/store/embedding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "proto/wire/limits.h"

namespace meshd {
namespace {

// binary64: 52 bits of mantissa, exponent biased by 1023; binary16: 10 bits, biased by 15.
constexpr int kDoubleMantissaBits = 52;
constexpr int kDoubleBias = 1023;
constexpr int kDoubleExponentMask = 0x7ff;
constexpr std::uint64_t kDoubleMantissaMask = (std::uint64_t{1} << kDoubleMantissaBits) - 1;
constexpr int kHalfMantissaBits = 10;
constexpr int kHalfBias = 15;
constexpr std::uint16_t kHalfInfinity = 0x7c00;
constexpr std::uint16_t kHalfNan = 0x7e00;
constexpr std::uint16_t kHalfSign = 0x8000;
constexpr int kHalfExponentMin = 1 - kHalfBias;  // of a normal number
constexpr std::size_t kHalfBytes = 2;
/// Exponent bits in the byte with the sign.
constexpr std::uint8_t kExponentInHighByte = kHalfInfinity >> 8;

/// Each value of a canonical embedding is off by 2^-11 of itself at most, so the square of its
/// length by 2^-10 from 1; twice that, for those too small to be that exact.
constexpr double kSquareTolerance = 0x1p-9;

/// `bits` >> `shift`, to nearest, ties to even. 1 ≤ shift ≤ 63.
std::uint64_t shift_rounded(std::uint64_t bits, int shift) {
    const std::uint64_t result = bits >> shift;
    const std::uint64_t rest = bits & ((std::uint64_t{1} << shift) - 1);
    const std::uint64_t tie = std::uint64_t{1} << (shift - 1);
    const bool is_up = rest > tie || (rest == tie && (result & 1) != 0);
    return result + (is_up ? 1 : 0);
}

Buffer to_halves(std::span<const double> values, double largest, double length) {
    Buffer bytes;
    bytes.reserve(values.size() * kHalfBytes);
    for (const double value : values) {
        const std::uint16_t half = to_half(value / largest / length);
        bytes.push_back(static_cast<std::uint8_t>(half));
        bytes.push_back(static_cast<std::uint8_t>(half >> 8));
    }
    return bytes;
}

/// What was made an embedding before stays as it is: else an export that is imported again could
/// differ by the last bits.
bool is_canonical(std::span<const double> values) {
    double squares = 0;
    for (const double value : values) {
        if (from_half(to_half(value)) != value) {
            return false;
        }
        squares += value * value;
    }
    return std::abs(squares - 1) <= kSquareTolerance;
}

}  // namespace

std::uint16_t to_half(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 48 & kHalfSign);
    const int biased = static_cast<int>(bits >> kDoubleMantissaBits) & kDoubleExponentMask;
    const std::uint64_t mantissa = bits & kDoubleMantissaMask;
    if (biased == kDoubleExponentMask && mantissa != 0) {
        return static_cast<std::uint16_t>(sign | kHalfNan);
    }
    const int exponent = biased - kDoubleBias;
    if (exponent > kHalfBias) {
        return static_cast<std::uint16_t>(sign | kHalfInfinity);
    }
    constexpr int kShift = kDoubleMantissaBits - kHalfMantissaBits;
    std::uint64_t magnitude = 0;
    if (exponent >= kHalfExponentMin) {
        const auto half_exponent = static_cast<std::uint32_t>(exponent + kHalfBias);
        // A mantissa rounded up to 2 carries into the exponent, the largest one's into infinity.
        magnitude =
            (std::uint64_t{half_exponent} << kHalfMantissaBits) + shift_rounded(mantissa, kShift);
    } else if (exponent >= kHalfExponentMin - kHalfMantissaBits - 1) {
        const std::uint64_t whole = mantissa | std::uint64_t{1} << kDoubleMantissaBits;
        magnitude = shift_rounded(whole, kShift + kHalfExponentMin - exponent);
    }
    return static_cast<std::uint16_t>(sign | magnitude);
}

double from_half(std::uint16_t half) {
    const bool is_negative = (half & kHalfSign) != 0;
    const int biased = (half & kHalfInfinity) >> kHalfMantissaBits;
    const auto mantissa = static_cast<std::uint64_t>(half & ((1 << kHalfMantissaBits) - 1));
    if (biased == 0) {
        constexpr double kUnit = 0x1p-24;
        const double magnitude = static_cast<double>(mantissa) * kUnit;
        return is_negative ? -magnitude : magnitude;
    }
    constexpr int kBiasedMax = kHalfInfinity >> kHalfMantissaBits;  // infinity and NaN
    const int exponent =
        biased == kBiasedMax ? kDoubleExponentMask : biased - kHalfBias + kDoubleBias;
    return std::bit_cast<double>(static_cast<std::uint64_t>(is_negative) << 63 |
                                 static_cast<std::uint64_t>(exponent) << kDoubleMantissaBits |
                                 mantissa << (kDoubleMantissaBits - kHalfMantissaBits));
}

tl::expected<Buffer, std::string> make_embedding(std::span<const double> values) {
    if (values.empty()) {
        return tl::make_unexpected("has no values");
    }
    if (values.size() > limits::kDimensionMax) {
        return tl::make_unexpected("has more than " + std::to_string(limits::kDimensionMax) +
                                   " values");
    }
    double largest = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) {
            return tl::make_unexpected("value " + std::to_string(i) + " is not a finite number");
        }
        largest = std::max(largest, std::abs(values[i]));
    }
    if (largest == 0) {
        return tl::make_unexpected("all values are zero");
    }
    if (is_canonical(values)) {
        return to_halves(values, 1, 1);
    }
    // By the largest first: the square of a double may be beyond what a double holds.
    double squares = 0;
    for (const double value : values) {
        squares += (value / largest) * (value / largest);
    }
    return to_halves(values, largest, std::sqrt(squares));
}

std::vector<double> embedding_values(Bytes bytes) {
    std::vector<double> values;
    values.reserve(bytes.size() / kHalfBytes);
    for (std::size_t i = 0; i + 1 < bytes.size(); i += kHalfBytes) {
        values.push_back(from_half(static_cast<std::uint16_t>(bytes[i] | bytes[i + 1] << 8)));
    }
    return values;
}

bool is_finite_halves(Bytes bytes) {
    // Four at a time: one is added below an exponent, and carries into the sign's bit, which was
    // cleared, where all of its bits are set. No way out of the loop, so that nothing is predicted:
    // an honest array is read to its end.
    constexpr bool kIsLittle = std::endian::native == std::endian::little;
    constexpr std::uint64_t kExponents = kIsLittle ? 0x7c00'7c00'7c00'7c00 : 0x007c'007c'007c'007c;
    constexpr std::uint64_t kLowest = kIsLittle ? 0x0400'0400'0400'0400 : 0x0004'0004'0004'0004;
    constexpr std::uint64_t kSigns = kIsLittle ? 0x8000'8000'8000'8000 : 0x0080'0080'0080'0080;
    std::uint64_t carried = 0;
    std::size_t i = 0;
    for (; i + sizeof(std::uint64_t) <= bytes.size(); i += sizeof(std::uint64_t)) {
        std::uint64_t four = 0;
        std::memcpy(&four, bytes.data() + i, sizeof four);
        carried |= ((four & kExponents) + kLowest) & kSigns;
    }
    bool is_finite = carried == 0;
    for (i += 1; i < bytes.size(); i += kHalfBytes) {
        is_finite = is_finite && (bytes[i] & kExponentInHighByte) != kExponentInHighByte;
    }
    return is_finite;
}

}  // namespace meshd
