// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "proto/wire/message.h"

namespace meshd {

/// A set of counters as closed intervals: rising, disjoint, not adjacent, at most
/// limits::kIntervalsMax (beyond it the lowest interval is forgotten, which only costs a fetch).
class IntervalSet {
  public:
    /// first ≥ 1, first ≤ last.
    void insert(Interval interval);
    bool contains(std::uint64_t counter) const;
    bool contains(Interval interval) const;
    /// Parts of `other` that are not in here.
    std::vector<Interval> missing_from(const std::vector<Interval>& other) const;
    std::uint64_t highest() const { return intervals_.empty() ? 0 : intervals_.back().last; }
    bool empty() const { return intervals_.empty(); }
    const std::vector<Interval>& intervals() const { return intervals_; }

  private:
    std::vector<Interval> intervals_;
};

}  // namespace meshd
