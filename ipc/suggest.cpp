// SPDX-License-Identifier: Apache-2.0
#include "ipc/suggest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace meshd::ipc {

namespace {

/// No name of the API is longer; beyond it the quadratic distance is not worth its time.
constexpr std::size_t kNameBytesMax = 64;

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
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
