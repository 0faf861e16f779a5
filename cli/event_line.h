// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {

/// One event (params of its notification, ipc/API.md) as a line without newline.
std::string print_event(const json::Value& params, const Style& style);

/// One alert as a line: local time, priority, source, hops, age, object.
std::string print_alert_line(const json::Value& alert, std::int64_t timestamp_ms,
                             const Style& style);

}  // namespace meshd::cli
