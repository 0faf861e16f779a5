// SPDX-License-Identifier: Apache-2.0
/// \file
/// Intervals and limits of the core. Each has its reason; the daemon's configuration file sets some
/// of them (etc/meshd.yaml), tests set all of them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/prng.h"
#include "proto/base/security_mode.h"
#include "proto/base/time.h"
#include "proto/crypto/keyring.h"
#include "proto/wire/features.h"
#include "proto/wire/limits.h"

namespace meshd {

struct Config {
    /// Nodes of another mesh name ignore each other.
    std::string mesh_name = "default";
    /// The core's own default is what needs no key; the daemon's is Sealed.
    SecurityMode security = SecurityMode::Open;
    /// Links a node holds; a bridge (the only way to a node) may exceed it up to `bridges_max`.
    std::size_t max_peers = 10;
    std::size_t bridges_max = 32;
    /// Beacon period once the fast start is over, and where backing off ends while nothing changes.
    Duration broadcast_interval = std::chrono::seconds(5);
    Duration broadcast_interval_max = std::chrono::seconds(60);
    /// Longest period of the exchange on a link: with few links it is shorter, so that a node is
    /// checked about once a second by somebody (links/liveness.h).
    Duration heartbeat_interval = std::chrono::seconds(5);
    /// How long a suspect link is probed in vain before it is down: at least; more on a link that
    /// has recovered from longer gaps, up to the other.
    Duration link_patience = std::chrono::milliseconds(600);
    Duration link_patience_max = std::chrono::seconds(3);
    /// Offline nodes are remembered with their data for so long.
    Duration forget_after = std::chrono::hours(24);
    /// Tombstones, and stubs of what expired, are kept for so long: whoever is away longer compares
    /// all it holds on its return.
    Duration tombstone_time = std::chrono::hours(24);
    /// Registry entries of this node; beyond it, it deletes its oldest.
    std::size_t own_entries_max = 200'000;
    /// Memory of the records, by estimate; beyond it, streams of others are dropped, of the longest
    /// offline first.
    std::size_t store_memory_max = std::size_t{1} << 30;
    /// Own registry and shared records are on disk after this time at the latest, and those of
    /// others after the longer one: SD cards wear.
    Duration persist_interval = std::chrono::seconds(1);
    Duration persist_interval_others = std::chrono::seconds(5);
    /// Datagrams of answers to pulls that may be on their way to this node at once: half of what
    /// its receive buffer holds, by default that of Linux.
    std::size_t receive_window = 46;
    std::size_t datagram_bytes = limits::kDatagramBytesDefault;
    /// Addresses asked by unicast for ever, where broadcast does not reach.
    std::vector<Endpoint> bootstrap;
    /// State document and activity at start.
    std::string initial_state = "{}";
};

/// What a node is told at its start and keeps.
struct NodeOptions {
    NodeId node_id;
    InstanceId instance;  ///< kept by the driver over restarts
    Entropy entropy{};    ///< 32 bytes: getrandom in the daemon, a constant in the simulator
    std::string version;  ///< of the software, for the node record
    Keyring keyring{};    ///< as the driver keeps it
    /// What it can do (features.h); less than all to behave as an earlier version.
    std::uint32_t features = features::kAll;
};

}  // namespace meshd
