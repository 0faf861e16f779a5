// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "proto/store/store_impl.h"

namespace meshd {
namespace {

/// Both rising and disjoint.
bool contains(const std::vector<Interval>& intervals, std::uint64_t counter) {
    const auto at = std::lower_bound(
        intervals.begin(), intervals.end(), counter,
        [](const Interval& interval, std::uint64_t value) { return interval.last < value; });
    return at != intervals.end() && at->first <= counter;
}

/// The highest counter to which all from 1 on are in `intervals`, which are in no order.
std::uint64_t covered_from_start(std::vector<Interval> intervals) {
    std::sort(intervals.begin(), intervals.end(),
              [](const Interval& a, const Interval& b) { return a.first < b.first; });
    std::uint64_t reached = 0;
    for (const Interval& interval : intervals) {
        if (interval.first > reached + 1) {
            break;
        }
        reached = std::max(reached, interval.last);
    }
    return reached;
}

/// What is live elsewhere, and here covered without being held.
std::vector<Interval> lost_of(const HeldStream& held, const std::vector<Interval>& live) {
    std::vector<Interval> lost;
    for (const Interval& part : held.covered.shared_with(live)) {
        // At or below the floor too: what a tombstone hid here until its purge is fetched again.
        // What is dead by now is told apart when it comes, since its counter is in doubt.
        std::uint64_t next = part.first;
        for (auto record = held.live.lower_bound(next);
             record != held.live.end() && record->first <= part.last; ++record) {
            if (next < record->first) {
                lost.push_back({next, record->first - 1});
            }
            next = record->first + 1;
        }
        if (next <= part.last) {
            lost.push_back({next, part.last});
        }
    }
    return lost;
}

}  // namespace

bool Store::Impl::is_covered_to(StreamId stream, std::uint64_t floor) const {
    const HeldStream* held = streams.find(stream);
    return floor == 0 || (held != nullptr &&
                          (held->floor >= floor || held->covered.contains(Interval{1, floor})));
}

bool Store::is_behind(const std::vector<StreamIntervals>& theirs) const {
    return std::any_of(theirs.begin(), theirs.end(), [&](const StreamIntervals& their) {
        return their.floor && !impl_->is_own_current(their.stream) &&
               !impl_->unheld.contains(their.stream) &&
               !impl_->is_covered_to(their.stream, *their.floor);
    });
}

bool Store::is_ahead_of(const std::vector<StreamIntervals>& theirs, std::uint32_t buckets) const {
    struct Reported {
        bool is_there = false;
        std::uint64_t floor = 0;
        std::vector<Interval> intervals;
    };
    // Mostly nothing was purged, and what the peer has need not be sorted to know it.
    std::map<StreamId, Reported> by_stream;
    for (const auto& [stream, held] : impl_->streams.all()) {
        if (held.floor != 0 && (buckets >> digest_bucket(stream) & 1) != 0) {
            by_stream.try_emplace(stream);
        }
    }
    if (by_stream.empty()) {
        return false;
    }
    for (const StreamIntervals& their : theirs) {
        const auto found = by_stream.find(their.stream);
        if (found == by_stream.end()) {
            continue;
        }
        Reported& reported = found->second;
        reported.is_there = true;
        reported.floor = std::max(reported.floor, their.floor.value_or(0));
        reported.intervals.insert(reported.intervals.end(), their.intervals.begin(),
                                  their.intervals.end());
    }
    return std::any_of(by_stream.begin(), by_stream.end(), [&](auto& entry) {
        Reported& reported = entry.second;
        const std::uint64_t floor = impl_->streams.find(entry.first)->floor;
        return !reported.is_there || (reported.floor < floor &&
                                      covered_from_start(std::move(reported.intervals)) < floor);
    });
}

std::vector<CensusStream> Store::census() const {
    std::vector<CensusStream> census;
    for (const auto& [stream, held] : impl_->streams.all()) {
        if (!held.is_keyed) {
            continue;
        }
        CensusStream& told = census.emplace_back();
        told.covered = held.intervals(stream);
        for (const auto& [counter, record] : held.live) {
            // Held without being covered: it is nobody's business yet.
            if (!held.covered.contains(counter)) {
                continue;
            }
            if (!told.live.empty() && told.live.back().last + 1 == counter) {
                told.live.back().last = counter;
            } else {
                told.live.push_back({counter, counter});
            }
        }
    }
    return census;
}

std::vector<StreamIntervals> Store::apply_census(const std::vector<CensusStream>& theirs,
                                                 bool is_behind, std::vector<Record>& dead) {
    std::vector<StreamIntervals> all_lost;
    for (const CensusStream& their : theirs) {
        const StreamId stream = their.covered.stream;
        const HeldStream* held = impl_->streams.find(stream);
        if (impl_->unheld.contains(stream) ||
            (held != nullptr && held->author != their.covered.author)) {
            continue;
        }
        if (!is_behind) {
            if (held != nullptr && !impl_->is_own_current(stream)) {
                auto lost = lost_of(*held, their.live);
                // The rest follows in the next: a doubt that is forgotten lets what is dead in.
                const std::size_t doubts_left =
                    limits::kIntervalsMax - held->doubted.intervals().size();
                if (lost.size() > doubts_left) {
                    lost.resize(doubts_left);
                }
                for (const Interval& interval : lost) {
                    ++impl_->counts.found_lost;
                    impl_->streams.uncover(stream, interval);
                }
                if (!lost.empty()) {
                    all_lost.push_back({stream, their.covered.author, std::move(lost)});
                }
            }
            continue;
        }
        std::vector<const HeldRecord*> gone;
        if (held != nullptr) {
            for (const auto& [counter, record] : held->live) {
                if (is_keyed(record.record) && contains(their.covered.intervals, counter) &&
                    !contains(their.live, counter)) {
                    gone.push_back(&record);
                }
            }
        }
        for (const HeldRecord* record : gone) {
            ++impl_->counts.found_dead;
            if (!is_dead(*record)) {
                dead.push_back(*decode_record(record->record.bytes));
            }
            impl_->remove_keyed(*record);
        }
        if (impl_->is_own_current(stream) || !impl_->open_keyed(stream, their.covered.author)) {
            continue;
        }
        // What is dead there is known here from now on, so that nobody else can bring it.
        for (const Interval& part : without(their.covered.intervals, their.live)) {
            impl_->streams.cover(stream, part, their.covered.floor.value_or(0));
        }
    }
    return all_lost;
}

void Store::adopt_floors(const std::vector<StreamIntervals>& theirs) {
    for (const StreamIntervals& their : theirs) {
        if (their.floor && *their.floor != 0 && !impl_->is_own_current(their.stream) &&
            !impl_->unheld.contains(their.stream) &&
            impl_->open_keyed(their.stream, their.author)) {
            impl_->has_adopted =
                impl_->has_adopted || impl_->streams.find(their.stream)->floor < *their.floor;
            impl_->streams.raise_floor(their.stream, *their.floor);
        }
    }
}

bool Store::take_adopted() {
    return std::exchange(impl_->has_adopted, false);
}

}  // namespace meshd
