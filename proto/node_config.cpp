// SPDX-License-Identifier: Apache-2.0
#include "proto/node_impl.h"

namespace meshd {

void Node::Impl::handle_config(Now now, const Config& config) {
    at(now);
    config_.max_peers = config.max_peers;
    config_.broadcast_interval = config.broadcast_interval;
    config_.broadcast_interval_max = config.broadcast_interval_max;
    config_.heartbeat_interval = config.heartbeat_interval;
    config_.link_patience = config.link_patience;
    config_.link_patience_max = config.link_patience_max;
    config_.forget_after = config.forget_after;
    config_.own_entries_max = config.own_entries_max;
    config_.persist_interval = config.persist_interval;
    config_.persist_interval_others = config.persist_interval_others;

    neighbours_.set_limits(now.monotonic, config_.max_peers, heard_for(config_));
    discovery_.set_intervals(now.monotonic, config_.broadcast_interval,
                             config_.broadcast_interval_max);
    // The heartbeat interval counts from each link's next exchange on: to draw all anew would bring
    // the exchanges of the whole node together.
    for (auto& [peer, link] : links_) {
        link.liveness.set_patience({config_.link_patience, config_.link_patience_max});
    }
    update_forget_time(now.monotonic);
    settle(now);
}

}  // namespace meshd
