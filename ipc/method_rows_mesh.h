// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods about the mesh and the node itself, for the method
/// table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

inline constexpr Field kStatusResult[] = {
    {"node_id", "string"},
    {"instance", "string", "one installation"},
    {"start", "string", "one process start"},
    {"version", "string"},
    {"mesh", "string", "name of the mesh"},
    {"activity", "string"},
    {"uptime_s", "integer"},
    {"security", "string"},
    {"peers", "integer", "links"},
    {"nodes_alive", "integer", "itself included"},
    {"nodes_known", "integer", "itself included"},
    {"left", "boolean", "after mesh.leave"},
    {"isolated", "boolean", "cut off: it had links, and has none"},
    {"isolated_ms", "integer|null", "for how long"},
    {"store", "object", "what the replicated store holds"},
    {"sealing", "object"},
    {"warnings", "array"},
};
inline constexpr Field kStatsResult[] = {
    {"node_id", "string"},
    {"is_running", "boolean", "false after mesh.leave"},
    {"alive_peers", "integer", "other nodes alive"},
    {"total_peers", "integer", "other nodes known"},
    {"messages_sent", "integer"},
    {"messages_received", "integer"},
    {"messages_routed", "integer"},
    {"peers_discovered", "integer"},
    {"heartbeats_sent", "integer"},
    {"alerts_sent", "integer"},
    {"datagrams_sent", "integer"},
    {"datagrams_received", "integer"},
    {"bytes_sent", "integer"},
    {"bytes_received", "integer"},
    {"counters", "object", "all others by name"},
    {"drops", "object", "what was dropped, by reason"},
};

inline constexpr Param kNodesParams[] = {
    {.name = "state",
     .type = ParamType::Boolean,
     .doc = "with each node's state document",
     .default_json = "false"},
};
inline constexpr Field kNodesResult[] = {{"nodes", "array", "all known nodes, by node id"}};
inline constexpr ErrorCode kNodesErrors[] = {Overloaded};

inline constexpr Param kNodeParams[] = {
    {.name = "node_id", .type = ParamType::NodeName, .doc = "which", .is_required = true},
};
inline constexpr Field kNodeResult[] = {
    {"node_id", "string"},
    {"status", "string", "alive, unreachable, offline or left"},
    {"because", "string|null", "the node whose loss cut it off"},
    {"activity", "string"},
    {"hops", "integer|null", "0 is the node itself"},
    {"rtt_ms", "number|null", "peers only"},
    {"address", "string|null"},
    {"last_seen_ms", "integer", "since its last sign of life"},
    {"restarting", "boolean", "left, and said it would be back"},
    {"version", "string"},
    {"instance", "string"},
    {"addresses", "array", "as it announced them"},
    {"links", "array", "node ids, as it claims them"},
    {"state", "object|null"},
};
inline constexpr ErrorCode kNodeErrors[] = {UnknownNode};

inline constexpr Field kPeersResult[] = {{"peers", "array", "the links of this node"}};
inline constexpr Field kRoutesResult[] = {{"routes", "array", "by destination"}};
inline constexpr Field kTopologyResult[] = {
    {"nodes", "array", "node_id and status"},
    {"links", "array", "a, b and cost of links that both ends confirm"},
};
inline constexpr Field kDiagnosisResult[] = {
    {"pid", "integer", "process id of the daemon, as it sees it"},
    {"interfaces", "array", "name, address and mtu of those it speaks from"},
    {"receive_drops", "integer|null", "datagrams the kernel dropped: the receive buffer was full"},
    {"state_dir", "string|null", "where it keeps its data"},
    {"disk_free_bytes", "integer|null", "there"},
    {"clock_off_ms", "integer|null", "own clock less mesh time, where that is known"},
    {"hops_max", "integer", "what travels farther is dropped"},
    {"strangers", "array", "who is heard and is no member of this mesh"},
    {"unanswered", "array", "nodes that are heard, and did not answer when asked for a link"},
    {"versions", "array", "versions of meshd in the mesh, and which nodes run them"},
};
inline constexpr Field kDiscoverResult[] = {{"discovering", "boolean", "true"}};
inline constexpr ErrorCode kDiscoverErrors[] = {HasLeft};

inline constexpr Param kPingParams[] = {
    {.name = "node", .type = ParamType::NodeName, .doc = "which", .is_required = true},
    {.name = "timeout_ms",
     .type = ParamType::Integer,
     .doc = "how long the reply may wait",
     .default_json = "2000",
     .min = 1,
     .max = kWaitMsMax},
};
inline constexpr Field kPingResult[] = {
    {"node_id", "string"},
    {"rtt_ms", "number"},
    {"hops", "integer", "0 is the node itself"},
    {"path", "array", "node ids, this node first"},
};
inline constexpr ErrorCode kPingErrors[] = {UnknownNode, NodeUnreachable, NoAnswer, Overloaded};
inline constexpr Field kTraceResult[] = {
    {"node_id", "string"},
    {"complete", "boolean", "the node itself answered"},
    {"hops", "array", "hop, node_id and rtt_ms of each node on the way"},
};
inline constexpr ErrorCode kTraceErrors[] = {UnknownNode, NodeUnreachable, Overloaded};

inline constexpr Param kForgetParams[] = {
    {.name = "node_id",
     .type = ParamType::NodeName,
     .doc = "which; it must not be alive",
     .is_required = true},
};
inline constexpr Field kForgetResult[] = {
    {"node_id", "string"},
    {"forgotten", "boolean", "true"},
};
inline constexpr ErrorCode kForgetErrors[] = {UnknownNode, HasLeft, NodeAlive, NotPermitted};

inline constexpr Param kLeaveParams[] = {
    {.name = "restarting",
     .type = ParamType::Boolean,
     .doc = "announces that the node will be back, so that nobody is alarmed",
     .default_json = "false"},
};
inline constexpr Field kLeaveResult[] = {{"left", "boolean", "true"}};
inline constexpr ErrorCode kLeaveErrors[] = {HasLeft, NotPermitted};

inline constexpr Param kBackupParams[] = {
    {.name = "path",
     .type = ParamType::Path,
     .doc = "file to write, which must not exist yet; in the state directory where not given"},
};
inline constexpr Field kBackupResult[] = {
    {"path", "string", "the file written"},
    {"bytes", "integer", "its size"},
    {"records", "integer", "in it"},
};
inline constexpr ErrorCode kBackupErrors[] = {BackupFailed, Overloaded, NotPermitted};

}  // namespace meshd::ipc::rows
