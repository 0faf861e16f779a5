// SPDX-License-Identifier: Apache-2.0
/// \file
/// Embeddings in their canonical form: normalised to length 1, then rounded to fp16 (IEEE 754
/// binary16), little-endian. So every node holds the same value and gives the same answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "proto/base/bytes.h"

namespace meshd {

/// Rounds to nearest, ties to even; beyond the range of fp16 to infinity.
std::uint16_t to_half(double value);
double from_half(std::uint16_t half);

/// The canonical form of `values`; those that are one already stay as they are. Fails, with the
/// reason and the index of the first bad value where there is one, on none or more than
/// limits::kDimensionMax values, on NaN, infinity, and where all are zero.
tl::expected<Buffer, std::string> make_embedding(std::span<const double> values);

/// Values of an embedding, or of any fp16 array. `bytes` has even length.
std::vector<double> embedding_values(Bytes bytes);

/// True where none of the fp16 values is NaN or infinite. `bytes` has even length.
bool is_finite_halves(Bytes bytes);

}  // namespace meshd
