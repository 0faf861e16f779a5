// SPDX-License-Identifier: Apache-2.0
#include "daemon/beacon_watch.h"

namespace meshd {
namespace {

constexpr std::string_view kStillWorks =
    "; links, and nodes whose address is known (mesh.bootstrap), still work";

}  // namespace

void BeaconWatch::on_sent() {
    ++multicast_.unechoed;
    ++broadcast_.unechoed;
}

void BeaconWatch::on_own(BeaconWay which) {
    way(which).unechoed = 0;
}

void BeaconWatch::on_other(BeaconWay which) {
    has_heard_ = true;
    way(which).missed = 0;
    ++way(which == BeaconWay::Multicast ? BeaconWay::Broadcast : BeaconWay::Multicast).missed;
}

void BeaconWatch::on_tick(TimePoint now, bool has_peers) {
    if (has_heard_ || !has_peers) {
        silent_since_.reset();
    } else if (!silent_since_) {
        silent_since_ = now;
    }
    has_heard_ = false;
    is_silent_ = silent_since_ && now - *silent_since_ >= options_.silence_max;
}

std::string BeaconWatch::trouble() const {
    // The latest own beacon may be on its way back.
    const auto is_unechoed = [](const Way& way) { return way.unechoed > kUnechoedMax; };
    const bool multicast_lost = options_.has_multicast && is_unechoed(multicast_);
    const bool broadcast_lost = options_.has_broadcast && is_unechoed(broadcast_);
    std::string text;
    if (multicast_lost || broadcast_lost) {
        text = "own beacons by ";
        text += multicast_lost && broadcast_lost ? "multicast and broadcast"
                : multicast_lost                 ? "multicast"
                                                 : "broadcast";
        text +=
            " are not heard back: a packet filter of this host drops them, and those of other "
            "nodes with them";
    } else if (!options_.has_multicast || !options_.has_broadcast) {
        text = is_silent_ ? "no beacon of another node is heard, though some of this subnet are "
                            "peers: the network keeps them apart"
                          : "";
    } else if (is_silent_) {
        text =
            "no beacon of another node is heard, neither by multicast nor by broadcast, though "
            "some "
            "of this subnet are peers: the network keeps them apart (isolation of Wi-Fi clients?)";
    } else if (misses_multicast()) {
        text =
            "beacons of other nodes come by broadcast only: the network does not forward multicast "
            "to this node (IGMP snooping without a querier?)";
    } else if (broadcast_.missed >= kMissedMax) {
        text =
            "beacons of other nodes come by multicast only: the network does not forward broadcast "
            "to this node";
    }
    return text.empty() ? text : text + std::string(kStillWorks);
}

}  // namespace meshd
