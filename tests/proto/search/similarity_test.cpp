// SPDX-License-Identifier: Apache-2.0
#include "proto/search/similarity.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("similarity: every finite fp16 has the value that the store gives it") {
    std::size_t wrong = 0;
    for (std::uint32_t half = 0; half < 0x10000; ++half) {
        if ((half & 0x7c00) != 0x7c00) {
            const auto bits = static_cast<std::uint16_t>(half);
            const auto value = static_cast<double>(half_to_float(bits));
            wrong +=
                value == from_half(bits) && std::signbit(value) == std::signbit(from_half(bits))
                    ? 0
                    : 1;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("similarity: a cosine is the same from bytes at any alignment and from values") {
    for (const std::size_t dimension : {1U, 2U, 15U, 16U, 17U, 255U, 256U, 257U, 512U, 4096U}) {
        Vectors vectors(1, Shape::Gaussian, dimension);
        const Buffer halves = halves_of(vectors.next());
        const auto query = normalised(vectors.next());
        std::vector<float> values(dimension);
        halves_to_floats(halves, values.data());
        Buffer shifted(1, 0);
        shifted.insert(shifted.end(), halves.begin(), halves.end());
        const double score = cosine(query, Bytes(halves));
        CHECK(score == cosine(query, std::span<const float>(values)));
        CHECK(score == cosine(query, Bytes(shifted).subspan(1)));
        double dot = 0;
        double squares = 0;
        for (std::size_t i = 0; i < dimension; ++i) {
            dot += query[i] * static_cast<double>(values[i]);
            squares += static_cast<double>(values[i]) * static_cast<double>(values[i]);
        }
        CHECK(score == doctest::Approx(dot / std::sqrt(squares)).epsilon(1e-12));
        CHECK(cosine(normalised(values), Bytes(halves)) == doctest::Approx(1).epsilon(1e-12));
    }
}

TEST_CASE("similarity: a cosine has these very bits on every machine") {
    // Values of few bits and an odd count: a fused or reordered addition would show.
    std::vector<float> query;
    std::vector<float> row;
    for (int i = 0; i < 77; ++i) {
        query.push_back(static_cast<float>(i * i % 31) - 14.3F);
        row.push_back(static_cast<float>(i * 7 % 23) / 16 - 0.7F);
    }
    const double score = cosine(normalised(query), Bytes(halves_of(row)));
    CAPTURE(std::bit_cast<std::uint64_t>(score));
    CHECK(std::bit_cast<std::uint64_t>(score) == 0x3fa5'a0ed'ee92'0985);
}

TEST_CASE("similarity: what has no direction is no query, and is near to nothing") {
    CHECK(normalised(std::vector<float>{0, 0}).empty());
    CHECK(normalised(std::vector<float>{}).empty());
    CHECK(normalised(std::vector<float>{1, std::numeric_limits<float>::infinity()}).empty());
    CHECK(normalised(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}).empty());
    CHECK(normalised(std::vector<float>{1e-45F, 0}) == std::vector<double>{1, 0});
    CHECK(normalised(std::vector<float>{3e38F, 0}) == std::vector<double>{1, 0});
    CHECK(cosine(normalised(std::vector<float>{1, 2}), Bytes(Buffer(4, 0))) == 0);
}
