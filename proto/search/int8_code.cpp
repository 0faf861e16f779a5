// SPDX-License-Identifier: Apache-2.0
#include "proto/search/int8_code.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace meshd {
namespace {

constexpr float kCodeMax = 127;
constexpr std::size_t kLanes = 8;
/// A float is off by 2^-24 of itself, sums in double by far less.
constexpr double kRoundUp = 1 + 0x1p-20;

float rounded_up(double length) {
    return static_cast<float>(length * kRoundUp);
}

/// Sum of term(0) to term(count - 1), in lanes, so that it vectorises.
template <class Term>
double sum(std::size_t count, Term term) {
    std::array<double, kLanes> lanes{};
    std::size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            lanes[lane] += term(i + lane);
        }
    }
    double total = 0;
    for (; i < count; ++i) {
        total += term(i);
    }
    for (const double lane : lanes) {
        total += lane;
    }
    return total;
}

}  // namespace

RowCode encode_row(std::span<const float> values, std::int8_t* codes) {
    const float* x = values.data();
    const std::size_t count = values.size();
    std::fill(codes + count, codes + code_stride(count), std::int8_t{0});
    float largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const float magnitude = std::abs(x[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    if (largest == 0) {
        std::fill(codes, codes + count, std::int8_t{0});
        return {};
    }
    const float factor = kCodeMax / largest;
    for (std::size_t i = 0; i < count; ++i) {
        // Half away from zero: the least error, but for the last bit, and it vectorises everywhere.
        const float scaled = x[i] * factor;
        const float half = scaled < 0 ? -0.5F : 0.5F;
        codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(scaled + half));
    }
    const auto value = [&](std::size_t i) { return static_cast<double>(x[i]); };
    const auto code = [&](std::size_t i) { return static_cast<double>(codes[i]); };
    const double length = std::sqrt(sum(count, [&](auto i) { return value(i) * value(i); }));
    const double inner = sum(count, [&](auto i) { return value(i) * code(i); });
    const double squares = sum(count, [&](auto i) { return code(i) * code(i); });
    const auto scale = static_cast<float>(inner / squares / length);
    const double inverse = 1 / length;
    const double wide_scale = static_cast<double>(scale);
    const double rest = sum(count, [&](auto i) {
        const double off = value(i) * inverse - wide_scale * code(i);
        return off * off;
    });
    return {scale, rounded_up(std::sqrt(rest))};
}

QueryCode encode_query(std::span<const double> query) {
    const auto count = static_cast<double>(query.size());
    double largest = 0;
    for (const double value : query) {
        largest = std::max(largest, std::abs(value));
    }
    // Rounding may add half a unit to each of d, and float to t.
    const double root = std::sqrt(count);
    const double length_max =
        std::numeric_limits<std::int32_t>::max() / (static_cast<double>(kCodeMax) * root) - root;
    constexpr double kLargest = std::numeric_limits<std::int16_t>::max() - 1;
    QueryCode code;
    code.codes.resize(code_stride(query.size()));
    code.scale = rounded_up(std::max(largest / kLargest, 1 / length_max));
    const auto scale = static_cast<double>(code.scale);
    double rest = 0;
    for (std::size_t i = 0; i < query.size(); ++i) {
        const double rounded = std::round(query[i] / scale);
        code.codes[i] = static_cast<std::int16_t>(rounded);
        const double off = query[i] - scale * rounded;
        rest += off * off;
    }
    code.error = rounded_up(std::sqrt(rest));
    return code;
}

double sharp_bound(float estimate, float row_error, float query_error) {
    const double slack = static_cast<double>(kSlack);
    const double error = static_cast<double>(query_error);
    const double along =
        std::clamp(std::abs(static_cast<double>(estimate)) - error - slack, 0.0, 1.0);
    return static_cast<double>(row_error) * std::sqrt(1 - along * along) + error + slack;
}

}  // namespace meshd
