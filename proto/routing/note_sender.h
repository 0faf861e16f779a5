// SPDX-License-Identifier: Apache-2.0
/// \file
/// Notes to one node on their way: waiting for a route, or for the acknowledgement from the other
/// end (PROTOCOL.md, "Notes").
///
/// Each hop acknowledges and repeats by itself, so a note is lost only with a node on its way, or
/// where a relay knows no next hop. That is rare and found late; hence the long and doubling
/// intervals between repetitions from end to end.
///
/// Invariant: each note ends exactly once, at its deadline at the latest.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/time.h"

namespace meshd {

/// What became of a note to one node.
enum class NoteOutcome : std::uint8_t {
    Sent,          ///< on its way; no acknowledgement was asked for
    Acknowledged,  ///< by the other end
    NoRoute,       ///< there was no way to it all the while
    Silent,        ///< sent, and not acknowledged in time
};

class NoteSender {
  public:
    /// Notes under way, and their bytes; more are refused as overloaded.
    static constexpr std::size_t kNotesMax = 256;
    static constexpr std::size_t kBytesMax = std::size_t{4} << 20;
    static constexpr Duration kAgainMin = std::chrono::milliseconds(700);
    static constexpr Duration kAgainMax = std::chrono::seconds(2);

    struct Outgoing {
        RequestId request;
        NodeId node;
        Buffer note;
        bool wants_ack = false;
        TimePoint deadline;
    };
    struct Result {
        RequestId request;
        NodeId node;
        NoteOutcome outcome = NoteOutcome::Sent;
        Duration took{};
    };

    bool has_room(std::size_t bytes) const {
        return notes_.size() < kNotesMax && bytes_ + bytes <= kBytesMax;
    }
    /// Its first attempt is due at once.
    void send(TimePoint now, std::uint64_t number, Outgoing note);
    /// The number of a note whose attempt is due.
    std::optional<std::uint64_t> poll_attempt();
    const Outgoing& note(std::uint64_t number) const { return notes_.at(number).what; }
    /// What the attempt came to: sent towards the node, or there is no route.
    void on_attempt(TimePoint now, std::uint64_t number, bool was_sent);
    void on_ack(TimePoint now, std::uint64_t number, const NodeId& from);
    /// Whatever has not been sent yet is tried again.
    void on_routes_changed();
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Result> poll_result();

  private:
    struct Pending {
        Outgoing what;
        TimePoint started;
        bool is_sent = false;
        std::optional<TimePoint> again_at;
        Duration again_after = kAgainMin;
    };
    void finish(TimePoint now, std::map<std::uint64_t, Pending>::iterator it, NoteOutcome outcome);

    std::map<std::uint64_t, Pending> notes_;
    std::size_t bytes_ = 0;
    std::deque<std::uint64_t> due_;
    std::deque<Result> results_;
};

}  // namespace meshd
