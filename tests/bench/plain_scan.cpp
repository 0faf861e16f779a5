// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/plain_scan.h"

#include <algorithm>
#include <cstring>
#include <functional>

namespace meshd::bench {

namespace {

/// Eight floats side by side: a register of AVX2.
using Lanes [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = float;

float dot(SumOrder order, const float* a, const float* b, std::size_t count) {
    float sum = 0;
    std::size_t i = 0;
    switch (order) {
        case SumOrder::Sequential:
            for (; i < count; ++i) {
                // Reordering is allowed in this file; here it must not happen.
                sum += a[i] * b[i];
                asm("" : "+x"(sum));
            }
            return sum;
        case SumOrder::OneRegister: {
            Lanes lanes{};
            for (; i + 8 <= count; i += 8) {
                lanes +=
                    *reinterpret_cast<const Lanes*>(a + i) * *reinterpret_cast<const Lanes*>(b + i);
            }
            for (int lane = 0; lane < 8; ++lane) {
                sum += lanes[lane];
            }
            break;
        }
        case SumOrder::Any:
            break;
    }
    for (; i < count; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

}  // namespace

std::vector<std::pair<float, std::size_t>> plain_nearest(SumOrder order,
                                                         const std::vector<float>& matrix,
                                                         const std::vector<float>& query,
                                                         std::size_t k) {
    const std::size_t dimension = query.size();
    std::vector<std::pair<float, std::size_t>> heap;
    for (std::size_t row = 0; row * dimension < matrix.size(); ++row) {
        const float* values = matrix.data() + row * dimension;
        const float sum = dot(order, values, query.data(), dimension);
        if (heap.size() < k || sum > heap.front().first) {
            if (heap.size() == k) {
                std::pop_heap(heap.begin(), heap.end(), std::greater<>());
                heap.pop_back();
            }
            heap.emplace_back(sum, row);
            std::push_heap(heap.begin(), heap.end(), std::greater<>());
        }
    }
    std::sort_heap(heap.begin(), heap.end(), std::greater<>());
    return heap;
}

std::uint64_t read_all(const std::int8_t* bytes, std::size_t size, std::size_t prefetch_bytes) {
    // Four sums of a register each, so that it is not the additions that are measured.
    constexpr std::size_t kWords = 32;
    constexpr std::size_t kLine = 64;
    std::uint64_t sums[kWords] = {};
    const std::int8_t* end = bytes + size / sizeof sums * sizeof sums;
    for (const std::int8_t* at = bytes; at < end; at += sizeof sums) {
        if (prefetch_bytes != 0 && static_cast<std::size_t>(end - at) > prefetch_bytes) {
            for (std::size_t line = 0; line < sizeof sums; line += kLine) {
                __builtin_prefetch(at + prefetch_bytes + line);
            }
        }
        std::uint64_t words[kWords];
        std::memcpy(words, at, sizeof words);
        for (std::size_t i = 0; i < kWords; ++i) {
            sums[i] += words[i];
        }
    }
    std::uint64_t total = 0;
    for (const std::uint64_t sum : sums) {
        total += sum;
    }
    return total;
}

}  // namespace meshd::bench
