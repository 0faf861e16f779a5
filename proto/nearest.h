// SPDX-License-Identifier: Apache-2.0
/// \file
/// The exact nearest-neighbour search over this node's replica (`registry.nearest`): a question,
/// the job that answers it, and the answer.
///
/// Score: cosine of the query and the entry's stored fp16 values, computed in double in a fixed
/// order: dot(query / |query|, entry) / |entry|, so that the same entries and query give the same
/// bits on every node. An entry of zeros scores 0. Best first; ties by hash, then node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/node_id.h"
#include "proto/base/time.h"
#include "proto/view.h"

namespace meshd {

/// What is asked. The filters hold for all query vectors.
struct NearestQuery {
    static constexpr std::size_t kQueriesMax = 64;
    /// Matches of one query vector: with metadata of a kilobyte they fit an answer of 1 MiB.
    static constexpr std::size_t kMatchesMax = 1000;

    /// 1 to kQueriesMax vectors of one dimension; any length but 0, every value finite.
    std::vector<std::vector<float>> queries;
    std::string space;          ///< model of the vectors; required
    std::string type;           ///< empty = any; then entries of other dimensions are left out
    std::vector<NodeId> nodes;  ///< sightings of these only; empty = of any
    std::optional<std::uint64_t> age_ms_max;
    std::size_t k = 10;           ///< 1 to kMatchesMax
    bool with_embedding = false;  ///< EntryView::embedding of the matches is set
};

struct NearestMatch {
    double score = 0;  ///< -1 to 1, but for the last bits
    EntryView entry;   ///< age_ms as of the asking
};

struct NearestResult {
    /// Of each query vector the best k, best first; fewer only where there are fewer entries.
    std::vector<std::vector<NearestMatch>> matches;
    std::size_t searched = 0;  ///< entries of the space and type, before the other filters
    std::size_t reranked = 0;  ///< of these, compared by their fp16 values; over all query vectors
};

/// The job: a snapshot of what is to be searched, whole in itself. It stays as it is while the node
/// goes on, and may be run and destroyed on any thread.
class NearestSearch {
  public:
    struct Job;
    explicit NearestSearch(std::shared_ptr<const Job> job) : job_(std::move(job)) {}

    /// Pure: the same answer each time.
    NearestResult run() const;
    /// Multiplications of 8-bit values, and what else there is to do in terms of these.
    std::uint64_t work() const;
    /// True where it may take longer than a loop should stand still (some 2 ms on a small ARM box):
    /// run it on a worker.
    bool is_long() const { return work() > kInlineWorkMax; }

    /// 4 to 8 G of them a second where the codes come from memory, on a slow box.
    static constexpr std::uint64_t kInlineWorkMax = 8'000'000;

  private:
    std::shared_ptr<const Job> job_;
};

}  // namespace meshd
