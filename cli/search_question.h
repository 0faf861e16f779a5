// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "cli/arguments.h"

namespace meshd::cli {

/// What search.query is asked: `search_type`, and `query` as JSON text.
struct SearchQuestion {
    std::string type;
    std::string query;
};

/// The question that the words of `search` mean. Reads the file of --embedding. The error is a
/// sentence without full stop.
tl::expected<SearchQuestion, std::string> search_question(const Arguments& arguments);

/// The conditions on metadata that KEY=VALUE each mean, as a JSON object: VALUE is a range (2..5,
/// 2.. or ..5), else a scalar in JSON, else a text. Fails as above.
tl::expected<std::string, std::string> metadata_conditions(const std::vector<std::string>& words);

}  // namespace meshd::cli
