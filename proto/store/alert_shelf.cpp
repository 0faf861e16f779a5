// SPDX-License-Identifier: Apache-2.0
#include "proto/store/alert_shelf.h"

namespace meshd {
namespace {

RecordPlace place_of(const HeldRecord& alert) {
    return {alert.record.header.stream, alert.record.header.counter};
}

TimePoint expiry_of(const HeldRecord& alert) {
    return alert.arrived + std::chrono::milliseconds(limits::kAlertAgeMsMax) -
           std::chrono::milliseconds(alert.provenance.age_ms);
}

}  // namespace

bool is_critical(const AlertData& alert) {
    return alert.priority == Priority::Critical;
}

void AlertShelf::add(const HeldRecord& alert) {
    const RecordHeader& header = alert.record.header;
    by_author_[{header.author, is_critical(*alert.record.alert)}].insert(
        {header.clock, place_of(alert)});
    by_expiry_.emplace(expiry_of(alert), place_of(alert));
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

}  // namespace meshd
