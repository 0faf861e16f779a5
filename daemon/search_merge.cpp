// SPDX-License-Identifier: Apache-2.0
#include "daemon/search_merge.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "proto/base/json.h"
#include "proto/wire/limits.h"

namespace meshd {

namespace {

/// One result of one node.
struct Sighting {
    json::Value value;
    const SearchAnswered* answer = nullptr;
    std::optional<double> score;
    std::uint64_t age_ms = 0;
    std::string_view hash;
    std::size_t place = 0;  ///< in its node's answer

    const NodeId& node() const { return answer->node; }
};

/// True where `a` is the better one.
bool is_before(const Sighting& a, const Sighting& b) {
    return std::tie(b.score, a.age_ms, a.hash, a.node(), a.place) <
           std::tie(a.score, b.age_ms, b.hash, b.node(), b.place);
}

struct Item {
    Sighting best;
    std::vector<NodeId> others;
};

std::vector<Item> fold(const std::vector<Sighting>& best_first) {
    std::vector<Item> items;
    std::map<std::string_view, std::size_t> by_hash;
    for (const Sighting& sighting : best_first) {
        if (sighting.hash.empty()) {
            items.push_back({sighting, {}});
            continue;
        }
        const auto [at, is_new] = by_hash.emplace(sighting.hash, items.size());
        if (is_new) {
            items.push_back({sighting, {}});
            continue;
        }
        Item& item = items[at->second];
        if (sighting.node() != item.best.node()) {
            item.others.push_back(sighting.node());
        }
    }
    return items;
}

void write_item(json::Writer& writer, Item& item) {
    writer.begin_object();
    if (item.best.value.is_object()) {
        for (auto it = item.best.value.begin(); it != item.best.value.end(); ++it) {
            if (it.key() != "node" && it.key() != "nodes" && it.key() != "stale") {
                writer.key(it.key()).value(*it);
            }
        }
    } else {
        writer.key("value").value(item.best.value);
    }
    std::sort(item.others.begin(), item.others.end());
    item.others.erase(std::unique(item.others.begin(), item.others.end()), item.others.end());
    const SearchAnswered& answer = *item.best.answer;
    writer.member("node", answer.node.text());
    writer.key("nodes").begin_array().string(answer.node.text());
    for (const NodeId& node : item.others) {
        writer.string(node.text());
    }
    writer.end_array();
    if (answer.is_stale) {
        writer.member("stale", true);
    }
    writer.end_object();
}

}  // namespace

MergedResults merge_results(const std::vector<SearchAnswered>& answers, std::size_t limit) {
    std::vector<json::Document> documents;  // what the sightings point into
    std::vector<Sighting> sightings;
    for (const SearchAnswered& answer : answers) {
        auto document = json::Document::parse(answer.results, limits::kMessageJson);
        if (!document) {
            continue;
        }
        std::size_t place = 0;
        for (const json::Value value : document->root()) {
            sightings.push_back(
                {value, &answer, value["score"].as_double(),
                 value["age_ms"].as_uint().value_or(std::numeric_limits<std::uint64_t>::max()),
                 value["hash"].as_string().value_or(""), place++});
        }
        documents.push_back(std::move(*document));
    }
    std::sort(sightings.begin(), sightings.end(), is_before);
    std::vector<Item> items = fold(sightings);
    MergedResults merged;
    merged.is_truncated = items.size() > limit;
    items.resize(std::min(items.size(), limit));
    merged.results.clear();
    json::Writer writer(merged.results);
    writer.begin_array();
    for (Item& item : items) {
        write_item(writer, item);
    }
    writer.end_array();
    return merged;
}

}  // namespace meshd
