// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which scrapped nodes were forgotten for good, by whom, and what to do about a record of one that
/// comes back (PROTOCOL.md, "Forgetting a node").
///
/// A mark names a node's start by its volatile stream. It is remembered beyond the record that
/// named it, so that who was away does not bring the node back. A start that lives after all makes
/// the mark void: a caller may have taken a box that was only cut off for a scrapped one. Starts
/// before the marked one are dead as well; later ones are no business of the mark.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/record.h"

namespace meshd {

class Forgetting {
  public:
    /// A record of a forgotten start may be news of its return: the confirmation of its links comes
    /// a moment later. And the news that it is gone may be slower than the mark.
    static constexpr Duration kSettle = std::chrono::seconds(5);
    /// Whoever has to repeat a mark that no record names any more waits up to so long, so that one
    /// or two do it and not all.
    static constexpr Duration kRepeatJitter = std::chrono::seconds(3);
    /// Marks remembered; others' beyond it are refused, and counted. As many as there may be nodes.
    static constexpr std::size_t kMarksMax = limits::kNodesMax;

    /// What is known of the marked node.
    struct Facts {
        /// Since when the node record of the start, or of one before it, is held.
        std::optional<TimePoint> held_since;
        bool is_later_start = false;  ///< a node record of a later start is held
        bool is_alive = false;
        bool is_claimed = false;  ///< not held, and a node that is alive says it has a link to it
    };
    enum class Verdict {
        Nothing,
        Drop,   ///< forget the node now
        Void,   ///< it lives: its records are wanted again
        Later,  ///< look again at next_look()
    };

    /// `keep`: how long a mark holds; Config::tombstone_time.
    Forgetting(NodeId self, Duration keep) : self_(std::move(self)), keep_(keep) {}

    /// A local caller asks for it: from now on the own record names it.
    void forget(TimePoint now, const ForgottenNode& node);
    /// Before all marks of all held node records are named anew.
    void begin_naming();
    void on_named(TimePoint now, const ForgottenNode& node, const NodeId& by);
    /// After these: what lost its force is dropped.
    void end_naming(TimePoint now);

    /// Marks in force, each start once, rising.
    std::vector<ForgottenNode> marks() const;
    /// Of each mark after end_naming: what to do. `jitter` is below kRepeatJitter.
    Verdict judge(TimePoint now, const ForgottenNode& node, const Facts& facts, Duration jitter);
    /// A peer still holds the start: where no record names the mark any more, it will be named by
    /// the own one.
    void on_met(TimePoint now, const ForgottenNode& node, Duration jitter);
    /// Who had it forgotten: the first by name of those who say so.
    NodeId forgotten_by(const ForgottenNode& node) const;

    /// What the own node record names: the newest limits::kForgottenMax, rising.
    std::vector<ForgottenNode> own() const;
    /// When judge has more to say, or a mark ends.
    std::optional<TimePoint> next_look() const;
    /// Marks refused since the last call, for want of room.
    std::uint64_t take_refused() { return std::exchange(refused_, 0); }

  private:
    struct Mark {
        TimePoint since;
        HybridTime clock;
        bool is_named = false;
        bool is_void = false;
    };
    using Key = std::tuple<NodeId, StreamId, NodeId>;  ///< node, stream, by

    using Start = std::pair<NodeId, StreamId>;

    bool is_named(const Start& start) const;
    TimePoint known_since(const Start& start) const;
    void look_at(TimePoint at) { look_at_ = look_at_ ? std::min(*look_at_, at) : at; }
    template <class Visit>
    void for_each_of(const Start& start, Visit visit) const;
    static Start start_of(const ForgottenNode& node) { return {node.node, node.stream}; }

    NodeId self_;
    Duration keep_;
    std::map<Key, Mark> marks_;
    std::map<Start, TimePoint> repeat_at_;  ///< not named any more, and met again
    std::optional<TimePoint> look_at_;
    std::uint64_t refused_ = 0;
};

}  // namespace meshd
