// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/event_queue.h"

#include <algorithm>
#include <utility>

namespace meshd::sim {

bool EventQueue::later(const Event& a, const Event& b) {
    return a.when != b.when ? a.when > b.when : a.number > b.number;
}

void EventQueue::schedule(TimePoint when, Action action) {
    heap_.push_back({std::max(when, now_), next_number_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
}

bool EventQueue::run_one(TimePoint limit) {
    if (heap_.empty() || heap_.front().when > limit) {
        now_ = std::max(now_, limit);
        return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.when;
    event.action();
    return true;
}

}  // namespace meshd::sim
