// SPDX-License-Identifier: Apache-2.0
#include "daemon/rpc_event_ring.h"

#include <utility>

namespace meshd {

namespace {

/// Fixed part of an event in memory, roughly.
constexpr std::size_t kEventBytes = 256;

}  // namespace

std::size_t Event::bytes() const {
    if (const auto* text = std::get_if<std::string>(&data)) {
        return kEventBytes + text->size() + label.size();
    }
    const AlertView& alert = std::get<AlertView>(data);
    return kEventBytes + alert.alert.size() + alert.path.size() * (NodeId::kLengthMax + 1);
}

const Event& EventRing::push(Event event) {
    event.arrival = arrival_at(newest_);
    if (const auto* alert = std::get_if<AlertView>(&event.data)) {
        event.arrival = std::max(event.arrival, alert->arrival);
    }
    event.number = ++newest_;
    bytes_ += event.bytes();
    events_.push_back(std::move(event));
    // One event always stays, so that what was just published can be told from here.
    while (events_.size() > kEventsMax || (bytes_ > kBytesMax && events_.size() > 1)) {
        bytes_ -= events_.front().bytes();
        floor_arrival_ = events_.front().arrival;
        events_.pop_front();
    }
    return events_.back();
}

}  // namespace meshd
