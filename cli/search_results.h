// SPDX-License-Identifier: Apache-2.0
/// \file
/// What searches found (ipc/API.md, registry.nearest and search.query), for people.
#pragma once

#include <string>
#include <vector>

#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {

/// The table of registry.nearest: best match first.
std::string render_matches(const json::Value& result, const Style& style);
/// The table of search.query: all results as merged by the daemon, what is stale marked so.
std::string render_found(const json::Value& result, const Style& style);
/// Who answered search.query and who did not, in lines for standard error.
std::vector<std::string> search_words(const json::Value& result);

}  // namespace meshd::cli
