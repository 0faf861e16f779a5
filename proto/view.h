// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a node shows of itself and of the mesh: plain values for the local API and for the
/// simulator's checkers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/endpoint.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/base/security_mode.h"
#include "proto/base/time.h"
#include "proto/links/strangers.h"
#include "proto/routing/topology.h"
#include "proto/store/record.h"
#include "proto/wire/message.h"
#include "proto/wire/message_kind.h"

namespace meshd {

struct StoreView {
    std::size_t records = 0;
    std::size_t memory = 0;  ///< of the records, by Store::memory()
    DigestHashes hashes;
    std::size_t entries = 0;     ///< of the registry, tombstones and stubs left out
    std::size_t tombstones = 0;  ///< and stubs
    std::size_t alerts = 0;
    std::size_t shared = 0;
    std::size_t streams_unheld = 0;  ///< dropped or refused for want of room
    bool has_disk = false;           ///< there is a disk, and it took what it was last given
    std::size_t unwritten = 0;       ///< records and streams waiting for the disk
};

/// Somebody heard who speaks under another key, or in the open where this node does not.
struct ForeignerView {
    Endpoint from;
    bool is_sealed = false;
    Duration last_heard{};  ///< since then
};

/// With whom this node speaks, and how far the mesh has come on the way to that.
struct SecurityView {
    SecurityMode mode = SecurityMode::Open;
    KeyId active;             ///< 0 = none
    std::vector<KeyId> keys;  ///< held, by generation
    bool is_silent = false;   ///< it wants a key and has none: it speaks with nobody
    std::size_t links_sealed = 0;
    std::size_t links_open = 0;
    /// Other nodes alive or offline that have not got the newest key held here.
    std::vector<NodeId> without_newest;
    /// Other nodes alive that speak in the open too.
    std::vector<NodeId> not_sealed;
    std::vector<ForeignerView> foreigners;
};

struct StatusView {
    NodeId node_id;
    InstanceId instance;
    StartId start;
    std::uint32_t run = 1;  ///< Restored::run: alerts that arrive now have it in AlertView::arrival
    std::string version;
    std::string mesh_name;
    Activity activity = Activity::Active;
    Duration uptime{};
    std::size_t peers = 0;        ///< links
    std::size_t nodes_alive = 0;  ///< itself included
    std::size_t nodes_known = 0;  ///< itself included
    bool has_left = false;        ///< mesh.leave was called; mesh.discover rejoins
    /// Since when this node is cut off from all it knows of; absent while it has links, and where
    /// it has never had any.
    std::optional<Duration> isolated_for;
    StoreView store;
    SecurityView security;
    std::vector<std::string> warnings;
};

struct NodeView {
    NodeId node_id;
    NodeStatus status = NodeStatus::Alive;
    bool restarting = false;  ///< with status Left: it said it would be back
    NodeId because;           ///< with status Unreachable
    Activity activity = Activity::Active;
    std::optional<std::uint32_t> hops;  ///< 0 = itself; absent where not reachable
    std::optional<Duration> rtt;        ///< peers only
    std::optional<Endpoint> address;    ///< of the link, else the first it announced
    /// Since its last datagram (peer), or since the last change of what is known of it; 0 for
    /// itself.
    Duration last_seen{};
    std::string version;
    InstanceId instance;
    std::vector<Endpoint> addresses;
    std::vector<NodeId> links;  ///< as it claims them
    SecurityClaim security;
};

struct PeerView {
    NodeId node_id;
    Endpoint address;
    std::optional<Duration> rtt;
    double loss = 0;  ///< share of exchanges without a reply, smoothed, 0 to 1
    Duration up_for{};
    std::size_t queued = 0;       ///< messages waiting or not yet acknowledged
    std::uint8_t cost_class = 0;  ///< as told in the node record: 0 good, 1 lossy, 2 bad
    bool is_suspect = false;      ///< its last exchange has had no answer
    KeyId seal;                   ///< the mesh key it is sealed under; 0 = open
    /// Since the stores were last seen to be equal; absent where they have not been on this link.
    std::optional<Duration> agreed;
};

/// Somebody heard lately who is no member of this mesh.
struct StrangerView {
    Stranger::Kind kind = Stranger::Kind::OtherMesh;
    std::string name;  ///< of its mesh; empty where it is not known
    Endpoint address;
    Duration last_heard{};
};

/// A node that is heard, was asked for a link, and did not answer: it hears nothing from here, or
/// its answers do not come.
struct UnansweredView {
    NodeId node_id;
    Endpoint address;
    Duration last_heard{};
    unsigned failures = 0;  ///< in a row
};

/// What explains why a node is not in the mesh.
struct DiagnosisView {
    std::vector<StrangerView> strangers;     ///< the last one first
    std::vector<UnansweredView> unanswered;  ///< by node id
    std::optional<std::int64_t>
        clock_off_ms;       ///< own wall clock less mesh time, where that is known
    unsigned hops_max = 0;  ///< what travels farther is dropped
};

struct LinkView {
    NodeId a;
    NodeId b;  ///< a < b
    std::uint32_t cost = 0;
};

struct StateView {
    NodeId node_id;
    Activity activity = Activity::Active;
    std::string document;  ///< compact JSON object
    std::uint64_t age_ms = 0;
};

struct EntryView {
    std::string hash;
    NodeId node;
    std::string type;
    std::int64_t timestamp_ms = 0;
    std::uint64_t age_ms = 0;
    std::uint64_t ttl_ms = 0;  ///< 0 = none
    std::string space;
    std::uint32_t dimension = 0;
    /// fp16, little-endian; empty where there is none, or it was not asked for.
    Buffer embedding;
    std::string metadata;  ///< compact JSON object
};

struct EntryFilter {
    std::string hash_prefix;
    std::string type;  ///< empty = any
    NodeId node;       ///< empty = any
    std::optional<std::uint64_t> age_ms_max;
    /// (hash, node) of the last entry of the page before; empty = from the beginning.
    std::string after_hash;
    NodeId after_node;
    std::size_t limit = 100;  ///< at least 1
    bool with_embedding = false;
};

struct EntryPage {
    std::vector<EntryView> entries;
    bool is_last = true;
};

/// One member of the mesh's shared state.
struct SharedView {
    std::string key;
    std::string value;  ///< compact JSON
    NodeId by;          ///< who wrote it last
    std::uint64_t age_ms = 0;
};

/// Which alerts are wanted, and how many of them.
struct AlertFilter {
    std::optional<NodeId> source{};
    Priority least = Priority::Low;
    std::optional<std::uint64_t> age_ms_max{};
    std::string before{};  ///< id of a held one: those that come behind it; empty = from the newest
    std::size_t limit = SIZE_MAX;  ///< from 1 on
    /// Ends with the first that follows so many bytes of alerts.
    std::size_t bytes_max = SIZE_MAX;
};

struct AlertView {
    std::string id;
    NodeId source;
    std::uint64_t seq = 0;  ///< counter in its author's stream
    Priority priority = Priority::Normal;
    std::int64_t timestamp_ms = 0;
    std::uint64_t age_ms = 0;
    std::string alert;         ///< compact JSON object
    std::uint64_t ttl_ms = 0;  ///< 0 = the longest age of alerts
    std::string dedupe_key;
    /// Place in the order in which alerts arrived here, over restarts: (run << 40) + number.
    std::uint64_t arrival = 0;
    std::uint32_t hops = 0;
    /// Node ids, the author first, this node last. Of an alert that came from a disk, what is
    /// known.
    std::vector<std::string> path;
};

}  // namespace meshd
