// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/store/store.h"

namespace meshd {

/// The order in which alerts leave: per author and class (critical, other) the oldest by clock
/// where there are more than limits::kAlertsPerAuthorMax; whatever reaches its ttl or
/// limits::kAlertAgeMsMax; and the next to expire where all together are over
/// Store::kAlertBytesMax. It holds no records: its owner removes what it names, here and in the
/// stream.
class AlertShelf {
  public:
    void add(const HeldRecord& alert);
    void remove(const HeldRecord& alert);

    /// The oldest of an author's class that is over its quota.
    std::optional<RecordPlace> over_quota(const NodeId& author, bool is_critical) const;
    std::optional<RecordPlace> over_bytes() const;
    std::optional<RecordPlace> expired(TimePoint now) const;
    std::optional<TimePoint> next_expiry() const;
    /// Lowest counter of an alert of that class in a stream; nothing where there is none.
    std::optional<std::uint64_t> lowest(StreamId stream, bool is_critical) const;
    /// Visits the places newest first by clock, of those older than `before` where it is given,
    /// until `visit` says false.
    void newest(const HeldRecord* before,
                const std::function<bool(const RecordPlace&)>& visit) const;
    /// Places of the first `limit` alerts behind `arrival`, in order of arrival.
    std::vector<RecordPlace> after(std::uint64_t arrival, std::size_t limit) const;
    std::size_t size() const { return by_expiry_.size(); }

  private:
    struct Age {
        HybridTime clock;
        RecordPlace place;
        friend auto operator<=>(const Age&, const Age&) = default;
    };
    std::map<std::pair<NodeId, bool>, std::set<Age>> by_author_;
    std::set<std::pair<TimePoint, RecordPlace>> by_expiry_;
    std::map<std::pair<StreamId, bool>, std::set<std::uint64_t>> by_stream_;
    std::set<std::pair<std::uint64_t, RecordPlace>> by_arrival_;
    std::size_t bytes_ = 0;
};

bool is_critical(const AlertData& alert);
/// Age at which every holder drops it.
std::uint64_t alert_age_ms_max(const AlertData& alert);

}  // namespace meshd
