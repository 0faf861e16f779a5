// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proto/node.h"

namespace meshd {

struct MergedResults {
    std::string results = "[]";  ///< JSON array
    bool is_truncated = false;   ///< there were more than the limit
};

/// The results of all answers as one list: the best score first, then those without a score, the
/// youngest (`age_ms`) first; ties by hash and node, so that the order of arrival does not matter.
///
/// Sightings of one hash (`hash`, a string) are one item: the best one's members, with `node`,
/// whose answer it is from, and `nodes`, all that have a sighting, that one first; `stale` where
/// its answer is. Every other result is an item by itself; one that is no object stands in `value`.
MergedResults merge_results(const std::vector<SearchAnswered>& answers, std::size_t limit);

}  // namespace meshd
