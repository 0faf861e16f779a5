// SPDX-License-Identifier: Apache-2.0
/// \file
/// One vector in NumPy's file format, as numpy.save writes it
/// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace meshd::cli {

struct NpyVector {
    /// "f16" or "f32": what the values are, as the daemon calls it.
    std::string_view form;
    std::string bytes;  ///< the values, little-endian
};

/// True where the content begins as such a file does.
bool is_npy(std::string_view content);

/// The one vector in the file: values of 2, 4 or 8 bytes (float16, float32, float64) in either byte
/// order, of shape (n,), (1, n) or the like; float64 is rounded to f32. Fails, with a sentence
/// without full stop, on any other content, shape or type of values, and on a file that is shorter
/// or longer than its header says.
tl::expected<NpyVector, std::string> parse_npy(std::string_view content);

}  // namespace meshd::cli
