// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace meshd::cli {

/// What a file of one embedding means to the daemon, as JSON text: the array of a JSON file (or an
/// object {"f16": …} or {"f32": …} as it is); {"f32": base64} or {"f16": base64} of the vector in a
/// file of numpy.save, of a file *.f32 or *.f16 of raw little-endian values, and, where `is_raw`,
/// of raw f32 values under any other name. "-" is standard input, of any of these. Fails, with a
/// sentence without full stop, where it is none of these; the values are the daemon's to judge.
tl::expected<std::string, std::string> embedding_of_file(const std::string& path,
                                                         bool is_raw = false);

}  // namespace meshd::cli
