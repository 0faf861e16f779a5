// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods about the configuration, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

/// "section.key" is shorter.
inline constexpr std::int64_t kConfigKeyBytesMax = 64;

inline constexpr Param kConfigGetParams[] = {
    {.name = "key",
     .type = ParamType::Name,
     .doc = "only this key, or those of this section; all where not given",
     .max = kConfigKeyBytesMax},
};
inline constexpr Field kConfigGetResult[] = {
    {"keys", "array", "by section, as in etc/meshd.yaml"},
    {"files", "array", "those that were read, in that order"},
};

inline constexpr Field kConfigReloadResult[] = {
    {"applied", "array", "keys that changed and are in force now"},
    {"restart", "array", "keys whose value in the files needs a restart"},
    {"unchanged", "integer", "all other keys"},
};
inline constexpr ErrorCode kConfigReloadErrors[] = {ConfigInvalid, NotPermitted};

inline constexpr Param kLogLevelParams[] = {
    {.name = "level",
     .type = ParamType::Choice,
     .doc = "from now on; until the next reload or start",
     .choices = kLogLevelNames},
};
inline constexpr Field kLogLevelResult[] = {
    {"level", "string", "in force after the call"},
    {"before", "string", "in force before it"},
};
inline constexpr ErrorCode kLogLevelErrors[] = {NotPermitted};

}  // namespace meshd::ipc::rows
