// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tl/expected.hpp>

#include "proto/node.h"

namespace meshd {

/// The one way by which the local API reaches the mesh node: implemented by the driver, replaced by
/// a stand-in in tests.
class MeshAccess {
  public:
    virtual ~MeshAccess() = default;
    virtual Now now() const = 0;
    virtual const Node& node() const = 0;
    /// Hands the command to the node, then sends what it wants sent. Outputs (the answer among them)
    /// are delivered from the loop afterwards, never from inside this call.
    virtual tl::expected<RequestId, CommandError> command(Command command) = 0;
};

}  // namespace meshd
