// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether beacons pass on an interface. Every beacon leaves by broadcast and by multicast, and the
/// kernel loops both back to their sender; what does not come says what the network, or a filter on
/// this host, keeps away. Only a diagnosis: anybody can send to the port, and links do without
/// beacons once addresses are known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/time.h"

namespace meshd {

enum class BeaconWay : std::uint8_t { Multicast, Broadcast };

class BeaconWatch {
  public:
    struct Options {
        bool has_multicast = false;
        bool has_broadcast = false;
        /// Peers in the subnet of which no beacon came for so long: beacons are kept apart.
        Duration silence_max = std::chrono::minutes(10);
    };
    /// Own beacons in a row that were not heard back.
    static constexpr unsigned kUnechoedMax = 3;
    /// Beacons of others in a row that came by the other way only. With 20 % loss that happens by
    /// chance once in 16 000 beacons, and heals with the next one.
    static constexpr unsigned kMissedMax = 6;

    explicit BeaconWatch(Options options) : options_(options) {}

    void on_sent();
    void on_own(BeaconWay way);
    void on_other(BeaconWay way);
    /// To be called every few seconds; `has_peers`: links are up to nodes in the interface's
    /// subnet.
    void on_tick(TimePoint now, bool has_peers);

    /// Beacons of others come, but none by multicast.
    bool misses_multicast() const {
        return options_.has_multicast && multicast_.missed >= kMissedMax;
    }
    /// What does not pass, for mesh.status: empty, or text that follows the interface's name.
    std::string trouble() const;

  private:
    struct Way {
        unsigned unechoed = 0;
        unsigned missed = 0;
    };
    Way& way(BeaconWay which) { return which == BeaconWay::Multicast ? multicast_ : broadcast_; }

    Options options_;
    Way multicast_;
    Way broadcast_;
    bool has_heard_ = false;  ///< a beacon of others, since the last tick
    std::optional<TimePoint> silent_since_;
    bool is_silent_ = false;
};

}  // namespace meshd
