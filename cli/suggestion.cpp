// SPDX-License-Identifier: Apache-2.0
#include "cli/suggestion.h"

#include <vector>

#include "ipc/suggest.h"

namespace meshd::cli {

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
    const std::vector<std::string_view> names(candidates.begin(), candidates.end());
    const std::string best = ipc::did_you_mean(word, names);
    return best.empty() ? std::string() : "; did you mean '" + best + "'?";
}

}  // namespace meshd::cli
