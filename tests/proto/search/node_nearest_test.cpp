// SPDX-License-Identifier: Apache-2.0
// The search as a node offers it: the index follows what the store holds.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "tests/proto/links/node_pipe.h"
#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using Code = CommandError::Code;

EntryPut entry_of(std::string hash, const std::vector<float>& values, std::string type = "face") {
    EntryPut entry;
    entry.hash = std::move(hash);
    entry.type = std::move(type);
    entry.metadata = R"({"camera":1})";
    entry.space = "arc";
    entry.embedding = embedding_of(values);
    return entry;
}

NearestQuery query_of(std::vector<float> values, std::size_t k = 3) {
    NearestQuery query;
    query.queries = {std::move(values)};
    query.space = "arc";
    query.type = "face";
    query.k = k;
    return query;
}

struct Searching : NodePipe {
    Searching() { start(1, "a", 1); }

    void put(EntryPut entry, std::uint8_t number = 1) {
        PutEntries put;
        put.entries.push_back(std::move(entry));
        REQUIRE(command(number, std::move(put)));
    }
    NearestResult nearest(const NearestQuery& query, std::uint8_t number = 1) {
        const auto search = node(number).prepare_nearest(now(), query);
        REQUIRE(search);
        return search->run();
    }
    std::vector<std::string> hashes(const NearestQuery& query, std::uint8_t number = 1) {
        const NearestResult result = nearest(query, number);
        std::vector<std::string> found;
        for (const NearestMatch& match : result.matches.at(0)) {
            found.push_back(match.entry.hash);
        }
        return found;
    }
    void check_refused(const NearestQuery& query, Code code, const std::string& field) {
        const auto search = node(1).prepare_nearest(now(), query);
        REQUIRE_FALSE(search);
        CHECK(search.error().code == code);
        CHECK(search.error().field == field);
        CHECK_FALSE(search.error().message.empty());
    }
    /// What the registry's own listing says, scored one by one.
    std::vector<std::string> expected(const NearestQuery& query, std::uint8_t number) {
        EntryFilter filter;
        filter.type = query.type;
        filter.limit = 10'000;
        filter.with_embedding = true;
        std::vector<std::pair<double, std::string>> scored;
        for (const EntryView& entry : node(number).list_entries(now(), filter).entries) {
            const bool is_wanted =
                query.nodes.empty() ||
                std::find(query.nodes.begin(), query.nodes.end(), entry.node) != query.nodes.end();
            if (is_wanted && entry.dimension == query.queries[0].size()) {
                scored.emplace_back(-cosine(normalised(query.queries[0]), Bytes(entry.embedding)),
                                    entry.hash);
            }
        }
        std::sort(scored.begin(), scored.end());
        std::vector<std::string> found;
        for (std::size_t i = 0; i < std::min(scored.size(), query.k); ++i) {
            found.push_back(scored[i].second);
        }
        return found;
    }
};

using Hashes = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Searching, "node nearest: an entry is found with all that is known of it") {
    put(entry_of("h1", {1, 0, 0}));
    put(entry_of("h2", {0, 1, 0}));
    run_for(milliseconds(1500));
    auto query = query_of({2, 1, 0}, 1);
    query.with_embedding = true;
    const NearestResult result = nearest(query);
    CHECK(result.searched == 2);
    REQUIRE(result.matches.size() == 1);
    REQUIRE(result.matches[0].size() == 1);
    const NearestMatch& match = result.matches[0][0];
    CHECK(match.score == doctest::Approx(2 / std::sqrt(5.0)));
    CHECK(match.entry.hash == "h1");
    CHECK(match.entry.node.text() == "a");
    CHECK(match.entry.type == "face");
    CHECK(match.entry.metadata == R"({"camera":1})");
    CHECK(match.entry.age_ms == 1500);
    CHECK(match.entry.embedding == embedding_of({1, 0, 0}));
    CHECK(nearest(query_of({2, 1, 0}, 1)).matches[0][0].entry.embedding.empty());
}

TEST_CASE_FIXTURE(Searching, "node nearest: updates, deletes and expiry are followed") {
    put(entry_of("h1", {1, 0, 0}));
    put(entry_of("h2", {1, 1, 0}));
    EntryPut brief = entry_of("h3", {1, 0.1F, 0});
    brief.ttl_ms = 5000;
    put(brief);
    const auto query = query_of({1, 0, 0});
    CHECK(hashes(query) == Hashes{"h1", "h3", "h2"});
    put(entry_of("h1", {0, 0, 1}));
    CHECK(hashes(query) == Hashes{"h3", "h2", "h1"});
    const auto held = node(1).prepare_nearest(now(), query);
    REQUIRE(command(1, DeleteEntries{"h2", {}}));
    CHECK(hashes(query) == Hashes{"h3", "h1"});
    run_for(seconds(6));
    CHECK(hashes(query) == Hashes{"h1"});
    EntryPut without;
    without.hash = "h1";
    without.type = "face";
    put(without);
    CHECK(hashes(query).empty());
    // What was asked before stays answered as of then.
    CHECK(held->run().matches[0].size() == 3);
}

