// SPDX-License-Identifier: Apache-2.0
#include "proto/store/interval_set.h"

#include <algorithm>

#include "proto/wire/limits.h"

namespace meshd {
namespace {

bool is_valid(Interval interval) {
    return interval.first >= 1 && interval.first <= interval.last &&
           interval.last <= limits::kCounterMax;
}

/// The first interval that ends at `counter` or later.
auto first_reaching(const std::vector<Interval>& intervals, std::uint64_t counter) {
    return std::lower_bound(
        intervals.begin(), intervals.end(), counter,
        [](const Interval& interval, std::uint64_t value) { return interval.last < value; });
}

}  // namespace

void IntervalSet::forget_surplus(std::uint64_t kept_to) {
    const auto lowest = std::upper_bound(
        intervals_.begin(), intervals_.end(), kept_to,
        [](std::uint64_t value, const Interval& interval) { return value < interval.first; });
    if (static_cast<std::size_t>(intervals_.end() - lowest) > limits::kIntervalsMax) {
        intervals_.erase(lowest);
    }
}

void IntervalSet::insert(Interval interval, std::uint64_t kept_to) {
    if (!is_valid(interval)) {
        return;
    }
    // Adjacent intervals merge, so the search starts one below.
    const auto from = first_reaching(intervals_, interval.first - 1);
    auto to = from;
    while (to != intervals_.end() && to->first <= interval.last + 1) {
        interval.first = std::min(interval.first, to->first);
        interval.last = std::max(interval.last, to->last);
        ++to;
    }
    if (from == to) {
        intervals_.insert(from, interval);
    } else {
        // In place: what stands behind may be megabytes, and moves at most once.
        const auto kept = intervals_.begin() + (from - intervals_.begin());
        *kept = interval;
        intervals_.erase(kept + 1, to);
    }
    forget_surplus(kept_to);
}

void IntervalSet::erase(Interval interval, std::uint64_t kept_to) {
    if (!is_valid(interval)) {
        return;
    }
    const IntervalSet taken_out = [&] {
        IntervalSet one;
        one.insert(interval);
        return one;
    }();
    const std::vector<Interval> rest = taken_out.missing_from(intervals_);
    intervals_ = rest;
    forget_surplus(kept_to);
}

bool IntervalSet::contains(std::uint64_t counter) const {
    return contains(Interval{counter, counter});
}

bool IntervalSet::contains(Interval interval) const {
    const auto found = first_reaching(intervals_, interval.first);
    return found != intervals_.end() && found->first <= interval.first &&
           found->last >= interval.last;
}

std::vector<Interval> IntervalSet::missing_from(const std::vector<Interval>& other) const {
    std::vector<Interval> missing;
    std::uint64_t reached = 0;
    for (const Interval& wanted : other) {
        if (!is_valid(wanted) || wanted.first <= reached) {
            continue;
        }
        reached = wanted.last;
        std::uint64_t next = wanted.first;
        for (auto held = first_reaching(intervals_, next);
             held != intervals_.end() && held->first <= wanted.last; ++held) {
            if (next < held->first) {
                missing.push_back({next, held->first - 1});
            }
            next = held->last + 1;
        }
        if (next <= wanted.last) {
            missing.push_back({next, wanted.last});
        }
    }
    return missing;
}

std::vector<Interval> IntervalSet::shared_with(const std::vector<Interval>& other) const {
    std::vector<Interval> shared;
    std::uint64_t reached = 0;
    for (const Interval& wanted : other) {
        if (!is_valid(wanted) || wanted.first <= reached) {
            continue;
        }
        reached = wanted.last;
        for (auto held = first_reaching(intervals_, wanted.first);
             held != intervals_.end() && held->first <= wanted.last; ++held) {
            shared.push_back(
                {std::max(wanted.first, held->first), std::min(wanted.last, held->last)});
        }
    }
    return shared;
}

std::vector<Interval> without(const std::vector<Interval>& whole,
                              const std::vector<Interval>& taken) {
    std::vector<Interval> rest;
    auto hole = taken.begin();
    for (const Interval& interval : whole) {
        std::uint64_t next = interval.first;
        while (hole != taken.end() && hole->last < next) {
            ++hole;
        }
        for (; hole != taken.end() && hole->first <= interval.last; ++hole) {
            if (next < hole->first) {
                rest.push_back({next, hole->first - 1});
            }
            next = hole->last + 1;
            if (hole->last >= interval.last) {
                break;
            }
        }
        if (next <= interval.last) {
            rest.push_back({next, interval.last});
        }
    }
    return rest;
}

}  // namespace meshd
