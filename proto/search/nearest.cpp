// SPDX-License-Identifier: Apache-2.0
#include "proto/search/nearest.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "proto/search/similarity.h"

namespace meshd {
namespace {

/// Rows whose products are taken before they are looked at: few enough to stay in the first cache.
constexpr std::size_t kBlockRows = 64;
/// Making the codes of a value costs about so many multiplications of codes.
constexpr std::uint64_t kEncodeWork = 32;
/// Candidates are sorted out anew when they are so many, and twice as many as were left last.
constexpr std::size_t kCandidatesMin = 4096;

/// A row whose score is at most `upper`.
struct Candidate {
    double upper;
    const VectorRow* row;
};

/// Chooses the k best of scored rows.
std::vector<NearestHit> best(std::vector<std::pair<double, const VectorRow*>> scored,
                             const NearestScan& scan) {
    const auto is_better = [](const auto& a, const auto& b) { return a.first > b.first; };
    if (scored.size() > scan.k) {
        const auto last = scored.begin() + static_cast<std::ptrdiff_t>(scan.k - 1);
        std::nth_element(scored.begin(), last, scored.end(), is_better);
        const double worst = last->first;
        std::erase_if(scored, [&](const auto& one) { return one.first < worst; });
    }
    // Those that tie with the k-th are still there: keys decide.
    struct Keyed {
        double score;
        RowKey key;
        const VectorRow* row;
    };
    std::vector<Keyed> keyed;
    keyed.reserve(scored.size());
    for (const auto& [score, row] : scored) {
        keyed.push_back({score, scan.key_of(row->record), row});
    }
    std::sort(keyed.begin(), keyed.end(), [](const Keyed& a, const Keyed& b) {
        return a.score != b.score ? a.score > b.score : a.key < b.key;
    });
    std::vector<NearestHit> hits;
    for (std::size_t i = 0; i < std::min(keyed.size(), scan.k); ++i) {
        hits.push_back({keyed[i].score, *keyed[i].row});
    }
    return hits;
}

/// What one query has found so far.
class Collector {
  public:
    Collector(std::span<const double> query, const NearestScan& scan)
        : code_(encode_query(query)), scan_(scan) {}

    const std::int16_t* codes() const { return code_.codes.data(); }

    /// Looks at rows `first` to `first + count - 1` of a part, whose products with the query are
    /// given.
    void look(const IndexSnapshot::Part& part, const ChunkCodes& codes, std::size_t first,
              std::size_t count, const std::int32_t* products) {
        const float* scales = codes.scales() + first;
        const float* errors = codes.errors() + first;
        std::array<float, kBlockRows> estimates;
        int found = 0;
        for (std::size_t r = 0; r < count; ++r) {
            const float estimate = static_cast<float>(products[r]) * (scales[r] * code_.scale);
            estimates[r] = estimate;
            found |= estimate + loose_bound(errors[r], code_.error) >= threshold_ ? 1 : 0;
        }
        for (std::size_t r = 0; found != 0 && r < count; ++r) {
            if (estimates[r] + loose_bound(errors[r], code_.error) >= threshold_ &&
                part.is_live(first + r)) {
                const VectorRow& row = part.chunk->row(first + r);
                const double bound = sharp_bound(estimates[r], errors[r], code_.error);
                consider(row, static_cast<double>(estimates[r]), bound);
            }
        }
    }

    /// The rows of which one can still be among the best.
    const std::vector<Candidate>& finish() {
        sort_out();
        return candidates_;
    }

  private:
    void consider(const VectorRow& row, double estimate, double bound) {
        const bool is_full = lowers_.size() == scan_.k;
        if ((is_full && estimate + bound < lowers_.front()) || !scan_.is_wanted(row)) {
            return;
        }
        candidates_.push_back({estimate + bound, &row});
        const double lower = estimate - bound;
        if (!is_full || lower > lowers_.front()) {
            if (is_full) {
                std::pop_heap(lowers_.begin(), lowers_.end(), std::greater<>());
                lowers_.pop_back();
            }
            lowers_.push_back(lower);
            std::push_heap(lowers_.begin(), lowers_.end(), std::greater<>());
        }
        if (lowers_.size() == scan_.k) {
            // Rounded to a float, but never up.
            threshold_ = static_cast<float>(lowers_.front() - 0x1p-20);
        }
        if (candidates_.size() >= sort_out_at_) {
            sort_out();
            sort_out_at_ = std::max(kCandidatesMin, 2 * candidates_.size());
        }
    }

