// SPDX-License-Identifier: Apache-2.0
/// \file
/// Events of the simulator in the order of their virtual time. Two events of one instant run in the
/// order in which they were scheduled, so that a run is repeatable.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "proto/base/time.h"

namespace meshd::sim {

class EventQueue {
  public:
    using Action = std::function<void()>;

    /// An instant before now() counts as now().
    void schedule(TimePoint when, Action action);

    TimePoint now() const { return now_; }
    std::size_t size() const { return heap_.size(); }

    /// Moves to the earliest event, if it is not later than `limit`, and runs it. Otherwise moves
    /// to `limit` and returns false.
    bool run_one(TimePoint limit);

  private:
    struct Event {
        TimePoint when;
        std::uint64_t number;
        Action action;
    };
    static bool later(const Event& a, const Event& b);

    TimePoint now_{};
    std::uint64_t next_number_ = 0;
    std::vector<Event> heap_;  ///< earliest first, as std::push_heap keeps it
};

}  // namespace meshd::sim
