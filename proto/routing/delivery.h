// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who has confirmed an alert that somebody here waits for.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/time.h"

namespace meshd {

class DeliveryTracker {
  public:
    /// Callers that wait at the same time; more are refused as overloaded.
    static constexpr std::size_t kWaitingMax = 256;

    struct Result {
        RequestId request;
        StreamId stream;
        std::uint64_t counter = 0;
        std::vector<NodeId> delivered;
        std::vector<NodeId> pending;
    };

    bool is_full() const { return waiting_.size() >= kWaitingMax; }
    /// Waits until all of `expected` have reported, or `deadline`.
    void wait(RequestId request, StreamId stream, std::uint64_t counter,
              std::vector<NodeId> expected, TimePoint deadline);
    void on_report(StreamId stream, std::uint64_t counter, const NodeId& from);
    /// A node that is no longer alive is not waited for, but stays in `pending`.
    void on_node_gone(const NodeId& node);
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Result> poll();

  private:
    using Key = std::pair<StreamId, std::uint64_t>;
    struct Waiting {
        RequestId request;
        std::set<NodeId> expected;  ///< not yet reported
        std::set<NodeId> gone;      ///< of those, no longer alive
        std::set<NodeId> delivered;
        TimePoint deadline;
    };
    void finish(std::map<Key, Waiting>::iterator it);
    std::map<Key, Waiting> waiting_;
    std::vector<Result> results_;
};

}  // namespace meshd
