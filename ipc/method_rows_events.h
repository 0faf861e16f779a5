// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods about events and the API itself, for the method table
/// alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

inline constexpr Param kSubscribeParams[] = {
    {.name = "kinds",
     .type = ParamType::EventKinds,
     .doc = "kinds or groups (`node`, `link`, `state`, `registry`, `shared`, `search`); all where "
            "not given"},
    {.name = "since",
     .type = ParamType::Cursor,
     .doc = "begins with what came after this event, as far as it is held"},
    {.name = "replay",
     .type = ParamType::Boolean,
     .doc = "begins with all alerts and events held",
     .default_json = "false"},
    {.name = "priority",
     .type = ParamType::Choice,
     .doc = "only alerts of this priority or a higher one (other kinds are not affected)",
     .choices = kPriorityNames},
    {.name = "type",
     .type = ParamType::Name,
     .doc = "only registry events of this type (other kinds are not affected)",
     .max = kTypeBytesMax},
    {.name = "topic",
     .type = ParamType::Name,
     .doc = "only notes of this topic (other kinds are not affected)",
     .max = kTopicBytesMax},
};
inline constexpr Field kSubscribeResult[] = {
    {"subscription", "string", "its name on this connection"},
    {"cursor", "string", "where the events begin: to subscribe with it as `since` misses nothing"},
};
inline constexpr ErrorCode kSubscribeErrors[] = {Overloaded};

inline constexpr Param kUnsubscribeParams[] = {
    {.name = "subscription",
     .type = ParamType::String,
     .doc = "as `events.subscribe` returned it",
     .is_required = true},
};
inline constexpr Field kUnsubscribeResult[] = {
    {"unsubscribed", "boolean", "false where this connection has no such subscription"},
};

inline constexpr Field kRpcDiscoverResult[] = {
    {"openrpc", "string"},
    {"info", "object"},
    {"methods", "array"},
};

}  // namespace meshd::ipc::rows
