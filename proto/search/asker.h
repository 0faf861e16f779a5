// SPDX-License-Identifier: Apache-2.0
/// \file
/// The searches that this node has asked: who has answered, who is asked again and when it is over
/// (PROTOCOL.md, "Searches").
///
/// Invariant: a search ends exactly once: as soon as no node is waited for, or at its deadline;
/// each node asked is then in exactly one of answered, silent and unreachable.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/time.h"

namespace meshd {

class SearchAsker {
  public:
    /// Searches under way; more are refused as overloaded. As many as a node works on for one
    /// asker.
    static constexpr std::size_t kSearchesMax = 64;
    /// A silent node is asked again after its patience, twice as long after each time, up to this;
    /// one that said it is at work after this.
    static constexpr Duration kAgainMax = std::chrono::seconds(1);

    /// Added to three round trips it is the patience with a node.
    static constexpr Duration kPatienceMin = std::chrono::milliseconds(20);

    struct Again {
        std::uint64_t number = 0;
        NodeId node;
    };
    struct Done {
        RequestId request;
        std::uint64_t number = 0;
        std::vector<NodeId> silent;
        std::vector<NodeId> unreachable;  ///< not alive at the asking, or gone before they answered
    };

    bool is_full() const { return searches_.size() >= kSearchesMax; }
    /// Waits for the nodes of `patience` until `deadline`. A node is what its owner takes for one:
    /// the empty id may stand for work that is no node's.
    void ask(TimePoint now, std::uint64_t number, RequestId request,
             const std::map<NodeId, Duration>& patience, std::vector<NodeId> unreachable,
             TimePoint deadline);

    /// An answer came in. The search's request where it is the node's first and to be shown;
    /// nothing for one that only says it is at work, came twice, late or unasked.
    std::optional<RequestId> on_answer(TimePoint now, std::uint64_t number, const NodeId& node,
                                       bool is_pending);
    /// It is no longer alive: not waited for.
    void on_node_gone(const NodeId& node);
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

    std::optional<Again> poll_again();
    /// Nothing where the search is over.
    std::optional<RequestId> request(std::uint64_t number) const;
    /// What is left of the time to answer in; nothing where the search is over.
    std::optional<Duration> remaining(TimePoint now, std::uint64_t number) const;
    std::optional<Done> poll_done();

  private:
    struct Asked {
        TimePoint again_at;
        Duration again_after{};
    };
    struct Search {
        RequestId request;
        std::map<NodeId, Asked> waiting;
        std::vector<NodeId> unreachable;
        TimePoint deadline;
    };
    void finish_if_over(std::map<std::uint64_t, Search>::iterator it);
    void finish(std::map<std::uint64_t, Search>::iterator it);

    std::map<std::uint64_t, Search> searches_;
    std::deque<Again> again_;
    std::deque<Done> done_;
};

}  // namespace meshd
