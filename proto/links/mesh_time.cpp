// SPDX-License-Identifier: Apache-2.0
#include "proto/links/mesh_time.h"

#include <algorithm>
#include <cstdlib>

namespace meshd {
namespace {

bool is_near(WallTime clock, WallTime mesh) {
    return std::abs(clock.ms - mesh.ms) <= to_ms(MeshTime::kTolerance);
}

}  // namespace

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

/// Of the peers, then the own one; none where no peer's is plausible.
std::vector<WallTime> MeshTime::plausible(Now now) const {
    std::vector<WallTime> clocks;
    for (const auto& [peer, sample] : samples_) {
        const WallTime shown{sample.offset_ms + to_ms(now.monotonic.time_since_epoch())};
        const bool counts = sample.is_linked || now.monotonic - sample.taken <= kSampleLife;
        if (counts && is_plausible(shown)) {
            clocks.push_back(shown);
        }
    }
    if (!clocks.empty() && is_plausible(now.wall)) {
        clocks.push_back(now.wall);
    }
    return clocks;
}

std::optional<WallTime> MeshTime::known(Now now) const {
    std::vector<WallTime> clocks = plausible(now);
    if (clocks.empty()) {
        return std::nullopt;
    }
    // Of two in the middle the earlier: a clock that runs ahead does more harm than one behind.
    const auto middle = clocks.begin() + static_cast<std::ptrdiff_t>((clocks.size() - 1) / 2);
    std::nth_element(clocks.begin(), middle, clocks.end());
    return *middle;
}

std::optional<WallTime> MeshTime::agreed(Now now) const {
    const auto mesh = known(now);
    if (!mesh) {
        return std::nullopt;
    }
    const std::vector<WallTime> clocks = plausible(now);
    const auto near = std::count_if(clocks.begin(), clocks.end(),
                                    [&](WallTime clock) { return is_near(clock, *mesh); });
    return 2 * static_cast<std::size_t>(near) > clocks.size() ? mesh : std::nullopt;
}

WallTime MeshTime::bounded(Now now) const {
    const auto mesh = known(now);
    return !mesh || is_near(now.wall, *mesh) ? now.wall : *mesh;
}

}  // namespace meshd
