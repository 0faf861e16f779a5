// SPDX-License-Identifier: Apache-2.0
#include "proto/node_query.h"

#include <algorithm>
#include <initializer_list>

#include "proto/base/base64.h"
#include "proto/base/bytes.h"
#include "proto/store/embedding.h"
#include "proto/store/record.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

using Error = std::string;

std::optional<Error> check_members(const json::Value& object,
                                   std::initializer_list<std::string_view> known) {
    for (auto it = object.begin(); it != object.end(); ++it) {
        if (std::find(known.begin(), known.end(), it.key()) == known.end()) {
            std::string names;
            for (const std::string_view name : known) {
                names += (names.empty() ? "" : ", ") + std::string(name);
            }
            return "has an unknown member " + std::string(it.key()) + "; known are " + names;
        }
    }
    return std::nullopt;
}

tl::expected<std::string, Error> read_name(const json::Value& query, std::string_view member,
                                           std::size_t bytes_max, bool is_required) {
    const json::Value value = query[member];
    if (!value.exists() && !is_required) {
        return std::string();
    }
    const auto text = value.as_string();
    if (!text || !is_name(*text, bytes_max)) {
        return tl::unexpected("needs " + std::string(member) + ": 1 to " +
                              std::to_string(bytes_max) +
                              " bytes of UTF-8 without control characters");
    }
    return std::string(*text);
}

tl::expected<std::optional<std::uint64_t>, Error> read_age(const json::Value& query) {
    const json::Value value = query["max_age_ms"];
    if (!value.exists()) {
        return std::nullopt;
    }
    const auto age = value.as_uint();
    if (!age) {
        return tl::unexpected(Error("has max_age_ms that is not a whole number from 0"));
    }
    return age;
}

bool is_scalar(const json::Value& value) {
    return value.type() != json::Type::Object && value.type() != json::Type::Array;
}

tl::expected<MetadataQuery::Condition, Error> read_condition(std::string_view member,
                                                             const json::Value& wanted) {
    MetadataQuery::Condition condition{std::string(member), {},          std::nullopt, false,
                                       std::nullopt,        std::nullopt};
    if (is_scalar(wanted)) {
        condition.equal = wanted.print();
        condition.equal_number = wanted.as_double();
        condition.is_whole = wanted.as_int().has_value();
        return condition;
    }
    condition.min = wanted["min"].as_double();
    condition.max = wanted["max"].as_double();
    const bool is_range = wanted.is_object() && wanted.size() != 0 &&
                          !check_members(wanted, {"min", "max"}) &&
                          wanted["min"].exists() == condition.min.has_value() &&
                          wanted["max"].exists() == condition.max.has_value();
    if (!is_range) {
        return tl::unexpected("wants of " + std::string(member) +
                              " neither a scalar nor {\"min\": number, \"max\": number}");
    }
    return condition;
}

tl::expected<OwnQuery, Error> read_hash(const json::Value& query) {
    if (auto error = check_members(query, {"hash"})) {
        return tl::unexpected(*std::move(error));
    }
    auto hash = read_name(query, "hash", limits::kHashBytesMax, true);
    if (!hash) {
        return tl::unexpected(std::move(hash.error()));
    }
    return HashQuery{*std::move(hash)};
}

tl::expected<OwnQuery, Error> read_metadata(const json::Value& query) {
    if (auto error = check_members(query, {"metadata", "type", "max_age_ms"})) {
        return tl::unexpected(*std::move(error));
    }
    MetadataQuery read;
    auto type = read_name(query, "type", limits::kTypeBytesMax, false);
    const auto age = read_age(query);
    const json::Value conditions = query["metadata"];
    if (!type || !age) {
        return tl::unexpected(type ? age.error() : type.error());
    }
    if (!conditions.is_object() || conditions.size() == 0 ||
        conditions.size() > MetadataQuery::kConditionsMax) {
        return tl::unexpected("needs metadata: an object of 1 to " +
                              std::to_string(MetadataQuery::kConditionsMax) + " members");
    }
    read.type = *std::move(type);
    read.age_ms_max = *age;
    for (auto it = conditions.begin(); it != conditions.end(); ++it) {
        auto condition = read_condition(it.key(), *it);
        if (!condition) {
            return tl::unexpected(std::move(condition.error()));
        }
        read.conditions.push_back(*std::move(condition));
    }
    return read;
}

tl::expected<OwnQuery, Error> read_embedding(const json::Value& query) {
    if (auto error = check_members(query, {"embedding", "space", "type", "max_age_ms"})) {
        return tl::unexpected(*std::move(error));
    }
    EmbeddingQuery read;
    auto space = read_name(query, "space", limits::kSpaceBytesMax, true);
    auto type = read_name(query, "type", limits::kTypeBytesMax, false);
    const auto age = read_age(query);
    if (!space || !type || !age) {
        return tl::unexpected(!space ? space.error() : !type ? type.error() : age.error());
    }
    const auto halves = parse_base64(query["embedding"]["f16"].as_string().value_or(""));
    if (!halves || halves->empty() || halves->size() % 2 != 0 ||
        halves->size() / 2 > limits::kDimensionMax || !is_finite_halves(*halves)) {
        return tl::unexpected("needs embedding: {\"f16\": base64 of 1 to " +
                              std::to_string(limits::kDimensionMax) + " finite values}");
    }
    bool is_zero = true;
    for (const double value : embedding_values(*halves)) {
        read.embedding.push_back(static_cast<float>(value));
        is_zero = is_zero && value == 0;
    }
    if (is_zero) {
        return tl::unexpected(Error("has an embedding of zeros"));
    }
    read.space = *std::move(space);
    read.type = *std::move(type);
    read.age_ms_max = *age;
    return read;
}

}  // namespace

tl::expected<OwnQuery, std::string> parse_own_query(std::string_view type,
                                                    const json::Value& query) {
    if (type == "hash") {
        return read_hash(query);
    }
    if (type == "metadata") {
        return read_metadata(query);
    }
    if (type == "embedding") {
        return read_embedding(query);
    }
    return OwnQuery{};
}

bool matches(const MetadataQuery& query, const json::Value& metadata) {
    return std::all_of(query.conditions.begin(), query.conditions.end(),
                       [&](const MetadataQuery::Condition& condition) {
                           const json::Value value = metadata[condition.member];
                           if (!value.exists()) {
                               return false;
                           }
                           const auto number = value.as_double();
                           if (!condition.equal.empty()) {
                               if (value.print() == condition.equal) {
                                   return true;
                               }
                               return number &&
                                      number == condition.equal_number;  // 1 and 1.0 are one
                           }
                           return number && (!condition.min || *number >= *condition.min) &&
                                  (!condition.max || *number <= *condition.max);
                       });
}

SearchAnswer answer_message(std::uint64_t number, const SearchAnswerer::Answer& answer) {
    return {number,         false, answer.is_truncated,     answer.silent,
            answer.skipped, {},    as_bytes(answer.results)};
}

SearchAnswer pending_message(std::uint64_t number) {
    return {number, true, false, 0, 0, {}, {}};
}

SearchAnswer refusal_message(std::uint64_t number, const char* reason) {
    return {number, false, false, 0, 0, reason, {}};
}

std::optional<json::Document> parse_results(std::string_view text, unsigned depth_max) {
    auto document = json::Document::parse(
        text, {limits::kPayloadBytesMax, depth_max, limits::kMessageJson.values_max});
    return document && document->root().is_array() ? std::optional(std::move(*document))
                                                   : std::nullopt;
}

}  // namespace meshd
