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
/// A number more than kLeapMax away from the highest seen is not believed: it counts as seen and
/// moves nothing, else one made-up number would silence its source for good. Only where the next
/// such number follows it closely has the source really got there (it was not heard for long, or
/// its first number was made up), and the window begins anew (as in RFC 3550, appendix A.1).
class Duplicates {
  public:
    static constexpr std::size_t kWindow = 4096;
    static constexpr std::size_t kSourcesMax = 2048;
    /// What a source may send past this node without being doubted here.
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
        const std::uint64_t highest = window.numbers.highest();
        if ((seq > highest ? seq - highest : highest - seq) > kLeapMax) {
            const std::optional<std::uint64_t> before = std::exchange(window.doubted, seq);
            if (!before || seq <= *before || seq - *before >= kWindow) {
                return false;
            }
            window = Window{{}, now, std::nullopt};
        }
        return window.numbers.accept(seq);
    }

  private:
    using Key = std::pair<NodeId, StartId>;
    struct Window {
        SequenceWindow<kWindow> numbers;
        TimePoint last_used;
        std::optional<std::uint64_t> doubted;  ///< the latest number that was not believed
    };
    std::map<Key, Window> windows_;
};

}  // namespace meshd
