// SPDX-License-Identifier: Apache-2.0
#include "proto/search/int8_code.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

std::int64_t exact_dot(const std::vector<std::int8_t>& codes, const QueryCode& query) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        sum += std::int64_t{codes[i]} * query.codes[i];
    }
    return sum;
}

struct Case {
    std::vector<float> row;
    std::vector<float> query;
};

/// Whether the score is as near to what the codes say as both bounds promise.
bool is_bounded(const Case& one) {
    const Buffer halves = halves_of(one.row);
    std::vector<float> values(one.row.size());
    halves_to_floats(halves, values.data());
    std::vector<std::int8_t> codes(code_stride(values.size()), 1);
    const RowCode row = encode_row(values, codes.data());
    const auto normal = normalised(one.query);
    const QueryCode query = encode_query(normal);
    const std::int64_t dot = exact_dot(codes, query);
    const float estimate = static_cast<float>(dot) * (row.scale * query.scale);
    const double loose = static_cast<double>(loose_bound(row.error, query.error));
    const double sharp = sharp_bound(estimate, row.error, query.error);
    const double off = std::abs(cosine(normal, Bytes(halves)) - static_cast<double>(estimate));
    return off <= sharp && sharp <= loose * (1 + 1e-6) &&
           std::abs(dot) <= std::numeric_limits<std::int32_t>::max();
}

}  // namespace

TEST_CASE("int8 code: the score is within both bounds, of every shape and dimension") {
    for (const Shape shape : kShapes) {
        for (const std::size_t dimension : {1U, 2U, 3U, 31U, 33U, 512U, 4096U}) {
            CAPTURE(static_cast<int>(shape));
            CAPTURE(dimension);
            Vectors vectors(static_cast<std::uint8_t>(dimension), shape, dimension);
            std::size_t wrong = 0;
            for (int i = 0; i < 40; ++i) {
                const Case one{vectors.next(), vectors.next()};
                wrong += is_bounded(one) ? 0 : 1;
                wrong += is_bounded({one.row, one.row}) ? 0 : 1;
                std::vector<float> against = one.row;
                for (float& value : against) {
                    value = -value;
                }
                wrong += is_bounded({one.row, against}) ? 0 : 1;
                // A query along the error itself: the worst case of the bound.
                std::vector<float> values(dimension);
                halves_to_floats(halves_of(one.row), values.data());
                std::vector<std::int8_t> codes(code_stride(dimension));
                encode_row(values, codes.data());
                const float unit = std::abs(*std::max_element(values.begin(), values.end(),
                                                              [](float a, float b) {
                                                                  return std::abs(a) < std::abs(b);
                                                              })) /
                                   127;
                for (std::size_t at = 0; at < dimension; ++at) {
                    values[at] -= unit * static_cast<float>(codes[at]);
                }
                if (!normalised(values).empty()) {
                    wrong += is_bounded({one.row, values}) ? 0 : 1;
                }
            }
            CHECK(wrong == 0);
        }
    }
}

TEST_CASE("int8 code: values of any size, and none at all") {
    Vectors vectors(3, Shape::Gaussian, 64);
    for (const float factor : {1e-7F, 1e-5F, 1.0F, 6000.0F}) {
        Case one{vectors.next(), vectors.next()};
        for (float& value : one.row) {
            value *= factor;
        }
        one.row[0] = factor;
        CHECK(is_bounded(one));
        CHECK(is_bounded({one.query, one.row}));
    }
    CHECK(is_bounded({std::vector<float>(64, 0), vectors.next()}));
    std::vector<float> peak(64, 0.001F);
    peak[5] = 60000;
    CHECK(is_bounded({peak, vectors.next()}));
}

TEST_CASE("int8 code: sums of the longest codes fit 32 bits") {
    for (const std::size_t dimension : {1U, 100U, 512U, 4096U}) {
        const std::vector<float> all(dimension, 1);
        std::vector<std::int8_t> codes(code_stride(dimension));
        encode_row(all, codes.data());
        const QueryCode query = encode_query(normalised(all));
        CHECK(exact_dot(codes, query) <= std::numeric_limits<std::int32_t>::max());
        CHECK(exact_dot(codes, query) > 0);
        // And the query is all but exact beside a row.
        CHECK(query.error < 0.0005F);
    }
}
