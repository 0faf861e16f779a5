// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/delivery.h"

#include <algorithm>

namespace meshd {

void DeliveryTracker::wait(RequestId request, StreamId stream, std::uint64_t counter,
                           std::vector<NodeId> expected, TimePoint deadline) {
    const auto it =
        waiting_
            .emplace(Key{stream, counter},
                     Waiting{request, {expected.begin(), expected.end()}, {}, {}, deadline})
            .first;
    if (it->second.expected.empty()) {
        finish(it);
    }
}

void DeliveryTracker::on_report(StreamId stream, std::uint64_t counter, const NodeId& from) {
    const auto it = waiting_.find({stream, counter});
    if (it == waiting_.end()) {
        return;
    }
    Waiting& waiting = it->second;
    if (waiting.expected.erase(from) == 0) {
        return;  // nobody asked for: memory stays bounded by the mesh
    }
    waiting.delivered.insert(from);
    waiting.gone.erase(from);
    if (waiting.expected.size() == waiting.gone.size()) {
        finish(it);
    }
}

void DeliveryTracker::on_node_gone(const NodeId& node) {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto current = it++;
        Waiting& waiting = current->second;
        if (waiting.expected.count(node) != 0) {
            waiting.gone.insert(node);
            if (waiting.expected.size() == waiting.gone.size()) {
                finish(current);
            }
        }
    }
}

void DeliveryTracker::on_timeout(TimePoint now) {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        const auto current = it++;
        if (current->second.deadline <= now) {
            finish(current);
        }
    }
}

std::optional<TimePoint> DeliveryTracker::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [key, waiting] : waiting_) {
        next = next ? std::min(*next, waiting.deadline) : waiting.deadline;
    }
    return next;
}

void DeliveryTracker::finish(std::map<Key, Waiting>::iterator it) {
    const Waiting& waiting = it->second;
    results_.push_back({waiting.request,
                        it->first.first,
                        it->first.second,
                        {waiting.delivered.begin(), waiting.delivered.end()},
                        {waiting.expected.begin(), waiting.expected.end()}});
    waiting_.erase(it);
}

std::optional<DeliveryTracker::Result> DeliveryTracker::poll() {
    if (results_.empty()) {
        return std::nullopt;
    }
    Result result = std::move(results_.front());
    results_.erase(results_.begin());
    return result;
}

}  // namespace meshd
