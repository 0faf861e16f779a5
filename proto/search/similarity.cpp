// SPDX-License-Identifier: Apache-2.0
#include "proto/search/similarity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace meshd {
namespace {

/// Partial sums side by side: the order of additions, and room for wide registers.
constexpr std::size_t kLanes = 16;
/// Values read from halves at a time.
constexpr std::size_t kBlock = 256;

struct Sums {
    std::array<double, kLanes> dot{};
    std::array<double, kLanes> squares{};

    void add(const double* query, const float* values, std::size_t count) {
        std::size_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            for (std::size_t lane = 0; lane < kLanes; ++lane) {
                const double value = static_cast<double>(values[i + lane]);
                dot[lane] += query[i + lane] * value;
                squares[lane] += value * value;
            }
        }
        for (std::size_t lane = 0; i < count; ++i, ++lane) {
            const double value = static_cast<double>(values[i]);
            dot[lane] += query[i] * value;
            squares[lane] += value * value;
        }
    }

    static double total(std::array<double, kLanes> lanes) {
        for (std::size_t width = kLanes / 2; width != 0; width /= 2) {
            for (std::size_t lane = 0; lane < width; ++lane) {
                lanes[lane] += lanes[lane + width];
            }
        }
        return lanes[0];
    }

    double cosine() const {
        const double length = std::sqrt(total(squares));
        return length == 0 ? 0 : total(dot) / length;
    }
};

static_assert(kBlock % kLanes == 0, "blocks do not change the order");

}  // namespace

void halves_to_floats(Bytes halves, float* to) {
    const std::uint8_t* from = halves.data();
    const std::size_t count = halves.size() / 2;
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = half_to_float(static_cast<std::uint16_t>(from[2 * i] | from[2 * i + 1] << 8));
    }
}

std::vector<double> normalised(std::span<const float> query) {
    // By the largest first: else the squares of tiny values vanish.
    double largest = 0;
    for (const float value : query) {
        if (!std::isfinite(value)) {
            return {};
        }
        largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    if (largest == 0) {
        return {};
    }
    double squares = 0;
    for (const float value : query) {
        const double scaled = static_cast<double>(value) / largest;
        squares += scaled * scaled;
    }
    const double length = std::sqrt(squares);
    std::vector<double> values;
    values.reserve(query.size());
    for (const float value : query) {
        values.push_back(static_cast<double>(value) / largest / length);
    }
    return values;
}

double cosine(std::span<const double> query, Bytes halves) {
    Sums sums;
    std::array<float, kBlock> block;
    for (std::size_t at = 0; at < query.size(); at += kBlock) {
        const std::size_t count = std::min(kBlock, query.size() - at);
        halves_to_floats(halves.subspan(2 * at, 2 * count), block.data());
        sums.add(query.data() + at, block.data(), count);
    }
    return sums.cosine();
}

double cosine(std::span<const double> query, std::span<const float> values) {
    Sums sums;
    sums.add(query.data(), values.data(), query.size());
    return sums.cosine();
}

}  // namespace meshd
