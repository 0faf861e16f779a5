// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "proto/store/store.h"

namespace meshd {

/// Where a record is.
struct RecordPlace {
    StreamId stream;
    std::uint64_t counter = 0;
    friend auto operator<=>(const RecordPlace&, const RecordPlace&) = default;
};

/// The order in which alerts leave: per author and class (critical, other) the oldest by clock
/// where there are more than limits::kAlertsPerAuthorMax; whatever is limits::kAlertAgeMsMax old;
/// and the next to expire where all together are over Store::kAlertBytesMax. It holds no records:
/// its owner removes what it names, here and in the stream.
class AlertShelf {
  public:
    void add(const HeldRecord& alert);
    void remove(const HeldRecord& alert);

    /// The oldest of an author's class that is over its quota.
    std::optional<RecordPlace> over_quota(const NodeId& author, bool is_critical) const;
    std::optional<RecordPlace> over_bytes() const;
    std::optional<RecordPlace> expired(TimePoint now) const;
    std::optional<TimePoint> next_expiry() const;

  private:
    struct Age {
        HybridTime clock;
        RecordPlace place;
        friend auto operator<=>(const Age&, const Age&) = default;
    };
    std::map<std::pair<NodeId, bool>, std::set<Age>> by_author_;
    std::set<std::pair<TimePoint, RecordPlace>> by_expiry_;
    std::size_t bytes_ = 0;
};

bool is_critical(const AlertData& alert);

}  // namespace meshd
