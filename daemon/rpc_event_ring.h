// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <variant>

#include "ipc/event_kind.h"
#include "proto/base/time.h"
#include "proto/node.h"

namespace meshd {

/// One event with its place in the local sequence.
struct Event {
    std::uint64_t number = 0;
    /// Place of the newest alert up to here, this event included.
    std::uint64_t arrival = 0;
    ipc::EventKind kind = ipc::EventKind::Lagged;
    Now at;
    /// The data as JSON text; an alert is kept as a value, since its age goes on.
    std::variant<std::string, AlertView> data;
    /// An alert that came late, by repair.
    bool is_late = false;
    /// What subscribers choose by: of a registry event its type, empty where not known; of a note
    /// its topic.
    std::string label;

    std::size_t bytes() const;
};

/// The last events, bounded in number and bytes: the oldest are forgotten. A *place* is the number
/// of an event, and stands for all up to it.
class EventRing {
  public:
    static constexpr std::size_t kEventsMax = 4096;
    static constexpr std::size_t kBytesMax = std::size_t{8} << 20;

    /// `arrival`: of the newest alert that was there before the first event.
    explicit EventRing(std::uint64_t arrival) : floor_arrival_(arrival) {}

    const Event& push(Event event);
    std::uint64_t newest() const { return newest_; }
    /// Number of the oldest event held; newest() + 1 where none is.
    std::uint64_t oldest() const { return newest_ + 1 - events_.size(); }
    /// The place before all that is held.
    std::uint64_t floor() const { return oldest() - 1; }
    /// An event held: oldest() <= number <= newest().
    const Event& at(std::uint64_t number) const { return events_[number - oldest()]; }
    /// Of the newest alert up to that place: floor() <= number <= newest().
    std::uint64_t arrival_at(std::uint64_t number) const {
        return number == floor() ? floor_arrival_ : at(number).arrival;
    }

  private:
    std::uint64_t newest_ = 0;
    std::uint64_t floor_arrival_;
    std::size_t bytes_ = 0;
    std::deque<Event> events_;
};

}  // namespace meshd
