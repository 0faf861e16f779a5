// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/node_impl.h"
#include "proto/search/nearest.h"
#include "proto/search/similarity.h"

namespace meshd {

struct NearestSearch::Job {
    IndexSnapshot snapshot;
    NearestScan scan;
    TimePoint asked_at;
    bool with_embedding = false;
};

namespace {

/// Ages come from other nodes: beyond this one (some 30 000 years) times would wrap.
constexpr std::uint64_t kAgeMsMax = 1'000'000'000'000'000;

TimePoint born_at(TimePoint arrived, std::uint64_t age_ms) {
    return arrived - std::chrono::milliseconds(std::min(age_ms, kAgeMsMax));
}

CommandError refusal(CommandError::Code code, const char* field, std::string message,
                     std::optional<std::size_t> index = std::nullopt) {
    return {code, field, std::move(message), {}, index};
}

/// A record that was accepted before.
Record decoded(const SharedBytes& bytes) {
    std::optional<Record> record = decode_record(bytes);
    MESHD_ASSERT(record && record->registry);
    return *std::move(record);
}

RowKey key_of(const SharedBytes& bytes) {
    const Record record = decoded(bytes);
    return {std::string(record.registry->hash()), entry_owner(record).text()};
}

std::optional<CommandError> check_names(const NearestQuery& query) {
    const auto check = [](const std::string& name, const char* field, std::size_t bytes_max) {
        return is_name(name, bytes_max)
                   ? std::nullopt
                   : std::optional(refusal(CommandError::Code::InvalidParams, field,
                                           "must be 1 to " + std::to_string(bytes_max) +
                                               " bytes of UTF-8 without control characters"));
    };
    auto error = check(query.space, "space", limits::kSpaceBytesMax);
    return error || query.type.empty() ? error : check(query.type, "type", limits::kTypeBytesMax);
}

/// Of the entries, as text: "512", or "128, 512".
std::string print_dimensions(const std::vector<std::uint32_t>& dimensions) {
    std::string text;
    for (const std::uint32_t dimension : dimensions) {
        text += (text.empty() ? "" : ", ") + std::to_string(dimension);
    }
    return text;
}

/// Normalises the query vectors into `to`. `dimensions`: of the entries to be searched.
std::optional<CommandError> take_queries(const NearestQuery& query,
                                         const std::vector<std::uint32_t>& dimensions,
                                         std::vector<std::vector<double>>& to) {
    const std::size_t expected = query.queries.front().size();
    for (std::size_t i = 0; i < query.queries.size(); ++i) {
        const std::vector<float>& values = query.queries[i];
        if (values.empty() || values.size() > limits::kDimensionMax) {
            return refusal(CommandError::Code::InvalidParams, "embedding",
                           "must have 1 to " + std::to_string(limits::kDimensionMax) + " values",
                           i);
        }
        if (values.size() != expected) {
            return refusal(CommandError::Code::Dimension, "embedding",
                           "has " + std::to_string(values.size()) + " values; the first one has " +
                               std::to_string(expected),
                           i);
        }
        to.push_back(normalised(values));
        if (to.back().empty()) {
            return refusal(CommandError::Code::InvalidParams, "embedding",
                           "must be finite numbers, and not all of them zero", i);
        }
    }
    if (!dimensions.empty() &&
        !std::binary_search(dimensions.begin(), dimensions.end(), expected)) {
        return refusal(CommandError::Code::Dimension, "embedding",
                       "has " + std::to_string(expected) + " values; those of " +
                           (query.type.empty() ? "" : "type " + query.type + " and ") + "space " +
                           query.space + " have " + print_dimensions(dimensions));
    }
    return std::nullopt;
}

}  // namespace

/// Keeps the index in step: told of every live entry with an embedding as it comes and goes.
void Node::Impl::index_entry(const HeldRecord& held, bool is_added) {
    if (!is_added) {
        vectors_.erase(held.record.bytes);
        return;
    }
    const RegistryKey& entry = *held.record.registry;
    vectors_.insert({entry.space(), entry.type(), entry.dimension},
                    {held.record.bytes, born_at(held.arrived, held.provenance.age_ms),
                     entry_owner(held.record).hash()});
}

tl::expected<NearestSearch, CommandError> Node::Impl::prepare_nearest(Now now,
                                                                      const NearestQuery& query) {
    if (query.queries.empty() || query.queries.size() > NearestQuery::kQueriesMax) {
        return tl::unexpected(
            refusal(CommandError::Code::InvalidParams, "embedding",
                    "must be 1 to " + std::to_string(NearestQuery::kQueriesMax) + " vectors"));
    }
    if (query.k == 0 || query.k > NearestQuery::kMatchesMax) {
        return tl::unexpected(refusal(CommandError::Code::InvalidParams, "k",
                                      "must be 1 to " + std::to_string(NearestQuery::kMatchesMax)));
    }
    if (auto error = check_names(query)) {
        return tl::unexpected(*std::move(error));
    }
    auto job = std::make_shared<NearestSearch::Job>();
    if (auto error =
            take_queries(query, vectors_.dimensions(query.space, query.type), job->scan.queries)) {
        return tl::unexpected(*std::move(error));
    }
    job->asked_at = now.monotonic;
    job->with_embedding = query.with_embedding;
    job->scan.k = query.k;
    job->scan.key_of = key_of;
    for (const NodeId& node : query.nodes) {
        job->scan.nodes.push_back(node.hash());
    }
    std::sort(job->scan.nodes.begin(), job->scan.nodes.end());
    if (query.age_ms_max) {
        // Ages are whole milliseconds, rounded down.
        job->scan.born_min = born_at(now.monotonic, *query.age_ms_max) -
                             (std::chrono::milliseconds(1) - Duration(1));
    }
    job->snapshot = vectors_.snapshot(
        {query.space, query.type, static_cast<std::uint32_t>(query.queries.front().size())});
    return NearestSearch(std::move(job));
}

tl::expected<NearestSearch, CommandError> Node::prepare_nearest(Now now,
                                                                const NearestQuery& query) {
    return impl_->prepare_nearest(now, query);
}

NearestResult NearestSearch::run() const {
    const NearestHits hits = find_nearest(job_->snapshot, job_->scan);
    NearestResult result;
    result.searched = job_->snapshot.live;
    result.reranked = hits.reranked;
    for (const std::vector<NearestHit>& of_query : hits.of_query) {
        std::vector<NearestMatch>& matches = result.matches.emplace_back();
        for (const NearestHit& hit : of_query) {
            const Duration age = std::max(job_->asked_at - hit.row.born, Duration(0));
            matches.push_back({hit.score, entry_view(decoded(hit.row.record),
                                                     static_cast<std::uint64_t>(to_ms(age)),
                                                     job_->with_embedding)});
        }
    }
    return result;
}

std::uint64_t NearestSearch::work() const {
    return scan_work(job_->snapshot, job_->scan.queries.size());
}

}  // namespace meshd
