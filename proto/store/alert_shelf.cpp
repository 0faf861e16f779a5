// SPDX-License-Identifier: Apache-2.0
#include "proto/store/alert_shelf.h"

#include <algorithm>
#include <iterator>

namespace meshd {
namespace {

RecordPlace place_of(const HeldRecord& alert) {
    return {alert.record.header.stream, alert.record.header.counter};
}

TimePoint expiry_of(const HeldRecord& alert) {
    return alert.arrived + std::chrono::milliseconds(alert_age_ms_max(*alert.record.alert)) -
           std::chrono::milliseconds(alert.provenance.age_ms);
}

}  // namespace

std::uint64_t alert_age_ms_max(const AlertData& alert) {
    constexpr std::uint64_t kLongest{limits::kAlertAgeMsMax};
    return alert.ttl_ms == 0 ? kLongest : std::min(alert.ttl_ms, kLongest);
}

bool is_critical(const AlertData& alert) {
    return alert.priority == Priority::Critical;
}

void AlertShelf::add(const HeldRecord& alert) {
    const RecordHeader& header = alert.record.header;
    // A new alert is mostly the last by each of them: put there, it is compared with one other.
    auto& ages = by_author_[{header.author, is_critical(*alert.record.alert)}];
    ages.insert(ages.end(), {header.clock, place_of(alert)});
    by_expiry_.emplace_hint(by_expiry_.end(), expiry_of(alert), place_of(alert));
    auto& counters = by_stream_[{header.stream, is_critical(*alert.record.alert)}];
    counters.insert(counters.end(), header.counter);
    by_arrival_.emplace_hint(by_arrival_.end(), alert.arrival, place_of(alert));
    bytes_ += alert.record.bytes.size();
}

void AlertShelf::remove(const HeldRecord& alert) {
    const RecordHeader& header = alert.record.header;
    const auto found = by_author_.find({header.author, is_critical(*alert.record.alert)});
    found->second.erase({header.clock, place_of(alert)});
    if (found->second.empty()) {
        by_author_.erase(found);
    }
    by_expiry_.erase({expiry_of(alert), place_of(alert)});
    const auto in_stream = by_stream_.find({header.stream, is_critical(*alert.record.alert)});
    in_stream->second.erase(header.counter);
    if (in_stream->second.empty()) {
        by_stream_.erase(in_stream);
    }
    by_arrival_.erase({alert.arrival, place_of(alert)});
    bytes_ -= alert.record.bytes.size();
}

std::optional<RecordPlace> AlertShelf::over_quota(const NodeId& author, bool is_critical) const {
    const auto found = by_author_.find({author, is_critical});
    if (found == by_author_.end() || found->second.size() <= limits::kAlertsPerAuthorMax) {
        return std::nullopt;
    }
    return found->second.begin()->place;
}

std::optional<RecordPlace> AlertShelf::over_bytes() const {
    return bytes_ <= Store::kAlertBytesMax ? std::nullopt
                                           : std::optional(by_expiry_.begin()->second);
}

std::optional<RecordPlace> AlertShelf::expired(TimePoint now) const {
    return by_expiry_.empty() || by_expiry_.begin()->first > now
               ? std::nullopt
               : std::optional(by_expiry_.begin()->second);
}

std::optional<TimePoint> AlertShelf::next_expiry() const {
    return by_expiry_.empty() ? std::nullopt : std::optional(by_expiry_.begin()->first);
}

std::optional<std::uint64_t> AlertShelf::lowest(StreamId stream, bool is_critical) const {
    const auto found = by_stream_.find({stream, is_critical});
    return found == by_stream_.end() ? std::nullopt : std::optional(*found->second.begin());
}

void AlertShelf::newest(const HeldRecord* before,
                        const std::function<bool(const RecordPlace&)>& visit) const {
    struct Run {
        std::set<Age>::const_reverse_iterator next;
        std::set<Age>::const_reverse_iterator end;
    };
    std::vector<Run> runs;  // a heap
    for (const auto& [author, ages] : by_author_) {
        const auto end = before == nullptr
                             ? ages.end()
                             : ages.lower_bound({before->record.header.clock, place_of(*before)});
        if (end != ages.begin()) {
            runs.push_back({std::make_reverse_iterator(end), ages.rend()});
        }
    }
    const auto is_older = [](const Run& a, const Run& b) { return *a.next < *b.next; };
    std::make_heap(runs.begin(), runs.end(), is_older);
    while (!runs.empty() && visit(runs.front().next->place)) {
        std::pop_heap(runs.begin(), runs.end(), is_older);
        if (++runs.back().next == runs.back().end) {
            runs.pop_back();
        } else {
            std::push_heap(runs.begin(), runs.end(), is_older);
        }
    }
}

std::vector<RecordPlace> AlertShelf::after(std::uint64_t arrival, std::size_t limit) const {
    std::vector<RecordPlace> places;
    for (auto next = by_arrival_.lower_bound({arrival + 1, RecordPlace{}});
         next != by_arrival_.end() && places.size() < limit; ++next) {
        places.push_back(next->second);
    }
    return places;
}

}  // namespace meshd
