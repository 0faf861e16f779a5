// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/sequence_window.h"
#include "proto/base/time.h"

namespace meshd {

/// Drops routed messages seen before: a window of numbers for each (source, start). Bounded: where
/// it is full, the source that was silent longest makes room; nothing is ever cleared wholesale.
///
/// A number more than kLeapMax away from the highest seen begins a second window, and the first
/// stays as it was: one made-up number must not silence its source for good, and a source whose
/// other messages go elsewhere really leaps. Of the two windows the one used last is the first, and
/// a third place takes the other's.
class Duplicates {
  public:
    static constexpr std::size_t kWindow = 4096;
    static constexpr std::size_t kSourcesMax = 2048;
    /// What a source may send past this node without a second window.
    static constexpr std::uint64_t kLeapMax = 16 * kWindow;

    /// True where the message is new.
    bool accept(TimePoint now, const NodeId& source, StartId start, std::uint64_t seq) {
        const Key key{source, start};
        auto it = windows_.find(key);
        if (it == windows_.end()) {
            if (windows_.size() >= kSourcesMax) {
                windows_.erase(std::min_element(windows_.begin(), windows_.end(),
                                                [](const auto& a, const auto& b) {
                                                    return a.second.last_used < b.second.last_used;
                                                }));
            }
            it = windows_.emplace(key, Window{}).first;
            it->second.numbers.accept(seq);
            it->second.last_used = now;
            return true;
        }
        Window& window = it->second;
        window.last_used = now;
        if (is_near(window.numbers, seq)) {
            return window.numbers.accept(seq);
        }
        if (!window.other || !is_near(*window.other, seq)) {
            window.other.emplace();
            return window.other->accept(seq);
        }
        if (!window.other->accept(seq)) {
            return false;
        }
        std::swap(window.numbers, *window.other);
        return true;
    }

  private:
    using Key = std::pair<NodeId, StartId>;
    struct Window {
        SequenceWindow<kWindow> numbers;
        TimePoint last_used;
        std::optional<SequenceWindow<kWindow>> other;  ///< where the source may have leapt to
    };
    static bool is_near(const SequenceWindow<kWindow>& numbers, std::uint64_t seq) {
        const std::uint64_t highest = numbers.highest();
        return (seq > highest ? seq - highest : highest - seq) <= kLeapMax;
    }
    std::map<Key, Window> windows_;
};

}  // namespace meshd