    void sort_out() {
        if (lowers_.size() == scan_.k) {
            std::erase_if(candidates_,
                          [&](const Candidate& one) { return one.upper < lowers_.front(); });
        }
    }

    QueryCode code_;
    const NearestScan& scan_;
    std::vector<double> lowers_;  ///< the k best lower ends, a heap with the worst in front
    float threshold_ = -std::numeric_limits<float>::infinity();
    std::vector<Candidate> candidates_;
    std::size_t sort_out_at_ = kCandidatesMin;
};

/// One pass over all codes for up to kDotQueriesMax queries.
void pass(const IndexSnapshot& snapshot, std::span<Collector> collectors, DotKernel kernel) {
    std::array<const std::int16_t*, kDotQueriesMax> queries{};
    std::array<std::int32_t, kDotQueriesMax * kBlockRows> products;
    for (std::size_t i = 0; i < collectors.size(); ++i) {
        queries[i] = collectors[i].codes();
    }
    for (const IndexSnapshot::Part& part : snapshot.parts) {
        const ChunkCodes& codes = part.chunk->codes(part.count);
        for (std::size_t first = 0; first < part.count; first += kBlockRows) {
            const std::size_t count = std::min(kBlockRows, part.count - first);
            dot_rows(kernel, {codes.codes(first), codes.stride(), count, codes.codes(part.count)},
                     queries.data(), collectors.size(), products.data());
            for (std::size_t i = 0; i < collectors.size(); ++i) {
                collectors[i].look(part, codes, first, count, products.data() + i * count);
            }
        }
    }
}

}  // namespace

bool NearestScan::is_wanted(const VectorRow& row) const {
    return (nodes.empty() || std::binary_search(nodes.begin(), nodes.end(), row.node)) &&
           (!born_min || row.born >= *born_min);
}

NearestHits find_nearest(const IndexSnapshot& snapshot, const NearestScan& scan, DotKernel kernel) {
    NearestHits hits;
    std::vector<Collector> collectors;
    collectors.reserve(scan.queries.size());
    for (const std::vector<double>& query : scan.queries) {
        collectors.emplace_back(query, scan);
    }
    for (std::size_t first = 0; first < collectors.size(); first += kDotQueriesMax) {
        const std::size_t count = std::min(kDotQueriesMax, collectors.size() - first);
        pass(snapshot, std::span(collectors).subspan(first, count), kernel);
    }
    for (std::size_t i = 0; i < collectors.size(); ++i) {
        std::vector<std::pair<double, const VectorRow*>> scored;
        for (const Candidate& one : collectors[i].finish()) {
            scored.emplace_back(cosine(scan.queries[i], row_halves(*one.row, snapshot.dimension)),
                                one.row);
        }
        hits.reranked += scored.size();
        hits.of_query.push_back(best(std::move(scored), scan));
    }
    return hits;
}

NearestHits find_nearest_plainly(const IndexSnapshot& snapshot, const NearestScan& scan) {
    NearestHits hits;
    for (const std::vector<double>& query : scan.queries) {
        std::vector<std::pair<double, const VectorRow*>> scored;
        for (const IndexSnapshot::Part& part : snapshot.parts) {
            for (std::size_t at = 0; at < part.count; ++at) {
                const VectorRow& row = part.chunk->row(at);
                if (part.is_live(at) && scan.is_wanted(row)) {
                    scored.emplace_back(cosine(query, row_halves(row, snapshot.dimension)), &row);
                }
            }
        }
        hits.reranked += scored.size();
        hits.of_query.push_back(best(std::move(scored), scan));
    }
    return hits;
}

std::uint64_t scan_work(const IndexSnapshot& snapshot, std::size_t queries) {
    const std::uint64_t stride = code_stride(snapshot.dimension);
    std::uint64_t work = 0;
    for (const IndexSnapshot::Part& part : snapshot.parts) {
        const std::uint64_t encoding = part.chunk->codes() == nullptr ? kEncodeWork : 0;
        work += part.count * stride * (queries + encoding);
    }
    return work;
}

}  // namespace meshd
