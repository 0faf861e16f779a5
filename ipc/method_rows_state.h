// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods about alerts and state, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

/// A minute: a caller that waits longer asks again.
inline constexpr std::int64_t kWaitMsMax = 60'000;
/// A day; the core drops alerts at that age.
inline constexpr std::int64_t kAlertAgeMsMax = 86'400'000;
/// A page: some hundred kilobytes as a rule.
inline constexpr std::int64_t kAlertsPerPageMax = 1'000;
inline constexpr std::int64_t kDedupeKeyBytesMax = 128;
inline constexpr std::int64_t kSharedKeyBytesMax = 128;

inline constexpr Param kRaiseParams[] = {
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
    {.name = "dedupe_key",
     .type = ParamType::Name,
     .doc =
         "while an alert of this node with the same key is held, nothing is raised and its id is "
         "the answer",
     .max = kDedupeKeyBytesMax},
    {.name = "ttl_ms",
     .type = ParamType::Integer,
     .doc = "age at which every node drops it; a day where not given",
     .min = 1,
     .max = kAlertAgeMsMax},
};
inline constexpr Field kRaiseResult[] = {
    {"id", "string"},
    {"durable", "boolean", "on this node's disk"},
    {"repeated", "boolean", "an alert of this dedupe_key was there: it is told of here"},
    {"delivered", "array", "other nodes that hold it in memory"},
    {"pending", "array", "other nodes alive at the asking that have not confirmed"},
    {"listeners", "integer", "local processes subscribed to such an alert"},
};
inline constexpr ErrorCode kRaiseErrors[] = {HasLeft, AlertTooLarge, Overloaded};

inline constexpr Param kAlertParams[] = {
    {.name = "id", .type = ParamType::String, .doc = "which", .is_required = true},
};
inline constexpr Field kAlertResult[] = {
    {"id", "string"},
    {"source", "string", "node id of its author"},
    {"seq", "integer", "number in its author's stream"},
    {"priority", "string"},
    {"timestamp_ms", "integer"},
    {"age_ms", "integer"},
    {"ttl_ms", "integer|null", "age at which it is dropped, where its author said one"},
    {"dedupe_key", "string|null"},
    {"alert", "object", "as raised"},
    {"hops", "integer"},
    {"path", "array", "node ids, the author first, this node last"},
};
inline constexpr ErrorCode kAlertErrors[] = {UnknownAlert};

inline constexpr Param kListParams[] = {
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
inline constexpr Field kListResult[] = {
    {"alerts", "array", "newest first"},
    {"next", "string|null", "id to continue after; null at the end"},
};
inline constexpr ErrorCode kListErrors[] = {UnknownAlert};

inline constexpr Param kStateGetParams[] = {
    {.name = "node_id", .type = ParamType::NodeName, .doc = "which; this node where not given"},
    {.name = "scope",
     .type = ParamType::Choice,
     .doc = "`mesh`: the state that all nodes share",
     .default_json = "\"node\"",
     .choices = kScopeNames},
    {.name = "key",
     .type = ParamType::Name,
     .doc = "with scope mesh: only this member",
     .max = kSharedKeyBytesMax},
};
inline constexpr Field kStateGetResult[] = {
    {"node_id", "string", "with scope node", false},
    {"activity", "string", "with scope node", false},
    {"state", "object"},
    {"age_ms", "integer", "with scope node: since its author wrote it", false},
    {"members", "object", "with scope mesh: by and age_ms of each member", false},
};
inline constexpr ErrorCode kStateGetErrors[] = {UnknownNode, StateUnknown, Overloaded};

inline constexpr Param kStateUpdateParams[] = {
    {.name = "patch",
     .type = ParamType::Object,
     .doc = "merge patch (RFC 7396): members replace, `null` deletes"},
    {.name = "activity",
     .type = ParamType::Choice,
     .doc = "what the node says it is doing; with scope node",
     .choices = kActivityNames},
    {.name = "scope",
     .type = ParamType::Choice,
     .doc = "`mesh`: the state that all nodes share, each top-level member by itself",
     .default_json = "\"node\"",
     .choices = kScopeNames},
};
inline constexpr Field kStateUpdateResult[] = {
    {"node_id", "string", "with scope node", false},
    {"activity", "string", "with scope node", false},
    {"changed", "integer", "with scope mesh: members written or deleted", false},
    {"state", "object|null", "the whole after the change"},
    {"age_ms", "integer", "with scope node", false},
};
inline constexpr ErrorCode kStateUpdateErrors[] = {StateTooLarge, Overloaded};

}  // namespace meshd::ipc::rows
