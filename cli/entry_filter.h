// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/verb.h"

namespace meshd::cli {

/// Entries that registry.list returns at once, at most.
inline constexpr std::int64_t kEntryPageMax = 1000;

/// Which entries of the registry a verb is about.
inline constexpr std::array<Option, 4> kEntryFilterOptions = {{
    {"type", "T", "only of this type", ValueKind::Text},
    {"node", "NODE", "only sightings by this box", ValueKind::Text},
    {"prefix", "P", "only hashes that begin so", ValueKind::Text},
    {"max-age", "D", "only those at most so old, as 10m", ValueKind::Duration, 1,
     10LL * 365 * 24 * 3600 * 1000},
}};

struct EntryPage {
    std::int64_t limit = 100;
    std::string after;  ///< `next` of the page before; empty = the first page
    bool has_embeddings = false;
};

/// Params of registry.list.
std::string list_params(const Arguments& arguments, const EntryPage& page);

}  // namespace meshd::cli
