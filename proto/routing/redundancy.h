// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which links the mesh can do without, so that many nodes may give up links at the same moment,
/// each by its own view, and never part it.
///
/// Invariant: all links are ordered, the same everywhere, and one may be given up only where its
/// ends are joined by links that rank before it. Whatever goes, each link given up has a way of
/// lower links, which by the same rule have theirs (the cycle property of minimum spanning trees).
/// The order is by distance on the ring of hashed names, so that what stays is close to the ring.
#pragma once

#include <functional>

#include "proto/routing/graph.h"

namespace meshd {

/// Whether the link `a`–`b` may be given up. A way counts only over nodes for which `is_settled`:
/// of others' claims the rest of the mesh may not have heard yet.
bool is_redundant(const Graph& graph, const NodeId& a, const NodeId& b,
                  const std::function<bool(const NodeId&)>& is_settled);

}  // namespace meshd
