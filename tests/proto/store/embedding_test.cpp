// SPDX-License-Identifier: Apache-2.0
#include "proto/store/embedding.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "proto/base/prng.h"
#include "proto/wire/limits.h"

using namespace meshd;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

/// The value by the definition of binary16 (IEEE 754-2019, 3.4), in arithmetic.
double by_definition(std::uint16_t half) {
    const int exponent = half >> 10 & 31;
    const int mantissa = half & 1023;
    const double sign = (half & 0x8000) != 0 ? -1 : 1;
    if (exponent == 31) {
        return mantissa == 0 ? sign * kInfinity : kNan;
    }
    return sign *
           (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

double length_of(const std::vector<double>& values) {
    double squares = 0;
    for (const double value : values) {
        squares += value * value;
    }
    return std::sqrt(squares);
}

Buffer halves(std::initializer_list<std::uint16_t> values) {
    Buffer bytes;
    for (const std::uint16_t value : values) {
        bytes.push_back(static_cast<std::uint8_t>(value));
        bytes.push_back(static_cast<std::uint8_t>(value >> 8));
    }
    return bytes;
}

std::string reason(const std::vector<double>& values) {
    const auto made = make_embedding(values);
    REQUIRE_FALSE(made.has_value());
    return made.error();
}

}  // namespace

TEST_CASE("half: each of the 65536 has the value of its definition and comes back from it") {
    for (std::uint32_t i = 0; i <= UINT16_MAX; ++i) {
        const auto half = static_cast<std::uint16_t>(i);
        const double value = from_half(half);
        const double defined = by_definition(half);
        if (std::isnan(defined)) {
            REQUIRE(std::isnan(value));
            REQUIRE(std::isnan(from_half(to_half(value))));
            continue;
        }
        REQUIRE(value == defined);
        REQUIRE(std::signbit(value) == (half >= 0x8000));
        REQUIRE(to_half(value) == half);
    }
}

TEST_CASE("half: what lies between two goes to the nearer, and from the middle to the even one") {
    for (std::uint16_t half = 0; half < 0x7c00; ++half) {
        const auto above = static_cast<std::uint16_t>(half + 1);
        // Beyond the greatest the next would be 2^16: from the middle on it is infinity.
        const double next = above == 0x7c00 ? 65536 : from_half(above);
        const double middle = (from_half(half) + next) / 2;
        const std::uint16_t even = (half & 1) == 0 ? half : above;
        for (const bool is_negative : {false, true}) {
            const double sign = is_negative ? -1 : 1;
            const auto bit = static_cast<std::uint16_t>(is_negative ? 0x8000 : 0);
            REQUIRE(to_half(sign * middle) == (even | bit));
            REQUIRE(to_half(sign * std::nextafter(middle, 0)) == (half | bit));
            REQUIRE(to_half(sign * std::nextafter(middle, kInfinity)) == (above | bit));
        }
    }
}

TEST_CASE("half: what is too great becomes infinity, what is too small zero") {
    CHECK(to_half(65504) == 0x7bff);
    CHECK(to_half(65519.999) == 0x7bff);
    CHECK(to_half(65520) == 0x7c00);
    CHECK(to_half(-65520) == 0xfc00);
    CHECK(to_half(1e300) == 0x7c00);
    CHECK(to_half(std::numeric_limits<double>::max()) == 0x7c00);
    CHECK(to_half(-kInfinity) == 0xfc00);
    CHECK(to_half(0x1p-24) == 1);
    CHECK(to_half(0x1p-25) == 0);
    CHECK(to_half(0x1.0000000000001p-25) == 1);
    CHECK(to_half(0x1p-26) == 0);
    CHECK(to_half(-1e-300) == 0x8000);
    CHECK(to_half(std::numeric_limits<double>::denorm_min()) == 0);
    CHECK(to_half(0.0) == 0);
    CHECK(to_half(-0.0) == 0x8000);
    CHECK(std::isnan(from_half(to_half(kNan))));
    CHECK(std::isnan(from_half(to_half(std::nan("1")))));
}

TEST_CASE("embedding: values are brought to length 1 and are little-endian halves") {
    CHECK(make_embedding(std::vector<double>{3, 4}).value() == halves({0x38cd, 0x3a66}));
    CHECK(make_embedding(std::vector<double>{-7}).value() == halves({0xbc00}));
    CHECK(make_embedding(std::vector<double>{1, 0, 0}).value() == halves({0x3c00, 0, 0}));
    CHECK(embedding_values(halves({0x3c00, 0xb800})) == std::vector<double>{1, -0.5});
    CHECK(embedding_values({}).empty());
}

TEST_CASE("embedding: the length does not decide, be it greater or smaller than squares can hold") {
    const Buffer expected = make_embedding(std::vector<double>{1, -2, 2}).value();
    for (const double scale : {1e-320, 1e-300, 1e-160, 1e-9, 3.0, 1e200, 8e307}) {
        CAPTURE(scale);
        const Buffer made =
            make_embedding(std::vector<double>{scale, -2 * scale, 2 * scale}).value();
        // At 1e-320 a double has few bits left.
        const auto values = embedding_values(made);
        CHECK(values[0] == doctest::Approx(1.0 / 3).epsilon(0.002));
        CHECK((scale < 1e-300 || made == expected));
    }
}

TEST_CASE("embedding: made of an embedding it is the same bytes") {
    Prng prng(std::array<std::uint8_t, 32>{3});
    for (const std::size_t dimension : {1U, 2U, 3U, 17U, 128U, 512U, 4096U}) {
        for (int round = 0; round < 30; ++round) {
            std::vector<double> values(dimension);
            for (double& value : values) {
                value = static_cast<double>(prng.below(2'000'001)) - 1'000'000;
                value *= round % 3 == 0 ? value * value : 1;
            }
            values[0] = round % 5 == 0 ? 1e19 : 1e5;
            const Buffer made = make_embedding(values).value();
            CHECK(std::abs(length_of(embedding_values(made)) - 1) < 0x1p-10);
            CHECK(make_embedding(embedding_values(made)).value() == made);
            CHECK(is_finite_halves(made));
        }
    }
}

TEST_CASE("embedding: what has no direction is refused with its reason") {
    CHECK(reason({}) == "has no values");
    CHECK(reason({0, -0.0}) == "all values are zero");
    CHECK(reason({1, kNan, kInfinity}) == "value 1 is not a finite number");
    CHECK(reason({1, 2, -kInfinity}) == "value 2 is not a finite number");
    CHECK(make_embedding(std::vector<double>(limits::kDimensionMax, 1)).has_value());
    CHECK(reason(std::vector<double>(limits::kDimensionMax + 1, 1)) == "has more than 4096 values");
}

TEST_CASE("embedding: each half that is no finite number is found") {
    for (std::uint32_t i = 0; i <= UINT16_MAX; ++i) {
        const auto half = static_cast<std::uint16_t>(i);
        REQUIRE(is_finite_halves(halves({half})) == std::isfinite(from_half(half)));
    }
    for (std::size_t at = 0; at < 6; ++at) {
        Buffer six = halves({0xfbff, 0xfbff, 0xfbff, 0xfbff, 0xfbff, 0xfbff});
        REQUIRE(is_finite_halves(six));
        six[2 * at + 1] = 0x7c;
        CHECK_FALSE(is_finite_halves(six));
    }
    CHECK(is_finite_halves({}));
    CHECK(is_finite_halves(halves({0x00ff, 0x7bff})));
    CHECK_FALSE(is_finite_halves(halves({0x00ff, 0x7bff, 0xfc00})));
}
