// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "proto/node.h"

namespace meshd {

/// The one way by which the local API reaches the mesh node: implemented by the driver, replaced by
/// a stand-in in tests.
class MeshAccess {
  public:
    virtual ~MeshAccess() = default;
    virtual Now now() const = 0;
    virtual const Node& node() const = 0;
    /// Hands the command to the node, then sends what it wants sent. Outputs (the answer among
    /// them) are delivered from the loop afterwards, never from inside this call.
    virtual tl::expected<RequestId, CommandError> command(Command command) = 0;
    /// What the driver has to complain about (a port held by another program, no interface, a disk
    /// that keeps nothing): belongs into mesh.status beside the node's own warnings.
    virtual std::vector<std::string> warnings() const { return {}; }
    /// What the sockets counted, by name: belongs into mesh.stats' counters.
    virtual std::vector<std::pair<std::string_view, std::uint64_t>> socket_counters() const {
        return {};
    }
};

}  // namespace meshd
