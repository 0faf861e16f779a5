// SPDX-License-Identifier: Apache-2.0
#include "ipc/method_table.h"

#include <algorithm>
#include <vector>

#include "ipc/suggest.h"

namespace meshd::ipc {

namespace {

using enum ErrorCode;

constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::int64_t kAlertAgeMsMax = 86'400'000;
constexpr std::int64_t kAlertsPerPageMax = 1'000;

constexpr Field kStatusResult[] = {
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
    {"store", "object", "records, bytes, and the hashes coverage and live"},
    {"warnings", "array"},
};
constexpr Field kStatsResult[] = {
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

constexpr Param kNodesParams[] = {
    {.name = "state",
     .type = ParamType::Boolean,
     .doc = "with each node's state document",
     .default_json = "false"},
};
constexpr Field kNodesResult[] = {{"nodes", "array", "all known nodes, by node id"}};
constexpr ErrorCode kNodesErrors[] = {Overloaded};

constexpr Param kNodeParams[] = {
    {.name = "node_id", .type = ParamType::NodeName, .doc = "which", .is_required = true},
};
constexpr Field kNodeResult[] = {
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
constexpr ErrorCode kNodeErrors[] = {UnknownNode};

constexpr Field kPeersResult[] = {{"peers", "array", "the links of this node"}};
constexpr Field kRoutesResult[] = {{"routes", "array", "by destination"}};
constexpr Field kTopologyResult[] = {
    {"nodes", "array", "node_id and status"},
    {"links", "array", "a, b and cost of links that both ends confirm"},
};
constexpr Field kDiscoverResult[] = {{"discovering", "boolean", "true"}};
constexpr ErrorCode kDiscoverErrors[] = {HasLeft};

constexpr Param kLeaveParams[] = {
    {.name = "restarting",
     .type = ParamType::Boolean,
     .doc = "announces that the node will be back, so that nobody is alarmed",
     .default_json = "false"},
};
constexpr Field kLeaveResult[] = {{"left", "boolean", "true"}};
constexpr ErrorCode kLeaveErrors[] = {HasLeft};

constexpr Param kRaiseParams[] = {
    {.name = "alert",
     .type = ParamType::Object,
     .doc = "whatever is to be told, at most 64 KiB and 32 levels",
     .is_required = true},
    {.name = "priority",
     .type = ParamType::Choice,
     .doc = "`critical` goes over all links at once",
     .default_json = "\"normal\"",
     .choices = kPriorityNames},
    {.name = "wait_ms",
     .type = ParamType::Integer,
     .doc = "how long the reply may wait until all nodes alive now have confirmed; 0 answers at "
            "once",
     .default_json = "0",
     .min = 0,
     .max = kWaitMsMax},
};
constexpr Field kRaiseResult[] = {
    {"id", "string"},
    {"durable", "boolean", "false: the store is in memory"},
    {"delivered", "array", "other nodes that hold it in memory"},
    {"pending", "array", "other nodes alive at the asking that have not confirmed"},
    {"listeners", "integer", "local processes subscribed to such an alert"},
};
constexpr ErrorCode kRaiseErrors[] = {HasLeft, AlertTooLarge, Overloaded};

constexpr Param kListParams[] = {
    {.name = "node_id", .type = ParamType::NodeName, .doc = "only alerts raised by this node"},
    {.name = "priority",
     .type = ParamType::Choice,
     .doc = "only of this priority or a higher one",
     .choices = kPriorityNames},
    {.name = "since_ms",
     .type = ParamType::Integer,
     .doc = "only alerts of at most this age",
     .min = 0,
     .max = kAlertAgeMsMax},
    {.name = "limit",
     .type = ParamType::Integer,
     .doc = "alerts in one reply (a reply ends early beyond 8 MiB)",
     .default_json = "100",
     .min = 1,
     .max = kAlertsPerPageMax},
    {.name = "after",
     .type = ParamType::String,
     .doc = "continues behind this alert id: the `next` of the reply before"},
};
constexpr Field kListResult[] = {
    {"alerts", "array", "newest first"},
    {"next", "string|null", "id to continue after; null at the end"},
};
constexpr ErrorCode kListErrors[] = {UnknownAlert};

constexpr Param kStateGetParams[] = {
    {.name = "node_id", .type = ParamType::NodeName, .doc = "which; this node where not given"},
};
constexpr Field kStateResult[] = {
    {"node_id", "string"},
    {"activity", "string"},
    {"state", "object"},
    {"age_ms", "integer", "since its author wrote it"},
};
constexpr ErrorCode kStateGetErrors[] = {UnknownNode, StateUnknown};

constexpr Param kStateUpdateParams[] = {
    {.name = "patch",
     .type = ParamType::Object,
     .doc = "merge patch (RFC 7396): members replace, `null` deletes"},
    {.name = "activity",
     .type = ParamType::Choice,
     .doc = "what the node says it is doing",
     .choices = kActivityNames},
};
constexpr ErrorCode kStateUpdateErrors[] = {StateTooLarge, Overloaded};

constexpr Param kSubscribeParams[] = {
    {.name = "kinds",
     .type = ParamType::EventKinds,
     .doc = "kinds or groups (`node`, `link`, `state`); all where not given"},
    {.name = "since",
     .type = ParamType::Cursor,
     .doc = "begins with the events after this one, as far as they are held"},
    {.name = "replay",
     .type = ParamType::Boolean,
     .doc = "begins with all events held",
     .default_json = "false"},
    {.name = "priority",
     .type = ParamType::Choice,
     .doc = "only alerts of this priority or a higher one (other kinds are not affected)",
     .choices = kPriorityNames},
};
constexpr Field kSubscribeResult[] = {
    {"subscription", "string", "its name on this connection"},
    {"cursor", "string", "of the newest event so far"},
};
constexpr ErrorCode kSubscribeErrors[] = {Overloaded};

constexpr Param kUnsubscribeParams[] = {
    {.name = "subscription",
     .type = ParamType::String,
     .doc = "as `events.subscribe` returned it",
     .is_required = true},
};
constexpr Field kUnsubscribeResult[] = {
    {"unsubscribed", "boolean", "false where this connection has no such subscription"},
};

constexpr Field kRpcDiscoverResult[] = {
    {"openrpc", "string"},
    {"info", "object"},
    {"methods", "array"},
};

// clang-format off
constexpr Method kMethods[] = {
    {MethodId::MeshStatus, "mesh.status", "What this node is and how it is doing.",
     {}, kStatusResult, {}, "0.1.0"},
    {MethodId::MeshStats, "mesh.stats", "Counters since the start of the process.",
     {}, kStatsResult, {}, "0.1.0"},
    {MethodId::MeshNodes, "mesh.nodes", "All known nodes, this one included, by node id.",
     kNodesParams, kNodesResult, kNodesErrors, "0.1.0"},
    {MethodId::MeshNode, "mesh.node", "One node, in full.",
     kNodeParams, kNodeResult, kNodeErrors, "0.1.0"},
    {MethodId::MeshPeers, "mesh.peers", "The links of this node.",
     {}, kPeersResult, {}, "0.1.0"},
    {MethodId::MeshRoutes, "mesh.routes", "The way to each reachable node.",
     {}, kRoutesResult, {}, "0.1.0"},
    {MethodId::MeshTopology, "mesh.topology", "The whole known mesh as a graph.",
     {}, kTopologyResult, {}, "0.1.0"},
    {MethodId::MeshDiscover, "mesh.discover",
     "Looks for other nodes now; rejoins the mesh after `mesh.leave`.",
     {}, kDiscoverResult, kDiscoverErrors, "0.1.0"},
    {MethodId::MeshLeave, "mesh.leave",
     "Says goodbye to the mesh and closes all links; the local API stays.",
     kLeaveParams, kLeaveResult, kLeaveErrors, "0.1.0"},
    {MethodId::AlertsRaise, "alerts.raise", "Sends an alert to every node.",
     kRaiseParams, kRaiseResult, kRaiseErrors, "0.1.0"},
    {MethodId::AlertsList, "alerts.list", "Alerts held here, newest first.",
     kListParams, kListResult, kListErrors, "0.1.0"},
    {MethodId::StateGet, "state.get", "The state document of a node, as last heard.",
     kStateGetParams, kStateResult, kStateGetErrors, "0.1.0"},
    {MethodId::StateUpdate, "state.update",
     "Changes this node's state document, its activity, or both.",
     kStateUpdateParams, kStateResult, kStateUpdateErrors, "0.1.0"},
    {MethodId::EventsSubscribe, "events.subscribe",
     "From now on this connection gets events as notifications.",
     kSubscribeParams, kSubscribeResult, kSubscribeErrors, "0.1.0"},
    {MethodId::EventsUnsubscribe, "events.unsubscribe", "Ends a subscription of this connection.",
     kUnsubscribeParams, kUnsubscribeResult, {}, "0.1.0"},
    {MethodId::RpcDiscover, "rpc.discover", "This API as an OpenRPC 1.2.6 document.",
     {}, kRpcDiscoverResult, {}, "0.1.0"},
};
// clang-format on

constexpr bool params_fit() {
    return std::all_of(std::begin(kMethods), std::end(kMethods),
                       [](const Method& method) { return method.params.size() <= kParamsMax; });
}
static_assert(params_fit());

/// "a, b or c"
std::string enumerate(std::span<const std::string_view> names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += i == 0 ? "" : i + 1 == names.size() ? " or " : ", ";
        text += names[i];
    }
    return text;
}

}  // namespace

std::span<const Method> methods() {
    return kMethods;
}

const Method* find_method(std::string_view name) {
    const auto* const found =
        std::find_if(std::begin(kMethods), std::end(kMethods),
                     [&](const Method& method) { return method.name == name; });
    return found == std::end(kMethods) ? nullptr : found;
}

std::string nearest_method(std::string_view wrong) {
    std::vector<std::string_view> names;
    for (const Method& method : kMethods) {
        names.push_back(method.name);
    }
    return did_you_mean(wrong, names);
}

std::string describe_type(const Param& param) {
    switch (param.type) {
        case ParamType::Boolean:
            return "boolean";
        case ParamType::Integer:
            return "integer " + std::to_string(param.min) + ".." + std::to_string(param.max);
        case ParamType::String:
            return "string";
        case ParamType::Object:
            return "object";
        case ParamType::NodeName:
            return "node id";
        case ParamType::Choice:
            return enumerate(param.choices);
        case ParamType::EventKinds:
            return "array of event kinds";
        case ParamType::Cursor:
            return "cursor";
    }
    return {};
}

}  // namespace meshd::ipc
