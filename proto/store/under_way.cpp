// SPDX-License-Identifier: Apache-2.0
#include "proto/store/under_way.h"

#include <utility>

namespace meshd {

void UnderWay::leave_out(TimePoint now, bool is_idle, std::vector<StreamIntervals>& wants) {
    if (is_idle) {
        covers_ = {};
    }
    if (now - renewed_at_ >= kTime) {
        // After a pause longer than that, neither part is young enough.
        covers_[1] = now - renewed_at_ < 2 * kTime ? std::move(covers_[0]) : Covers();
        covers_[0].clear();
        renewed_at_ = now;
    }
    for (const Covers& covers : covers_) {
        for (StreamIntervals& want : wants) {
            if (const auto found = covers.find(want.stream); found != covers.end()) {
                want.intervals = without(want.intervals, found->second.intervals());
            }
        }
    }
    std::erase_if(wants, [](const StreamIntervals& want) { return want.intervals.empty(); });
}

void UnderWay::add(const Delta& sent) {
    for (const StreamIntervals& covered : sent.covers) {
        if (!covered.floor) {
            continue;
        }
        for (const Interval& interval : covered.intervals) {
            covers_[0][covered.stream].insert(interval);
        }
    }
}

}  // namespace meshd
