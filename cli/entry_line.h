// SPDX-License-Identifier: Apache-2.0
/// \file
/// Entries of the registry as lines of a file (NDJSON): {hash, type, embedding: {"f16"}, space,
/// metadata, ttl_ms, exported_ms, timestamp_ms, node, age_ms}. No entry lives longer by way of a
/// file: `ttl_ms` is what was left of its life at the export, and `exported_ms`, the wall time of
/// that, lets the import take off what has passed since.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proto/base/json.h"

namespace meshd::cli {

/// Wall time in milliseconds since 1970.
std::int64_t wall_ms();

/// One entry of registry.list as a line without newline; empty where its life is over. `now_ms`:
/// wall_ms().
std::string print_entry_line(const json::Value& entry, std::int64_t now_ms);

/// What a line means to registry.put.
struct EntryLine {
    std::string hash;
    std::string node;  ///< whose sighting it was; empty where it does not say
    std::int64_t timestamp_ms = 0;
    bool has_expired = false;
    /// JSON text: one element of `entries`.
    std::string entry;
};

/// Reads a line. Other members than the above are refused, so that a mistyped one is not lost.
/// Values are checked as far as the import needs them; the rest is the daemon's to judge. The error
/// is a sentence without full stop.
tl::expected<EntryLine, std::string> parse_entry_line(std::string_view line, std::int64_t now_ms);

}  // namespace meshd::cli
