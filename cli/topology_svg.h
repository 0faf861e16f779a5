// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/topology_picture.h"
#include "proto/base/json.h"

namespace meshd::cli {

/// A result of mesh.topology as an SVG that needs nothing else: boxes with their names, links in
/// the colour of their quality, boxes that are not alive in grey and dashed, a legend. Of `options`
/// the own name and the notes count. Same input, same picture.
std::string topology_svg(const json::Value& topology, const PictureOptions& options);

}  // namespace meshd::cli
