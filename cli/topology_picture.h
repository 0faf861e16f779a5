// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "proto/base/json.h"

namespace meshd::cli {

struct PictureOptions {
    /// This box: the picture begins with it and marks it with `*`.
    std::string own;
    /// Columns; 0 = 80.
    std::size_t width = 0;
    /// Words behind a box's name, as its round trip.
    std::map<std::string, std::string> notes;
};

/// A result of mesh.topology as ASCII art. Each connected part is drawn in the simplest form that
/// says everything: all linked to all, a line, a ring, else a tree by hops with the links that are
/// not in it below. Boxes without links come last. Same input, same picture.
std::string topology_picture(const json::Value& topology, const PictureOptions& options);

/// The same as Graphviz DOT.
std::string topology_dot(const json::Value& topology);

}  // namespace meshd::cli
