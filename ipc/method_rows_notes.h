// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods of notes, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

inline constexpr Param kNoteParams[] = {
    {.name = "node",
     .type = ParamType::NodeName,
     .doc = "to whom; this node too",
     .is_required = true},
    {.name = "note",
     .type = ParamType::Object,
     .doc = "whatever is to be told, at most 64 KiB and 32 levels",
     .is_required = true},
    {.name = "ack",
     .type = ParamType::Boolean,
     .doc = "the reply waits until the other end has it; else until it is on its way",
     .default_json = "true"},
    {.name = "timeout_ms",
     .type = ParamType::Integer,
     .doc = "how long the reply may wait, for a way to the node too",
     .default_json = "5000",
     .min = 1,
     .max = kWaitMsMax},
};
inline constexpr Field kNoteResult[] = {
    {"node", "string"},
    {"acknowledged", "boolean", "the other end has it; false where that was not asked for"},
    {"took_ms", "number"},
};
inline constexpr ErrorCode kNoteErrors[] = {UnknownNode,   HasLeft,         NoteTooLarge,
                                            Undeliverable, NotAcknowledged, Overloaded};

inline constexpr Param kBroadcastParams[] = {
    {.name = "note",
     .type = ParamType::Object,
     .doc = "whatever is to be told, at most 64 KiB and 32 levels",
     .is_required = true},
    {.name = "topic",
     .type = ParamType::Name,
     .doc = "what it is about, for subscribers to choose by",
     .max = kTopicBytesMax},
};
inline constexpr Field kBroadcastResult[] = {
    {"nodes", "integer", "others that were alive; each gets it once, or not at all"},
};
inline constexpr ErrorCode kBroadcastErrors[] = {HasLeft, NoteTooLarge, Overloaded};

}  // namespace meshd::ipc::rows
