// SPDX-License-Identifier: Apache-2.0
/// \file
/// What registry.nearest found, as the JSON text that ipc/API.md describes.
#pragma once

#include <cstddef>
#include <string>

#include "proto/nearest.h"

namespace meshd {

struct NearestPrint {
    /// Several query vectors: `results`, one for each, instead of `matches`.
    bool is_many = false;
    bool with_embedding = false;
    /// Beyond it no further match is printed, and the text says so.
    std::size_t bytes_max = std::size_t{8} << 20;
};
std::string print_nearest(const NearestResult& result, const NearestPrint& options);

}  // namespace meshd
