// SPDX-License-Identifier: Apache-2.0
/// \file
/// Asks a node for all it can tell: whatever it has been through, its views must hold together.
#pragma once

#include "proto/base/assert.h"
#include "proto/node.h"

namespace meshd::fuzz {

inline void look_at(const Node& node, Now now) {
    const StatusView status = node.status(now);
    const auto nodes = node.nodes(now);
    MESHD_ASSERT(nodes.size() == status.nodes_known);
    MESHD_ASSERT(status.nodes_alive >= 1 && status.nodes_alive <= status.nodes_known);
    MESHD_ASSERT(nodes.size() <= limits::kNodesMax);
    for (const NodeView& other : nodes) {
        MESHD_ASSERT(node.node(now, other.node_id).has_value());
        static_cast<void>(node.state(now, other.node_id));
    }
    MESHD_ASSERT(node.peers(now).size() == status.peers);
    MESHD_ASSERT(status.security.links_open + status.security.links_sealed == status.peers);
    MESHD_ASSERT(node.routes().size() < status.nodes_known);
    static_cast<void>(node.links());
    MESHD_ASSERT(node.alerts(now).size() == status.store.alerts);
    for (const AlertView& alert : node.alerts_after(now, 0, 4)) {
        MESHD_ASSERT(node.alert(now, alert.id).has_value());
    }
    MESHD_ASSERT(node.shared(now).size() == status.store.shared);
    EntryFilter filter;
    filter.limit = 4;
    filter.with_embedding = true;
    for (const EntryView& entry : node.list_entries(now, filter).entries) {
        MESHD_ASSERT(!node.entries(now, entry.hash).empty());
    }
    MESHD_ASSERT(status.store.memory <= node.config().store_memory_max);
}

}  // namespace meshd::fuzz
