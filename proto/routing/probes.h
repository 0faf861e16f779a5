// SPDX-License-Identifier: Apache-2.0
/// \file
/// Pings and traces under way (PROTOCOL.md, "Ping and trace"). A ping is answered by its
/// destination; a trace is a ping that each node on the way answers too, with the nodes it had
/// passed by then, so that its path and the round trip to each hop come out.
///
/// Invariant: each probe ends exactly once, at its deadline at the latest.
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

class Probes {
  public:
    /// Under way at once; more are refused as overloaded.
    static constexpr std::size_t kProbesMax = 256;
    /// After the destination's answer a trace waits for that of the hops before for as long as that
    /// took, and at least for this.
    static constexpr Duration kStragglersMin = std::chrono::milliseconds(50);

    struct Hop {
        NodeId node;                  ///< empty: not known to this node by its short id
        std::optional<Duration> rtt;  ///< from here to it and back; nothing: it did not say
    };
    struct Result {
        RequestId request;
        NodeId node;
        bool is_trace = false;
        std::optional<Duration> rtt;  ///< to the destination; nothing: it did not answer
        /// Of the way there, the destination last where it answered: its hops counted from 1.
        std::vector<Hop> hops;
    };

    bool is_full() const { return probes_.size() >= kProbesMax; }
    void start(TimePoint now, std::uint64_t number, RequestId request, NodeId node, bool is_trace,
               TimePoint deadline);
    /// An answer from `from`, whose Ping had passed `passed` before it: this node, then relays.
    void on_pong(TimePoint now, std::uint64_t number, const NodeId& from,
                 const std::vector<NodeId>& passed);
    void on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Result> poll();

  private:
    struct Probe {
        RequestId request;
        NodeId node;
        bool is_trace = false;
        TimePoint started;
        TimePoint deadline;
        std::map<std::size_t, Hop> hops;  ///< by number of hops from here
        std::optional<Duration> rtt;
        std::size_t length = 0;  ///< hops to the destination, once it answered
    };
    void finish(std::map<std::uint64_t, Probe>::iterator it);

    std::map<std::uint64_t, Probe> probes_;
    std::deque<Result> results_;
};

}  // namespace meshd
