// SPDX-License-Identifier: Apache-2.0
#include "proto/search/dot.h"

#include "proto/search/int8_code.h"

// Not target_clones: its resolvers run before a sanitizer is ready, and tests could not compare the
// clones with each other.
#if defined(__x86_64__) && defined(__GNUC__)
#define MESHD_DOT_X86 1
#endif

namespace meshd {
namespace {

/// Measured: of 100 000 rows of 512, half as far or twice as far costs 5 to 8 %, none at all 30 %.
constexpr std::ptrdiff_t kAheadBytes = 1024;
constexpr std::size_t kCacheLine = 64;

[[gnu::always_inline]] inline void prefetch(const CodeRows& rows, const std::int8_t* row) {
    if (rows.end - row > kAheadBytes) {
        for (std::size_t at = 0; at < rows.stride; at += kCacheLine) {
            __builtin_prefetch(row + kAheadBytes + at);
        }
    }
}

template <std::size_t Queries>
[[gnu::always_inline]] inline void dot_block(const CodeRows& rows,
                                             const std::int16_t* const* queries,
                                             std::int32_t* result) {
    const std::size_t stride = rows.stride;
    for (std::size_t r = 0; r < rows.count; ++r) {
        const std::int8_t* row = rows.codes + r * stride;
        prefetch(rows, row);
        for (std::size_t query = 0; query < Queries; ++query) {
            const std::int16_t* values = queries[query];
            std::int32_t total = 0;
            for (std::size_t at = 0; at < stride; at += kCodeBlock) {
                for (std::size_t i = 0; i < kCodeBlock; ++i) {
                    total += static_cast<std::int16_t>(row[at + i]) * values[at + i];
                }
            }
            result[query * rows.count + r] = total;
        }
    }
}

[[gnu::always_inline]] inline void dot_any(const CodeRows& rows, const std::int16_t* const* queries,
                                           std::size_t query_count, std::int32_t* result) {
    switch (query_count) {
        case 1:
            return dot_block<1>(rows, queries, result);
        case 2:
            return dot_block<2>(rows, queries, result);
        case 3:
            return dot_block<3>(rows, queries, result);
        default:
            return dot_block<4>(rows, queries, result);
    }
}

void dot_plain(const CodeRows& rows, const std::int16_t* const* queries, std::size_t query_count,
               std::int32_t* result) {
    dot_any(rows, queries, query_count, result);
}

#ifdef MESHD_DOT_X86
[[gnu::target("avx2")]] void dot_avx2(const CodeRows& rows, const std::int16_t* const* queries,
                                      std::size_t query_count, std::int32_t* result) {
    dot_any(rows, queries, query_count, result);
}

[[gnu::target("avx512f,avx512bw,avx512vl,avx512vnni")]] void dot_avx512(
    const CodeRows& rows, const std::int16_t* const* queries, std::size_t query_count,
    std::int32_t* result) {
    dot_any(rows, queries, query_count, result);
}
#endif

}  // namespace

bool is_supported(DotKernel kernel) {
    switch (kernel) {
        case DotKernel::Plain:
            return true;
#ifdef MESHD_DOT_X86
        case DotKernel::Avx2:
            return __builtin_cpu_supports("avx2") != 0;
        case DotKernel::Avx512:
            return __builtin_cpu_supports("avx512bw") != 0 &&
                   __builtin_cpu_supports("avx512vl") != 0 &&
                   __builtin_cpu_supports("avx512vnni") != 0;
#else
        case DotKernel::Avx2:
        case DotKernel::Avx512:
            return false;
#endif
    }
    return false;
}

DotKernel widest_kernel() {
    return is_supported(DotKernel::Avx512) ? DotKernel::Avx512
           : is_supported(DotKernel::Avx2) ? DotKernel::Avx2
                                           : DotKernel::Plain;
}

void dot_rows(DotKernel kernel, const CodeRows& rows, const std::int16_t* const* queries,
              std::size_t query_count, std::int32_t* result) {
    switch (kernel) {
#ifdef MESHD_DOT_X86
        case DotKernel::Avx2:
            return dot_avx2(rows, queries, query_count, result);
        case DotKernel::Avx512:
            return dot_avx512(rows, queries, query_count, result);
#else
        case DotKernel::Avx2:
        case DotKernel::Avx512:
#endif
        case DotKernel::Plain:
            return dot_plain(rows, queries, query_count, result);
    }
}

}  // namespace meshd
