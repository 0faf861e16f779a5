// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dot products of many rows of 8-bit codes with a few queries of 16 bits: the inner loop of a
/// scan. Plain C++ that the compiler vectorises; on x86-64 built once more for each wider
/// instruction set and chosen by what the processor has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace meshd {

enum class DotKernel : std::uint8_t {
    Plain,   ///< the target's baseline: SSE2, NEON
    Avx2,    ///< x86-64 only
    Avx512,  ///< the same: BW and VNNI
};
/// Whether this build has it and this processor runs it.
bool is_supported(DotKernel kernel);
/// The widest that is.
DotKernel widest_kernel();

/// Rows, one behind the other, each of `stride` codes (a multiple of kCodeBlock).
struct CodeRows {
    const std::int8_t* codes = nullptr;
    std::size_t stride = 0;
    std::size_t count = 0;
    /// Where the codes end that will be asked for next; up to there they are prefetched.
    const std::int8_t* end = nullptr;
};

/// Queries of one pass: each row is read once for all of them.
inline constexpr std::size_t kDotQueriesMax = 4;

/// result[i · rows.count + r] = <queries[i], row r>. 1 to kDotQueriesMax queries of `stride`
/// values. No sum overflows where the queries are made by encode_query.
void dot_rows(DotKernel kernel, const CodeRows& rows, const std::int16_t* const* queries,
              std::size_t query_count, std::int32_t* result);

}  // namespace meshd
