// SPDX-License-Identifier: Apache-2.0
/// \file
/// The searches that every node answers by itself, from its entries: what is asked (command Search
/// in node.h has the form), and what the metadata of an entry must be like.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "proto/base/json.h"
#include "proto/search/answerer.h"
#include "proto/wire/message.h"

namespace meshd {

struct HashQuery {
    std::string hash;
};

struct MetadataQuery {
    /// A member that an entry's metadata must have.
    struct Condition {
        std::string member;
        std::string equal;                   ///< compact JSON of a scalar; empty: a range
        std::optional<double> equal_number;  ///< its value, where it is a number
        bool is_whole = false;               ///< and written as a whole one
        std::optional<double> min;
        std::optional<double> max;
    };
    /// More than a person writes; each is looked at in every entry.
    static constexpr std::size_t kConditionsMax = 32;

    std::vector<Condition> conditions;  ///< all must hold
    std::string type;                   ///< empty = any
    std::optional<std::uint64_t> age_ms_max;
};

struct EmbeddingQuery {
    std::vector<float> embedding;
    std::string space;
    std::string type;  ///< empty = any
    std::optional<std::uint64_t> age_ms_max;
};

/// None: a search for local responders only.
using OwnQuery = std::variant<std::monostate, HashQuery, MetadataQuery, EmbeddingQuery>;

/// True for the three types that every node answers from its entries.
inline bool is_own_type(std::string_view type) {
    return type == "hash" || type == "metadata" || type == "embedding";
}

/// Reads the query of a search of that type. Fails, saying what was expected of which member, on
/// anything but the form in node.h; of a type that is none of the three everything passes.
tl::expected<OwnQuery, std::string> parse_own_query(std::string_view type,
                                                    const json::Value& query);

/// Whether an entry's metadata meets all conditions. Numbers compare by value; all else by its
/// compact text.
bool matches(const MetadataQuery& query, const json::Value& metadata);

/// What goes to the asker: results; that there are some to come; why there are none.
SearchAnswer answer_message(std::uint64_t number, const SearchAnswerer::Answer& answer);
SearchAnswer pending_message(std::uint64_t number);
SearchAnswer refusal_message(std::uint64_t number, const char* reason);

/// Nothing where it is no JSON array within the limits of a payload, but for its depth.
std::optional<json::Document> parse_results(std::string_view text, unsigned depth_max);

}  // namespace meshd
