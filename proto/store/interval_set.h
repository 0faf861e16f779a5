// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "proto/wire/message.h"

namespace meshd {

/// A set of counters as closed intervals: rising, disjoint, not adjacent. Of those that begin above
/// `kept_to` at most limits::kIntervalsMax: beyond it the lowest is forgotten, which only costs a
/// fetch. The others stay, however many.
class IntervalSet {
  public:
    /// Intervals that break 1 ≤ first ≤ last ≤ limits::kCounterMax are ignored: they come from
    /// elsewhere.
    void insert(Interval interval, std::uint64_t kept_to = 0);
    /// Takes counters out again.
    void erase(Interval interval, std::uint64_t kept_to = 0);
    bool contains(std::uint64_t counter) const;
    bool contains(Interval interval) const;
    /// Parts of `other` that are not in here, rising. `other` must be rising and disjoint; what is
    /// not is left out.
    std::vector<Interval> missing_from(const std::vector<Interval>& other) const;
    /// Parts of `other` that are in here; the same condition.
    std::vector<Interval> shared_with(const std::vector<Interval>& other) const;
    std::uint64_t highest() const { return intervals_.empty() ? 0 : intervals_.back().last; }
    bool empty() const { return intervals_.empty(); }
    const std::vector<Interval>& intervals() const { return intervals_; }

  private:
    void forget_surplus(std::uint64_t kept_to);

    std::vector<Interval> intervals_;
};

/// Parts of `whole` that are in none of `taken`, rising; both rising and disjoint. However many
/// there are: nothing is forgotten here.
std::vector<Interval> without(const std::vector<Interval>& whole,
                              const std::vector<Interval>& taken);

}  // namespace meshd
