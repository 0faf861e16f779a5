// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/kept_keys.h"
#include "proto/base/node_id.h"
#include "proto/routing/topology.h"

namespace meshd {

/// The one way by which the local API reaches the mesh keys: implemented by the driver, replaced by
/// a stand-in in tests.
class KeysAccess {
  public:
    /// Another known node, as its own record says.
    struct Holder {
        NodeId node_id;
        NodeStatus status = NodeStatus::Alive;
        std::vector<KeyId> keys;
    };

    virtual ~KeysAccess() = default;
    /// "sealed", "mixed" or "open".
    virtual std::string_view security_mode() const = 0;
    virtual const KeptKeys& kept_keys() const = 0;
    /// All other nodes, by id.
    virtual std::vector<Holder> key_holders() const = 0;
    virtual bool has_links() const = 0;
    /// A key that nobody has.
    virtual MeshKey draw_key(std::uint32_t generation) = 0;
    /// The first one of a mesh, of a lineage of its own.
    virtual MeshKey draw_first_key() = 0;
    /// A change is being written: another one may not begin.
    virtual bool is_changing_keys() const = 0;
    /// Writes the ring, then goes by it; keys that are new came by `origin`. Only while no other
    /// change is under way. `done` is called from the loop once, with nothing or why it is not kept
    /// and all is as before; not at all where this object is gone by then.
    virtual void change_keys(Keyring ring, KeyOrigin origin,
                             std::function<void(const std::string& trouble)> done) = 0;
};

}  // namespace meshd
