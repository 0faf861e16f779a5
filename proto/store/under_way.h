// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <vector>

#include "proto/base/time.h"
#include "proto/store/interval_set.h"
#include "proto/wire/message.h"

namespace meshd {

/// What the answers to one peer's pulls cover and may still be on its way: the peer asks on before
/// an answer has come whole, so that the link need not stand still, and does not know what the rest
/// of it brings.
///
/// Only keyed streams are remembered. What is dead in a volatile one is proven by the live records
/// beside it, so that these always go together.
///
/// Invariant: nothing is left out for longer than 2 * kTime after it was sent, so that a delta that
/// was lost on its way all the same is only late.
class UnderWay {
  public:
    static constexpr Duration kTime = std::chrono::seconds(2);

    /// Takes what is under way out of `wants`, and those that want nothing more. `is_idle`: all
    /// that was sent is acknowledged, so that nothing is under way.
    void leave_out(TimePoint now, bool is_idle, std::vector<StreamIntervals>& wants);
    void add(const Delta& sent);

  private:
    using Covers = std::map<StreamId, IntervalSet>;
    std::array<Covers, 2> covers_;  ///< since renewed_at_, and before
    TimePoint renewed_at_;
};

}  // namespace meshd
