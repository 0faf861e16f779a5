// SPDX-License-Identifier: Apache-2.0
#include "proto/store/interval_set.h"

#include <doctest/doctest.h>

#include <set>

#include "proto/base/prng.h"
#include "proto/wire/limits.h"

using namespace meshd;

namespace {

IntervalSet set_of(const std::vector<Interval>& intervals) {
    IntervalSet set;
    for (const Interval& interval : intervals) {
        set.insert(interval);
    }
    return set;
}

}  // namespace

TEST_CASE("interval set: adjacent and overlapping intervals become one") {
    CHECK(set_of({{5, 7}, {1, 2}, {3, 4}}).intervals() == std::vector<Interval>{{1, 7}});
    CHECK(set_of({{1, 2}, {4, 5}, {7, 8}, {2, 7}}).intervals() == std::vector<Interval>{{1, 8}});
    CHECK(set_of({{4, 4}, {1, 1}}).intervals() == std::vector<Interval>{{1, 1}, {4, 4}});
    CHECK(set_of({{1, 9}, {3, 4}}).intervals() == std::vector<Interval>{{1, 9}});
}

TEST_CASE("interval set: intervals that make no sense are ignored") {
    const std::uint64_t max = limits::kCounterMax;
    CHECK(set_of({{0, 3}}).empty());
    CHECK(set_of({{4, 3}}).empty());
    CHECK(set_of({{1, max + 1}}).empty());
    CHECK(set_of({{max, max}}).highest() == max);
    const IntervalSet set = set_of({{3, 4}});
    CHECK(set.missing_from({{0, 9}, {9, 8}, {1, max + 1}}).empty());
    CHECK(set.missing_from({{5, 6}, {5, 5}}) == std::vector<Interval>{{5, 6}});
}

TEST_CASE("interval set: beyond the limit the lowest interval is forgotten") {
    IntervalSet set;
    for (std::uint64_t i = 0; i <= limits::kIntervalsMax; ++i) {
        set.insert({10 + 2 * i, 10 + 2 * i});
    }
    CHECK(set.intervals().size() == limits::kIntervalsMax);
    CHECK_FALSE(set.contains(10));
    CHECK(set.contains(12));
}

TEST_CASE("interval set: what begins at or below a bound is not forgotten") {
    IntervalSet set;
    for (std::uint64_t i = 1; i <= 3 * limits::kIntervalsMax; ++i) {
        set.insert({2 * i, 2 * i}, 2 * limits::kIntervalsMax);
    }
    CHECK(set.intervals().size() == 2 * limits::kIntervalsMax);
    set.insert({8 * limits::kIntervalsMax, 8 * limits::kIntervalsMax}, 2 * limits::kIntervalsMax);
    CHECK(set.intervals().size() == 2 * limits::kIntervalsMax);
    CHECK(set.contains(2));
    CHECK(set.contains(2 * limits::kIntervalsMax));
    CHECK_FALSE(set.contains(2 * limits::kIntervalsMax + 2));
    set.insert({2, 2});
    set.insert({9 * limits::kIntervalsMax, 9 * limits::kIntervalsMax});
    CHECK_FALSE(set.contains(2));
}

TEST_CASE("interval set: agrees with a plain set of numbers") {
    Prng prng(Entropy{7});
    for (int round = 0; round < 200; ++round) {
        IntervalSet set;
        std::set<std::uint64_t> numbers;
        for (int i = 0; i < 12; ++i) {
            const std::uint64_t first = 1 + prng.below(40);
            const std::uint64_t last = first + prng.below(6);
            set.insert({first, last});
            for (std::uint64_t n = first; n <= last; ++n) {
                numbers.insert(n);
            }
        }
        const std::uint64_t split = 2 + prng.below(30);
        const std::vector<Interval> other = {{1, split - 1}, {split + 1, split + 15}};
        std::set<std::uint64_t> missing;
        std::set<std::uint64_t> shared;
        for (const Interval& interval : set.missing_from(other)) {
            for (std::uint64_t n = interval.first; n <= interval.last; ++n) {
                CHECK(missing.insert(n).second);
            }
        }
        for (const Interval& interval : set.shared_with(other)) {
            for (std::uint64_t n = interval.first; n <= interval.last; ++n) {
                CHECK(shared.insert(n).second);
            }
        }
        for (std::uint64_t n = 1; n <= 50; ++n) {
            const bool is_asked = n != split && n <= split + 15;
            CHECK(set.contains(n) == numbers.contains(n));
            CHECK(missing.contains(n) == (is_asked && !numbers.contains(n)));
            CHECK(shared.contains(n) == (is_asked && numbers.contains(n)));
        }
    }
}