TEST_CASE_FIXTURE(Searching, "node nearest: filters by type, node and age") {
    start(2, "b", 2);
    put(entry_of("h1", {1, 0, 0}));
    put(entry_of("h2", {1, 0, 0}, "plate"));
    put(entry_of("h3", {1, 0}, "car"));
    run_for(seconds(2));
    put(entry_of("h1", {1, 1, 0}), 2);
    REQUIRE(run_until(seconds(5), [&] { return node(1).status(now()).store.entries == 4; }));
    auto query = query_of({1, 0, 0}, 10);
    CHECK(hashes(query) == Hashes{"h1", "h1"});
    query.type.clear();
    CHECK(hashes(query) == Hashes{"h1", "h2", "h1"});
    query.nodes = {*NodeId::parse("b"), *NodeId::parse("c")};
    REQUIRE(hashes(query).size() == 1);
    CHECK(nearest(query).matches[0][0].entry.node.text() == "b");
    query.nodes.clear();
    const std::uint64_t age = nearest(query).matches[0][2].entry.age_ms;
    query.age_ms_max = age;
    CHECK(hashes(query) == Hashes{"h1"});
    if (age != 0) {
        query.age_ms_max = age - 1;
        CHECK(hashes(query).empty());
    }
    query.age_ms_max = std::numeric_limits<std::uint64_t>::max();
    CHECK(hashes(query).size() == 3);
    query.space = "other";
    CHECK(hashes(query).empty());
}

TEST_CASE_FIXTURE(Searching, "node nearest: refused with the field that is wrong") {
    put(entry_of("h1", {1, 0, 0}));
    check_refused(query_of({1, 0}), Code::Dimension, "embedding");
    check_refused(query_of({}), Code::InvalidParams, "embedding");
    check_refused(query_of(std::vector<float>(4097, 1)), Code::InvalidParams, "embedding");
    check_refused(query_of({0, 0, 0}), Code::InvalidParams, "embedding");
    check_refused(query_of({1, std::numeric_limits<float>::quiet_NaN(), 0}), Code::InvalidParams,
                  "embedding");
    check_refused(query_of({1, 0, 0}, 0), Code::InvalidParams, "k");
    check_refused(query_of({1, 0, 0}, NearestQuery::kMatchesMax + 1), Code::InvalidParams, "k");
    auto query = query_of({1, 0, 0});
    query.space.clear();
    check_refused(query, Code::InvalidParams, "space");
    query = query_of({1, 0, 0});
    query.type = "bad\n";
    check_refused(query, Code::InvalidParams, "type");
    query = query_of({1, 0, 0});
    query.queries.push_back({1, 0});
    check_refused(query, Code::Dimension, "embedding");
    query.queries.resize(NearestQuery::kQueriesMax + 1, {1, 0, 0});
    check_refused(query, Code::InvalidParams, "embedding");
    query.queries.clear();
    check_refused(query, Code::InvalidParams, "embedding");
    const auto error = node(1).prepare_nearest(now(), query_of({1, 0})).error();
    CHECK(error.message == "has 2 values; those of type face and space arc have 3");
}

TEST_CASE_FIXTURE(Searching, "node nearest: small searches are done at once, long ones are not") {
    put(entry_of("h1", {1, 0, 0}));
    const auto search = node(1).prepare_nearest(now(), query_of({1, 0, 0}));
    REQUIRE(search);
    CHECK_FALSE(search->is_long());
    CHECK(search->work() > 0);
}

TEST_CASE_FIXTURE(Searching,
                  "node nearest: two nodes answer alike, and as their listings say, as entries "
                  "come and go on both") {
    start(2, "b", 2);
    Vectors vectors(9, Shape::Clustered, 24);
    for (int round = 0; round < 8; ++round) {
        for (int step = 0; step < 12; ++step) {
            const std::uint64_t what = vectors.prng().below(10);
            const auto number = static_cast<std::uint8_t>(1 + vectors.prng().below(2));
            const std::string hash = "h" + std::to_string(vectors.prng().below(40));
            if (what < 7) {
                EntryPut entry = entry_of(hash, vectors.next());
                entry.ttl_ms = what == 0 ? 1500 : 0;
                put(entry, number);
            } else {
                REQUIRE(command(number, DeleteEntries{hash, {}}));
            }
        }
        REQUIRE(run_until(seconds(10), [&] {
            return node(1).status(now()).store.hashes == node(2).status(now()).store.hashes;
        }));
        const auto query = query_of(vectors.next(), 10);
        const Hashes found = hashes(query, 1);
        CHECK(found == expected(query, 1));
        CHECK(hashes(query, 2) == expected(query, 2));
        run_for(milliseconds(700));
    }
}
