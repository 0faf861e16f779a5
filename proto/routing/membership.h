// SPDX-License-Identifier: Apache-2.0
/// \file
/// What became of every known node: compares what the topology says with what it said before, and
/// names the changes.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/table.h"
#include "proto/base/time.h"
#include "proto/routing/topology.h"

namespace meshd {

enum class MembershipChange : std::uint8_t {
    Joined,
    Left,
    Restarting,
    Offline,
    Unreachable,
    Returned
};

class Membership {
  public:
    struct Member {
        NodeStatus status = NodeStatus::Offline;
        bool restarting = false;
        NodeId because;
        StartId start;
        TimePoint since;  ///< of the current status
        bool ever_alive = false;
    };
    struct Event {
        MembershipChange change;
        NodeId node;
        NodeId because;
    };

    /// Takes the present status of all known nodes but self; `now` stamps changes. A node not in
    /// `current` any more is forgotten. The first time a node is alive it has joined; a node that
    /// was never alive as seen from here makes no event; a new start of an alive node has returned;
    /// a node that has left stays so until it is alive again, and so does one that is unreachable
    /// because of nobody (this node itself was out).
    std::vector<Event> update(TimePoint now, const std::map<NodeId, Member>& current);
    /// The same, told of what may be new only: nodes with their present status, rising, and nodes
    /// to be forgotten. Who is told of as it was makes no event.
    std::vector<Event> update_some(TimePoint now,
                                   const std::vector<std::pair<NodeId, Member>>& changed,
                                   const std::vector<NodeId>& gone);

    const Member* find(const NodeId& node) const;
    const Table<NodeId, Member>& members() const { return members_; }

  private:
    Table<NodeId, Member> members_;
};

}  // namespace meshd
