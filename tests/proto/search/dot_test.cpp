// SPDX-License-Identifier: Apache-2.0
#include "proto/search/dot.h"

#include <doctest/doctest.h>

#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

TEST_CASE("dot: every kernel gives the exact products, for any number of queries") {
    Prng prng = prng_of(7);
    for (const DotKernel kernel : {DotKernel::Plain, DotKernel::Avx2, DotKernel::Avx512}) {
        if (!is_supported(kernel)) {
            MESSAGE("not supported here: ", static_cast<int>(kernel));
            continue;
        }
        for (const std::size_t stride : {32U, 64U, 96U, 512U, 4096U}) {
            constexpr std::size_t kRows = 37;
            std::vector<std::int8_t> codes(stride * kRows);
            for (std::int8_t& code : codes) {
                code = static_cast<std::int8_t>(static_cast<int>(prng.below(255)) - 127);
            }
            std::vector<std::vector<std::int16_t>> queries(kDotQueriesMax);
            std::vector<const std::int16_t*> pointers;
            for (auto& query : queries) {
                for (std::size_t i = 0; i < stride; ++i) {
                    query.push_back(
                        static_cast<std::int16_t>(static_cast<int>(prng.below(8001)) - 4000));
                }
                pointers.push_back(query.data());
            }
            for (std::size_t count = 1; count <= kDotQueriesMax; ++count) {
                std::vector<std::int32_t> result(kRows * count);
                dot_rows(kernel, {codes.data(), stride, kRows, codes.data() + codes.size()},
                         pointers.data(), count, result.data());
                std::size_t wrong = 0;
                for (std::size_t i = 0; i < count; ++i) {
                    for (std::size_t row = 0; row < kRows; ++row) {
                        std::int64_t sum = 0;
                        for (std::size_t at = 0; at < stride; ++at) {
                            sum += std::int64_t{codes[row * stride + at]} * queries[i][at];
                        }
                        wrong += sum == result[i * kRows + row] ? 0 : 1;
                    }
                }
                CHECK(wrong == 0);
            }
        }
    }
    CHECK(is_supported(widest_kernel()));
}
