// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods about mesh keys, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

/// Hex digits of a key's id.
inline constexpr std::int64_t kKeyIdBytes = 8;

inline constexpr Field kKeyNewResult[] = {
    {"id", "string", "8 hex digits"},
    {"generation", "integer", "one more with every rotation"},
    {"token", "string", "whoever has it is a member"},
};
inline constexpr ErrorCode kKeyNewErrors[] = {KeyRefused, KeyNotKept, NotPermitted};

inline constexpr Param kKeyJoinParams[] = {
    {.name = "token",
     .type = ParamType::Token,
     .doc = "as `keys.new` or `keys.rotate` returned it on another node",
     .is_required = true},
};
inline constexpr Field kKeyJoinResult[] = {
    {"id", "string", "8 hex digits"},
    {"generation", "integer", "of the key"},
    {"active", "boolean", "what is sent is sealed with it from now on"},
    {"added", "boolean", "false where it was held already"},
};
inline constexpr ErrorCode kKeyJoinErrors[] = {KeyInvalid, KeyRefused, KeyNotKept, NotPermitted};

inline constexpr Param kKeyListParams[] = {
    {.name = "secrets",
     .type = ParamType::Boolean,
     .doc = "with each key's token",
     .default_json = "false"},
};
inline constexpr Field kKeyListResult[] = {
    {"mode", "string", "`security.mode` in force: `sealed`, `mixed` or `open`"},
    {"active", "string|null", "id of the key that what is sent is sealed with"},
    {"rotating", "boolean", "a newer key waits until all alive nodes hold it"},
    {"keys", "array", "by generation"},
};
inline constexpr ErrorCode kKeyListErrors[] = {NotPermitted};

inline constexpr Field kKeyRotateResult[] = {
    {"id", "string", "8 hex digits"},
    {"generation", "integer", "of the new key"},
    {"token", "string", "for nodes that are away until the old key is removed"},
    {"lacking", "array", "nodes that have not got it yet"},
};
inline constexpr ErrorCode kKeyRotateErrors[] = {KeyRefused, KeyNotKept, NotPermitted};

inline constexpr Param kKeyRemoveParams[] = {
    {.name = "id",
     .type = ParamType::Name,
     .doc = "which key; never the active one",
     .is_required = true,
     .max = kKeyIdBytes},
    {.name = "force",
     .type = ParamType::Boolean,
     .doc = "also where a known node lacks the active key, which locks it out; also a newer key",
     .default_json = "false"},
};
inline constexpr Field kKeyRemoveResult[] = {
    {"id", "string", "8 hex digits"},
    {"removed", "boolean", "true"},
    {"lacking", "array", "nodes that are locked out by it"},
};
inline constexpr ErrorCode kKeyRemoveErrors[] = {KeyRefused, KeyLacking, UnknownKey, KeyNotKept,
                                                 NotPermitted};

inline constexpr Param kKeyReplaceParams[] = {
    {.name = "token",
     .type = ParamType::Token,
     .doc = "of the only key from now on; a new one where not given"},
};
inline constexpr Field kKeyReplaceResult[] = {
    {"id", "string", "8 hex digits"},
    {"generation", "integer", "of the key"},
    {"token", "string", "whoever has it is a member"},
    {"removed", "array", "ids of the keys that are gone"},
};
inline constexpr ErrorCode kKeyReplaceErrors[] = {KeyInvalid, KeyRefused, KeyNotKept, NotPermitted};

}  // namespace meshd::ipc::rows
