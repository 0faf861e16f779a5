// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/sequence_window.h"
#include "proto/base/time.h"

namespace meshd {

/// Drops routed messages seen before: a window of numbers for each (source, start). Bounded: where
/// it is full, the source that was silent longest makes room; nothing is ever cleared wholesale.
class Duplicates {
  public:
    static constexpr std::size_t kWindow = 4096;
    static constexpr std::size_t kSourcesMax = 2048;

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
        }
        it->second.last_used = now;
        return it->second.numbers.accept(seq);
    }

  private:
    using Key = std::pair<NodeId, StartId>;
    struct Window {
        SequenceWindow<kWindow> numbers;
        TimePoint last_used;
    };
    std::map<Key, Window> windows_;
};

}  // namespace meshd
