// SPDX-License-Identifier: Apache-2.0
#include "ipc/suggest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace meshd::ipc {

namespace {

/// No name of the API is longer; beyond it the quadratic distance is not worth its time.
constexpr std::size_t kNameBytesMax = 64;

/// Optimal string alignment: Levenshtein's distance, two letters swapped count as one change.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before.swap(above);
        above.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool is_same = a[i - 1] == b[j - 1];
            row[j] = std::min({above[j - 1] + (is_same ? 0 : 1), above[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> names) {
    if (wrong.size() > kNameBytesMax) {
        return {};
    }
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(2, wrong.size() / 3) + 1;
    for (const std::string_view name : names) {
        // One typing error in a name of two letters is another name.
        const std::size_t distance = edit_distance(wrong, name);
        if (distance < best_distance && distance < name.size()) {
            best = name;
            best_distance = distance;
        }
    }
    return std::string(best);
}

}  // namespace meshd::ipc
