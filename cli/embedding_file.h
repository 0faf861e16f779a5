// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace meshd::cli {

/// What a file of one embedding means to registry.put, as JSON text: the array of a JSON file (or
/// an object {"f16": …} or {"f32": …} as it is), {"f32": base64} of a file *.f32 and {"f16":
/// base64} of a file *.f16 of raw little-endian values. "-" is JSON from standard input. Fails,
/// with a sentence without full stop, where it is none of these; the values are the daemon's to
/// judge.
tl::expected<std::string, std::string> embedding_of_file(const std::string& path);

}  // namespace meshd::cli
