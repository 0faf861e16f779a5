// SPDX-License-Identifier: Apache-2.0
/// \file
/// How many of one kind of news came in lately, by which a node tells a mesh that forms, or falls
/// apart, from one at rest (PROTOCOL.md, "While much is new"). Counts in windows, so that it costs
/// two numbers whatever comes.
#pragma once

#include <cstddef>

#include "proto/base/time.h"

namespace meshd {

class NewsRate {
  public:
    /// Long against the way of a record through a large mesh, short against a start.
    static constexpr Duration kWindow = std::chrono::milliseconds(250);

    /// `now` never goes back.
    void add(TimePoint now) {
        move_to(now);
        count_ += 1;
    }
    /// In the window under way and the one before: of the last 250 to 500 ms.
    std::size_t recent(TimePoint now) const {
        NewsRate at = *this;
        at.move_to(now);
        return at.count_ + at.before_;
    }

  private:
    void move_to(TimePoint now) {
        if (now - begin_ < kWindow) {
            return;
        }
        const bool is_next = now - begin_ < 2 * kWindow;
        before_ = is_next ? count_ : 0;
        count_ = 0;
        begin_ = is_next ? begin_ + kWindow : now;
    }

    TimePoint begin_;
    std::size_t count_ = 0;
    std::size_t before_ = 0;
};

}  // namespace meshd
