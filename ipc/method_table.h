// SPDX-License-Identifier: Apache-2.0
/// \file
/// The methods of the local API, one row each: validation, defaults, OpenRPC, `meshctl rpc` and the
/// tests of ipc/API.md all come from it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ipc/error.h"

namespace meshd::ipc {

/// Names a row; a handler is found by a total switch over it.
enum class MethodId : std::uint8_t {
    MeshStatus,
    MeshStats,
    MeshNodes,
    MeshNode,
    MeshPeers,
    MeshRoutes,
    MeshTopology,
    MeshDiagnosis,
    MeshDiscover,
    MeshPing,
    MeshTrace,
    MeshForget,
    MeshLeave,
    AlertsRaise,
    AlertsList,
    AlertsGet,
    RegistryPut,
    RegistryGet,
    RegistryDelete,
    RegistryList,
    RegistryNearest,
    StateGet,
    StateUpdate,
    SearchQuery,
    SearchServe,
    SearchAnswer,
    NotesSend,
    NotesBroadcast,
    EventsSubscribe,
    EventsUnsubscribe,
    StoreBackup,
    ConfigGet,
    ConfigReload,
    LogLevel,
    KeysNew,
    KeysJoin,
    KeysList,
    KeysRotate,
    KeysRemove,
    KeysReplace,
    RpcDiscover,
};

enum class ParamType : std::uint8_t {
    Boolean,
    Integer,  ///< min to max
    String,
    Object,
    NodeName,    ///< a string that is a node id
    Choice,      ///< one of `choices`
    EventKinds,  ///< array of names of kinds and groups, not empty
    Cursor,      ///< ipc::Cursor as text
    Name,        ///< 1 to max bytes without control characters
    Path,        ///< absolute, without a zero byte
    Embedding,   ///< array of numbers, or an object with exactly one of f16 and f32 (a string)
    Entries,     ///< array of min to max objects, each with `members`
    Embeddings,  ///< array of min to max embeddings
    NodeNames,   ///< array of min to max node ids
    Names,       ///< array of min to max names of at most item_bytes_max bytes each
    Array,       ///< of anything
    EntryKey,    ///< "<node id>/<hash>"
    Token,       ///< a string that is a secret: no error ever shows it
};

struct Param {
    std::string_view name;
    ParamType type = ParamType::String;
    std::string_view doc = {};
    bool is_required = false;
    /// JSON text; empty where the param has no default.
    std::string_view default_json = {};
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::span<const std::string_view> choices = {};
    std::span<const Param> members = {};  ///< of each element
    std::int64_t item_bytes_max = 0;
};

/// A member of a result. `type` is a JSON Schema type; "integer|null" is one of several.
struct Field {
    std::string_view name;
    std::string_view type;
    std::string_view doc = {};
    bool is_always_there = true;
};

/// What a call may do, and so who may call and what of it is logged.
enum class Access : std::uint8_t {
    Read,   ///< changes nothing but the connection itself
    Write,  ///< changes what other nodes see
    /// Harms the whole node: only for root, the daemon's own user and group meshd-admin; else
    /// NotPermitted.
    Admin,
};
/// "read", "write" or "admin".
std::string_view access_name(Access access);

struct Method {
    MethodId id = MethodId::MeshStatus;
    std::string_view name;
    std::string_view summary;
    std::span<const Param> params;
    std::span<const Field> result;
    /// Beyond JSON-RPC's own.
    std::span<const ErrorCode> errors;
    /// First version that has it.
    std::string_view since;
    Access access = Access::Read;
    /// Params of a call as ipc/API.md shows it, a JSON object; empty where it shows none.
    std::string_view example = {};
};

/// Params a method may have; the table is checked against it.
inline constexpr std::size_t kParamsMax = 9;

inline constexpr std::array<std::string_view, 4> kPriorityNames = {"low", "normal", "high",
                                                                   "critical"};
/// Of an entry's type and of a note's topic, as the core has them; so with the next one.
inline constexpr std::int64_t kTypeBytesMax = 64;
inline constexpr std::int64_t kTopicBytesMax = 128;
/// No call waits longer.
inline constexpr std::int64_t kWaitMsMax = 60'000;
/// Nodes named in one call: more than a mesh has.
inline constexpr std::int64_t kNodesNamedMax = 1024;
/// Whose state: one node's, or the one that all share.
inline constexpr std::array<std::string_view, 2> kScopeNames = {"node", "mesh"};
/// What a node may say of itself.
inline constexpr std::array<std::string_view, 3> kActivityNames = {"ACTIVE", "IDLE", "PROCESSING"};

/// Least level that is logged.
inline constexpr std::array<std::string_view, 4> kLogLevelNames = {"debug", "info", "warning",
                                                                   "error"};

/// All rows, by area.
std::span<const Method> methods();
/// Null where there is no such method.
const Method* find_method(std::string_view name);
/// The nearest method's name, or empty.
std::string nearest_method(std::string_view wrong);

/// The type in words, as ipc/API.md and error messages have it: "integer 0..60000".
std::string describe_type(const Param& param);

}  // namespace meshd::ipc
