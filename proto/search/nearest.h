// SPDX-License-Identifier: Apache-2.0
/// \file
/// The k rows of a snapshot nearest to each of some queries: exactly those that brute force over
/// the fp16 values finds (similarity.h), in the same order.
///
/// One pass over the codes gives each row an interval in which its score is (int8_code.h). The k-th
/// best lower end so far is the *threshold*: at least k rows score that much or more, so that a row
/// whose upper end is below it is none of the k, and is left behind. What remains at the end (a few
/// rows more than k) is scored by its values. A tie with the k-th is therefore always among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/search/dot.h"
#include "proto/search/vector_index.h"

namespace meshd {

/// By which equal scores are ordered, rising. One row in the index has it.
struct RowKey {
    std::string hash;
    std::string node;
    friend auto operator<=>(const RowKey&, const RowKey&) = default;
};

struct NearestScan {
    std::vector<std::vector<double>> queries;  ///< normalised, of the snapshot's dimension
    std::size_t k = 1;                         ///< at least 1
    /// VectorRow::node is among these, rising; empty = any.
    std::vector<std::uint64_t> nodes{};
    std::optional<TimePoint> born_min{};  ///< born then or later
    /// Reads the key in a record's bytes. Pure.
    RowKey (*key_of)(const SharedBytes& record) = nullptr;

    bool is_wanted(const VectorRow& row) const;
};

struct NearestHit {
    double score = 0;
    VectorRow row;
    friend bool operator==(const NearestHit&, const NearestHit&) = default;
};

struct NearestHits {
    std::vector<std::vector<NearestHit>> of_query;  ///< best first
    std::size_t reranked = 0;  ///< rows scored by their values, over all queries
};

/// Any thread may call it. `kernel` is supported here.
NearestHits find_nearest(const IndexSnapshot& snapshot, const NearestScan& scan,
                         DotKernel kernel = widest_kernel());
/// The same by scoring every row by its values: what find_nearest must equal.
NearestHits find_nearest_plainly(const IndexSnapshot& snapshot, const NearestScan& scan);

/// What find_nearest has to do, in multiplications of codes.
std::uint64_t scan_work(const IndexSnapshot& snapshot, std::size_t queries);

}  // namespace meshd
