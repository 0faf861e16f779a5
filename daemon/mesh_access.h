// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "daemon/host_facts.h"
#include "proto/node.h"

namespace meshd {

/// A copy of the store that was written.
struct BackupDone {
    std::string path;
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
};

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
    /// Searches the registry; where that takes long, beside the loop. `done` is called once with
    /// what was found or why not: later from the loop, or before this returns. It may outlive the
    /// caller.
    virtual void nearest(const NearestQuery& query,
                         std::function<void(tl::expected<NearestResult, CommandError>)> done) = 0;
    /// What the driver has to complain about (a port held by another program, no interface, a disk
    /// that keeps nothing): belongs into mesh.status beside the node's own warnings.
    virtual std::vector<std::string> warnings() const { return {}; }
    /// What the sockets counted, by name: belongs into mesh.stats' counters.
    virtual std::vector<std::pair<std::string_view, std::uint64_t>> socket_counters() const {
        return {};
    }
    /// What the host says of this process: belongs into mesh.diagnosis.
    virtual HostFacts host_facts() const { return {}; }
    /// Writes a consistent copy of the store's database to `path`, or where it is empty to a place
    /// of the driver's choice, while all else goes on. `done` is called once with what was written
    /// or why not: later from the loop, or before this returns. It may outlive the caller.
    virtual void backup(std::string path,
                        std::function<void(tl::expected<BackupDone, std::string>)> done) {
        static_cast<void>(path);
        done(tl::unexpected(std::string("this node keeps nothing on disk")));
    }
};

}  // namespace meshd
