// SPDX-License-Identifier: Apache-2.0
/// \file
/// What time it is in the mesh: the median of the own wall clock and of the clock samples that the
/// peers' heartbeats carry (PROTOCOL.md, "Mesh time"). Neither a box at 1970 nor one at 2038
/// decides; a mesh of boxes without a clock has no mesh time.
///
/// Invariants: a sample is kept as its distance to the own monotonic clock, so that a jump of the
/// own wall clock does not move it; implausible clocks, the own one included, have no vote.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "proto/base/node_id.h"
#include "proto/base/time.h"
#include "proto/wire/limits.h"

namespace meshd {

class MeshTime {
  public:
    /// Clocks outside are not set: 2026-01-01, before which no box of this mesh was made, to
    /// 2100-01-01. A plain 1970 or a battery that died is before it.
    static constexpr WallTime kPlausibleMin{1'767'225'600'000};
    static constexpr WallTime kPlausibleMax{4'102'444'800'000};
    /// A sample of a peer whose link is gone counts until it is this old.
    static constexpr Duration kSampleLife = std::chrono::minutes(10);
    /// An own clock further from mesh time than this stamps no records: more than NTP ever slews,
    /// less than a day's mistake of a time zone.
    static constexpr Duration kTolerance = std::chrono::seconds(60);
    /// How often a clock sample goes over a link, by each end; the first goes at once.
    static constexpr Duration kSampleInterval = std::chrono::seconds(30);
    /// One for each link; beyond it the oldest of a link that is gone makes room.
    static constexpr std::size_t kSamplesMax = limits::kLinksMax;

    static constexpr bool is_plausible(WallTime wall) {
        return wall >= kPlausibleMin && wall < kPlausibleMax;
    }

    /// The peer's wall clock showed this just now. An implausible sample takes its former one away.
    void on_sample(TimePoint now, const NodeId& peer, std::int64_t wall_ms);
    void on_link_down(const NodeId& peer);

    /// The median of the plausible clocks, of two in the middle the earlier one; nothing where no
    /// peer's is plausible.
    std::optional<WallTime> known(Now now) const;
    /// As known(), where more than half of the plausible clocks, the own one included, are within
    /// kTolerance of it. A stamp that is off by a day is made good by the clocks of the records it
    /// meets; an age that is off by a day ends what others hold. So ages ask for this.
    std::optional<WallTime> agreed(Now now) const;
    /// With what to stamp records: the own wall clock, but mesh time where that is known and the
    /// own clock is further than kTolerance from it.
    WallTime bounded(Now now) const;

  private:
    struct Sample {
        std::int64_t offset_ms = 0;  ///< wall clock less monotonic clock
        TimePoint taken;
        bool is_linked = true;
    };

    std::vector<WallTime> plausible(Now now) const;

    std::map<NodeId, Sample> samples_;
};

}  // namespace meshd
