// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods of searches, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

/// As the core has it.
inline constexpr std::int64_t kSearchResultsMax = 1'000;
/// Types that one connection answers: more than a program has handlers.
inline constexpr std::int64_t kServedTypesMax = 64;

inline constexpr Param kQueryParams[] = {
    {.name = "query",
     .type = ParamType::Object,
     .doc = "what is asked, at most 64 KiB and 32 levels",
     .is_required = true},
    {.name = "search_type",
     .type = ParamType::Name,
     .doc = "`hash`, `metadata`, `embedding`, or whatever local processes serve",
     .is_required = true,
     .max = kTypeBytesMax},
    {.name = "timeout_ms",
     .type = ParamType::Integer,
     .doc = "how long the reply may wait for answers",
     .default_json = "2000",
     .min = 1,
     .max = kWaitMsMax},
    {.name = "nodes",
     .type = ParamType::NodeNames,
     .doc = "only these are asked; all where not given",
     .min = 1,
     .max = kNodesNamedMax},
    {.name = "limit",
     .type = ParamType::Integer,
     .doc = "results of each node, and of all together",
     .default_json = "10",
     .min = 1,
     .max = kSearchResultsMax},
    {.name = "stream",
     .type = ParamType::Boolean,
     .doc = "each answer comes at once, as event `search.answer`, and in the reply again",
     .default_json = "false"},
};
inline constexpr Field kQueryResult[] = {
    {"answers", "array", "by node"},
    {"results", "array", "of all answers, best first"},
    {"silent", "array", "nodes alive that did not answer in time"},
    {"unreachable", "array", "nodes not alive, or gone before they answered"},
    {"complete", "boolean", "every node asked has answered"},
    {"truncated", "boolean", "there were more results"},
};
inline constexpr ErrorCode kQueryErrors[] = {UnknownNode, QueryTooLarge, Overloaded};

inline constexpr Param kServeParams[] = {
    {.name = "types",
     .type = ParamType::Names,
     .doc = "instead of those it named before; none ends it",
     .is_required = true,
     .min = 0,
     .max = kServedTypesMax,
     .item_bytes_max = kTypeBytesMax},
};
inline constexpr Field kServeResult[] = {{"types", "array", "what this connection serves now"}};
inline constexpr ErrorCode kServeErrors[] = {Overloaded};

inline constexpr Param kAnswerParams[] = {
    {.name = "search",
     .type = ParamType::String,
     .doc = "as the event named it",
     .is_required = true},
    {.name = "results",
     .type = ParamType::Array,
     .doc = "objects, at most 64 KiB and 32 levels together; "
            "with a `score` of 0 to 1 where there is one",
     .is_required = true},
};
inline constexpr Field kAnswerResult[] = {
    {"accepted", "integer", "results"},
    {"truncated", "boolean", "there were more than the asker wants; the last ones are dropped"},
};
inline constexpr ErrorCode kAnswerErrors[] = {UnknownSearch, AnswerTooLarge, Overloaded};

}  // namespace meshd::ipc::rows
