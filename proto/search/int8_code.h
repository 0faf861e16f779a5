// SPDX-License-Identifier: Apache-2.0
/// \file
/// Coarse codes of vectors, and how far a score computed from them can be off. A scan reads the
/// codes, an eighth of the values in double; only what the bound cannot rule out is compared by its
/// values. (Approximate, bound, refine: the VA-file of Weber, Schek, Blott, "A Quantitative
/// Analysis and Performance Study for Similarity-Search Methods in High-Dimensional Spaces", VLDB
/// 1998.)
///
/// Let x be a row and q a query, both of length 1, and <,> the dot product.
///
/// Row code: x = s·c + e, c integers of -127 to 127, c_i = x_i / (max|x| / 127) rounded, and s the
/// least-squares scale <x,c> / <c,c>, rounded to float. So e is perpendicular to c (projection
/// theorem; up to 2^-24, since s is rounded), and |s·c| ≤ 1. `scale` = s, `error` = |e| as
/// measured. Query code: q = t·d + f, d integers of 16 bits. `scale` = t, `error` F = |f|.
///
/// Score: <q,x> = <t·d, s·c> + <f, s·c> + <q,e>, of which the first is s·t·<d,c>, and <d,c> is an
/// integer that is computed exactly. By Cauchy-Schwarz |<f, s·c>| ≤ F, and |<q,e>| ≤ |e|. Hence
///
///   (1)  | <q,x> - s·t·<d,c> |  ≤  |e| + F
///
/// Better: only that part of q counts in <q,e> which is perpendicular to c, for e has no other
/// part. Its length is √(1 - a²), a = <q,c>/|c|, and |a| ≥ |<q, s·c>| ≥ |s·t·<d,c>| - F. Hence
///
///   (2)  | <q,x> - s·t·<d,c> |  ≤  |e|·√(1 - max(0, |s·t·<d,c>| - F)²) + F
///
/// The nearer a row, the sharper (2): at a score of 0.95 it is a third of (1).
///
/// Rounding: estimates are floats near 1 after at most eight operations, each off by 2^-24 of it;
/// the exact score in double is off by 4096·2^-52 at most (Higham, "Accuracy and Stability of
/// Numerical Algorithms", section 3.1); e is perpendicular up to 2^-24. kSlack, added to either
/// bound, is over three times the sum of all these.
///
/// <d,c> fits 32 bits, and so does every partial sum in any order: |d|·|c| ≤ 2^31 - 1 (again
/// Cauchy-Schwarz), since t is chosen such that |d| ≤ (2^31 - 1) / (127·√n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace meshd {

/// Codes of one row stand in this multiple of bytes, padded by zeros.
inline constexpr std::size_t kCodeBlock = 32;
inline constexpr std::size_t code_stride(std::size_t dimension) {
    return (dimension + kCodeBlock - 1) / kCodeBlock * kCodeBlock;
}

inline constexpr float kSlack = 0x1p-18F;

/// What stands beside the codes of a row.
struct RowCode {
    float scale = 0;  ///< s
    float error = 0;  ///< |e|, rounded up
};
/// `values`: finite, of any length; a row of zeros has codes of zeros. Fills code_stride() codes.
RowCode encode_row(std::span<const float> values, std::int8_t* codes);

struct QueryCode {
    std::vector<std::int16_t> codes;  ///< d, padded like a row's
    float scale = 0;                  ///< t
    float error = 0;                  ///< F, rounded up
};
/// `query` is normalised.
QueryCode encode_query(std::span<const double> query);

/// Half the width of the interval around s·t·<d,c> in which the score is: (1) and kSlack.
inline float loose_bound(float row_error, float query_error) {
    return row_error + (query_error + kSlack);
}
/// (2) and kSlack. `estimate` is s·t·<d,c>. Never above loose_bound.
double sharp_bound(float estimate, float row_error, float query_error);

}  // namespace meshd
