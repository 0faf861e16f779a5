// SPDX-License-Identifier: Apache-2.0
#include "ipc/method_table.h"

#include <algorithm>
#include <vector>

#include "ipc/method_rows_config.h"
#include "ipc/method_rows_events.h"
#include "ipc/method_rows_keys.h"
#include "ipc/method_rows_mesh.h"
#include "ipc/method_rows_notes.h"
#include "ipc/method_rows_registry.h"
#include "ipc/method_rows_search.h"
#include "ipc/method_rows_state.h"
#include "ipc/suggest.h"

namespace meshd::ipc {

namespace {

using namespace rows;

// clang-format off
constexpr Method kMethods[] = {
    {MethodId::MeshStatus, "mesh.status", "What this node is and how it is doing.",
     {}, kStatusResult, {}, "0.1.0"},
    {MethodId::MeshStats, "mesh.stats", "Counters since the start of the process.",
     {}, kStatsResult, {}, "0.1.0"},
    {MethodId::MeshNodes, "mesh.nodes", "All known nodes, this one included, by node id.",
     kNodesParams, kNodesResult, kNodesErrors, "0.1.0"},
    {MethodId::MeshNode, "mesh.node", "One node, in full.",
     kNodeParams, kNodeResult, kNodeErrors, "0.1.0", Access::Read,
     R"({"node_id":"box-1"})"},
    {MethodId::MeshPeers, "mesh.peers", "The links of this node.",
     {}, kPeersResult, {}, "0.1.0"},
    {MethodId::MeshRoutes, "mesh.routes", "The way to each reachable node.",
     {}, kRoutesResult, {}, "0.1.0"},
    {MethodId::MeshTopology, "mesh.topology", "The whole known mesh as a graph.",
     {}, kTopologyResult, {}, "0.1.0"},
    {MethodId::MeshDiagnosis, "mesh.diagnosis",
     "What explains why a node is missing or ill; `meshctl doctor` puts it into words.",
     {}, kDiagnosisResult, {}, "0.1.0"},
    {MethodId::MeshDiscover, "mesh.discover",
     "Looks for other nodes now; rejoins the mesh after `mesh.leave`.",
     {}, kDiscoverResult, kDiscoverErrors, "0.1.0", Access::Write},
    {MethodId::MeshPing, "mesh.ping", "The round trip to a node, and the way there.",
     kPingParams, kPingResult, kPingErrors, "0.1.0", Access::Read,
     R"({"node":"box-1"})"},
    {MethodId::MeshTrace, "mesh.trace", "The round trip to each hop on the way to a node.",
     kPingParams, kTraceResult, kTraceErrors, "0.1.0", Access::Read,
     R"({"node":"box-1"})"},
    {MethodId::MeshForget, "mesh.forget",
     "Forgets a scrapped node on all nodes, with its state; its entries and alerts stay.",
     kForgetParams, kForgetResult, kForgetErrors, "0.1.0", Access::Admin,
     R"({"node_id":"box-9"})"},
    {MethodId::MeshLeave, "mesh.leave",
     "Says goodbye to the mesh and closes all links; the local API stays.",
     kLeaveParams, kLeaveResult, kLeaveErrors, "0.1.0", Access::Admin,
     R"({"restarting":true})"},
    {MethodId::AlertsRaise, "alerts.raise", "Sends an alert to every node.",
     kRaiseParams, kRaiseResult, kRaiseErrors, "0.1.0", Access::Write,
     R"({"alert":{"what":"smoke"},"priority":"critical","wait_ms":2000})"},
    {MethodId::AlertsList, "alerts.list", "Alerts held here, newest first.",
     kListParams, kListResult, kListErrors, "0.1.0", Access::Read,
     R"({"priority":"high","limit":10})"},
    {MethodId::AlertsGet, "alerts.get", "One alert that is held here.",
     kAlertParams, kAlertResult, kAlertErrors, "0.1.0", Access::Read,
     R"({"id":"box-1.0123456789abcdef.7"})"},
    {MethodId::RegistryPut, "registry.put",
     "Tells all nodes what this node has seen: one entry, or many at once.",
     kPutParams, kPutResult, kPutErrors, "0.1.0", Access::Write,
     R"({"hash":"a1b2","type":"face","embedding":[0.6,0,0.8])"
     R"(,"space":"demo","metadata":{"camera":2}})"},
    {MethodId::RegistryGet, "registry.get", "All sightings of one hash, newest first.",
     kGetParams, kGetResult, kGetErrors, "0.1.0", Access::Read,
     R"({"hash":"a1b2","embedding":true})"},
    {MethodId::RegistryDelete, "registry.delete",
     "Deletes sightings of one hash, on all nodes.",
     kDeleteParams, kDeleteResult, kDeleteErrors, "0.1.0", Access::Write,
     R"({"hash":"a1b2"})"},
    {MethodId::RegistryList, "registry.list", "Entries of all nodes, by hash and node.",
     kEntriesParams, kEntriesResult, {}, "0.1.0", Access::Read,
     R"({"type":"face","prefix":"a1","limit":10})"},
    {MethodId::RegistryNearest, "registry.nearest",
     "The entries of all nodes whose embeddings are most like one, or each of many.",
     kNearestParams, kNearestResult, kNearestErrors, "0.1.0", Access::Read,
     R"({"embedding":[0.6,0,0.8],"space":"demo","k":3,"type":"face"})"},
    {MethodId::StateGet, "state.get",
     "The state document of a node, as last heard, or the state that all share.",
     kStateGetParams, kStateGetResult, kStateGetErrors, "0.1.0", Access::Read,
     R"({"node_id":"box-1"})"},
    {MethodId::StateUpdate, "state.update",
     "Changes this node's state document, its activity, or both; or the state that all share.",
     kStateUpdateParams, kStateUpdateResult, kStateUpdateErrors, "0.1.0", Access::Write,
     R"({"patch":{"camera":{"fps":25}},"activity":"PROCESSING"})"},
    {MethodId::SearchQuery, "search.query", "Asks every node, and waits for their answers.",
     kQueryParams, kQueryResult, kQueryErrors, "0.1.0", Access::Read,
     R"({"query":{"metadata":{"camera":2}},"search_type":"metadata","timeout_ms":1000})"},
    {MethodId::SearchServe, "search.serve",
     "From now on searches of these types are put to this connection, as events `search.request`.",
     kServeParams, kServeResult, kServeErrors, "0.1.0", Access::Write,
     R"({"types":["person"]})"},
    {MethodId::SearchAnswer, "search.answer", "What this connection answers to a `search.request`.",
     kAnswerParams, kAnswerResult, kAnswerErrors, "0.1.0", Access::Write,
     R"({"search":"0000000000000001","results":[{"hash":"a1b2","score":0.9}]})"},
    {MethodId::NotesSend, "notes.send", "Sends a note to one node; it is not kept.",
     kNoteParams, kNoteResult, kNoteErrors, "0.1.0", Access::Write,
     R"({"node":"box-1","note":{"open":"gate"}})"},
    {MethodId::NotesBroadcast, "notes.broadcast", "Sends a note to all nodes; it is not kept.",
     kBroadcastParams, kBroadcastResult, kBroadcastErrors, "0.1.0", Access::Write,
     R"({"topic":"doors","note":{"open":"gate"}})"},
    {MethodId::EventsSubscribe, "events.subscribe",
     "From now on this connection gets events as notifications.",
     kSubscribeParams, kSubscribeResult, kSubscribeErrors, "0.1.0", Access::Read,
     R"({"kinds":["node","alert"],"priority":"high"})"},
    {MethodId::EventsUnsubscribe, "events.unsubscribe", "Ends a subscription of this connection.",
     kUnsubscribeParams, kUnsubscribeResult, {}, "0.1.0", Access::Read,
     R"({"subscription":"1"})"},
    {MethodId::StoreBackup, "store.backup",
     "Writes a copy of the store's database while all else goes on.",
     kBackupParams, kBackupResult, kBackupErrors, "0.1.0", Access::Admin,
     R"({"path":"/var/backups/meshd.db"})"},
    {MethodId::ConfigGet, "config.get", "Each configuration key with its value and its origin.",
     kConfigGetParams, kConfigGetResult, {}, "0.1.0", Access::Read,
     R"({"key":"mesh"})"},
    {MethodId::ConfigReload, "config.reload",
     "Reads the configuration files again, and applies what can change while meshd runs.",
     {}, kConfigReloadResult, kConfigReloadErrors, "0.1.0", Access::Admin},
    {MethodId::LogLevel, "log.level", "Tells what is logged, or changes it.",
     kLogLevelParams, kLogLevelResult, kLogLevelErrors, "0.1.0", Access::Admin,
     R"({"level":"debug"})"},
    {MethodId::KeysNew, "keys.new", "Makes the first key of a mesh.",
     {}, kKeyNewResult, kKeyNewErrors, "0.1.0", Access::Admin},
    {MethodId::KeysJoin, "keys.join", "Takes over a key that was made on another node.",
     kKeyJoinParams, kKeyJoinResult, kKeyJoinErrors, "0.1.0", Access::Admin,
     R"({"token":"mesh1-00000"})"},
    {MethodId::KeysList, "keys.list", "The mesh keys of this node, and which nodes lack which.",
     kKeyListParams, kKeyListResult, kKeyListErrors, "0.1.0", Access::Admin,
     R"({"secrets":false})"},
    {MethodId::KeysRotate, "keys.rotate",
     "Makes a newer key, which all nodes go over to once all that are alive hold it.",
     {}, kKeyRotateResult, kKeyRotateErrors, "0.1.0", Access::Admin},
    {MethodId::KeysRemove, "keys.remove", "Removes an old key from this node.",
     kKeyRemoveParams, kKeyRemoveResult, kKeyRemoveErrors, "0.1.0", Access::Admin,
     R"({"id":"0badcafe"})"},
    {MethodId::KeysReplace, "keys.replace",
     "Makes one key the only one of this node; who has not got it is no member any more.",
     kKeyReplaceParams, kKeyReplaceResult, kKeyReplaceErrors, "0.1.0", Access::Admin,
     R"({"token":"mesh1-00000"})"},
    {MethodId::RpcDiscover, "rpc.discover", "This API as an OpenRPC 1.2.6 document.",
     {}, kRpcDiscoverResult, {}, "0.1.0"},
};
// clang-format on

constexpr bool params_fit() {
    return std::all_of(std::begin(kMethods), std::end(kMethods),
                       [](const Method& method) { return method.params.size() <= kParamsMax; });
}
static_assert(params_fit());

/// "1..64"
std::string range_of(const Param& param) {
    return std::to_string(param.min) + ".." + std::to_string(param.max);
}

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

std::string_view access_name(Access access) {
    switch (access) {
        case Access::Read:
            return "read";
        case Access::Write:
            return "write";
        case Access::Admin:
            return "admin";
    }
    return {};
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
            return "integer " + range_of(param);
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
        case ParamType::Name:
            return "text of 1.." + std::to_string(param.max) + " bytes";
        case ParamType::Path:
            return "absolute path";
        case ParamType::Embedding:
            return "embedding";
        case ParamType::Entries:
            return "array of " + range_of(param) + " entries";
        case ParamType::EntryKey:
            return "node/hash";
        case ParamType::Token:
            return "token";
        case ParamType::Embeddings:
            return "array of " + range_of(param) + " embeddings";
        case ParamType::NodeNames:
            return "array of " + range_of(param) + " node ids";
        case ParamType::Names:
            return "array of " + range_of(param) + " texts of 1.." +
                   std::to_string(param.item_bytes_max) + " bytes";
        case ParamType::Array:
            return "array";
    }
    return {};
}

}  // namespace meshd::ipc
