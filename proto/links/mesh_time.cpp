// SPDX-License-Identifier: Apache-2.0
#include "proto/links/mesh_time.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace meshd {

void MeshTime::on_sample(TimePoint now, const NodeId& peer, std::int64_t wall_ms) {
    if (!is_plausible({wall_ms})) {
        samples_.erase(peer);
        return;
    }
    if (samples_.size() >= kSamplesMax && samples_.count(peer) == 0) {
        auto oldest = samples_.end();
        for (auto it = samples_.begin(); it != samples_.end(); ++it) {
            const bool is_older =
                oldest == samples_.end() || it->second.taken < oldest->second.taken;
            if (!it->second.is_linked && is_older) {
                oldest = it;
            }
        }
        if (oldest == samples_.end()) {
            return;
        }
        samples_.erase(oldest);
    }
    samples_[peer] = {wall_ms - to_ms(now.time_since_epoch()), now, true};
}

void MeshTime::on_link_down(const NodeId& peer) {
    const auto it = samples_.find(peer);
    if (it != samples_.end()) {
        it->second.is_linked = false;
    }
}

std::optional<WallTime> MeshTime::known(Now now) const {
    std::vector<WallTime> clocks;
    for (const auto& [peer, sample] : samples_) {
        const WallTime shown{sample.offset_ms + to_ms(now.monotonic.time_since_epoch())};
        const bool counts = sample.is_linked || now.monotonic - sample.taken <= kSampleLife;
        if (counts && is_plausible(shown)) {
            clocks.push_back(shown);
        }
    }
    if (clocks.empty()) {
        return std::nullopt;
    }
    if (is_plausible(now.wall)) {
        clocks.push_back(now.wall);
    }
    // Of two in the middle the earlier: a clock that runs ahead does more harm than one behind.
    const auto middle = clocks.begin() + static_cast<std::ptrdiff_t>((clocks.size() - 1) / 2);
    std::nth_element(clocks.begin(), middle, clocks.end());
    return *middle;
}

WallTime MeshTime::bounded(Now now) const {
    const auto mesh = known(now);
    if (!mesh || std::abs(now.wall.ms - mesh->ms) <= to_ms(kTolerance)) {
        return now.wall;
    }
    return *mesh;
}

}  // namespace meshd
