// SPDX-License-Identifier: Apache-2.0
// The search against brute force: not one hit, score or place may differ.
#include "proto/search/nearest.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr std::string_view kSpace = "arc";
constexpr std::string_view kType = "face";

/// An index that is changed at random, and remembers what it holds.
class Changing {
  public:
    Changing(std::uint8_t seed, Shape shape, std::size_t dimension)
        : vectors_(seed, shape, dimension), dimension_(dimension) {}

    VectorSpaceKey key() const { return {kSpace, kType, static_cast<std::uint32_t>(dimension_)}; }

    void put() {
        Prng& prng = vectors_.prng();
        Buffer halves =
            prng.below(4) == 0 ? halves_of(vectors_.next()) : embedding_of(vectors_.next());
        if (!held_.empty() && prng.below(5) == 0) {
            const Bytes twin = row_halves(any()->second, dimension_);
            halves.assign(twin.begin(), twin.end());
        }
        insert(next_++, halves);
    }
    void update() {
        if (held_.empty()) {
            return;
        }
        const auto old = any();
        const std::uint64_t number = old->first;
        index_.erase(old->second.record);
        held_.erase(old);
        insert(number, embedding_of(vectors_.next()));
    }
    void erase() {
        if (held_.empty()) {
            return;
        }
        const auto old = any();
        index_.erase(old->second.record);
        held_.erase(old);
    }
    void change() {
        const std::uint64_t what = vectors_.prng().below(10);
        what < 5 ? put() : what < 8 ? update() : erase();
    }

    std::vector<float> query() {
        // One of those held, or near it, or anything.
        std::vector<float> values = vectors_.next();
        const std::uint64_t what = held_.empty() ? 9 : vectors_.prng().below(4);
        if (what < 2) {
            std::vector<float> held(dimension_);
            halves_to_floats(row_halves(any()->second, dimension_), held.data());
            for (std::size_t i = 0; i < dimension_; ++i) {
                held[i] += what == 0 ? 0 : 0.02F * values[i];
            }
            values = normalised(held).empty() ? values : held;
        }
        return values;
    }

    IndexSnapshot snapshot() { return index_.snapshot(key()); }
    std::size_t size() const { return held_.size(); }
    Prng& prng() { return vectors_.prng(); }
    /// The same from what is remembered, without the index.
    NearestHits expected(const NearestScan& scan) const {
        VectorIndex fresh;
        for (const auto& [number, row] : held_) {
            fresh.insert(key(), row);
        }
        return find_nearest_plainly(fresh.snapshot(key()), scan);
    }

  private:
    std::map<std::uint64_t, VectorRow>::iterator any() {
        const auto found = held_.lower_bound(vectors_.prng().below(next_));
        return found == held_.end() ? held_.begin() : found;
    }
    void insert(std::uint64_t number, const Buffer& halves) {
        const VectorRow row =
            row_of(number, halves, number % 3, TimePoint(Duration(vectors_.prng().below(1000))));
        held_.emplace(number, row);
        index_.insert(key(), row);
    }

    Vectors vectors_;
    std::size_t dimension_;
    VectorIndex index_;
    std::map<std::uint64_t, VectorRow> held_;
    std::uint64_t next_ = 0;
};

}  // namespace

TEST_CASE("nearest: equal to brute force for every shape, dimension and k, as entries change") {
    for (const Shape shape : kShapes) {
        for (const std::size_t dimension : {1U, 3U, 512U}) {
            CAPTURE(static_cast<int>(shape));
            CAPTURE(dimension);
            Changing all(static_cast<std::uint8_t>(dimension + 11), shape, dimension);
            std::size_t mismatches = 0;
            for (int round = 0; round < 12; ++round) {
                for (int step = 0; step < 120; ++step) {
                    all.change();
                }
                for (const std::size_t k : {std::size_t{1}, std::size_t{10}, all.size() + 5}) {
                    std::vector<std::vector<float>> queries;
                    for (std::uint64_t i = 0; i <= all.prng().below(6); ++i) {
                        queries.push_back(all.query());
                    }
                    NearestScan scan = scan_of(queries, k);
                    if (all.prng().below(3) == 0) {
                        scan.nodes = {0, 2};
                    }
                    if (all.prng().below(3) == 0) {
                        scan.born_min = TimePoint(Duration(600));
                    }
                    const NearestHits found = find_nearest(all.snapshot(), scan);
                    mismatches += found.of_query == all.expected(scan).of_query ? 0 : 1;
                }
            }
            CHECK(mismatches == 0);
        }
    }
}

TEST_CASE("nearest: equal to brute force at the largest dimension, by every kernel") {
    for (const Shape shape : kShapes) {
        Changing all(17, shape, 4096);
        for (int i = 0; i < 60; ++i) {
            all.put();
        }
        for (const DotKernel kernel : {DotKernel::Plain, DotKernel::Avx2, DotKernel::Avx512}) {
            const NearestScan scan = scan_of({all.query(), all.query()}, 7);
            if (is_supported(kernel)) {
                CHECK(find_nearest(all.snapshot(), scan, kernel).of_query ==
                      all.expected(scan).of_query);
            }
        }
    }
}

TEST_CASE("nearest: many more rows than one chunk, and few are compared by their values") {
    Vectors vectors(4, Shape::Gaussian, 64);
    VectorIndex index;
    const VectorSpaceKey key{kSpace, kType, 64};
    for (std::uint64_t i = 0; i < 6000; ++i) {
        index.insert(key, row_of(i, embedding_of(vectors.next())));
    }
    for (int i = 0; i < 10; ++i) {
        const NearestScan scan = scan_of({vectors.next()}, 10);
        const IndexSnapshot snapshot = index.snapshot(key);
        const NearestHits found = find_nearest(snapshot, scan);
        CHECK(found.of_query == find_nearest_plainly(snapshot, scan).of_query);
        CHECK(found.reranked < 60);
    }
}

TEST_CASE("nearest: equal scores are ordered by key, wherever the rows stand") {
    VectorIndex index;
    const VectorSpaceKey key{kSpace, kType, 3};
    const Buffer halves = embedding_of({1, 2, 3});
    for (const std::uint64_t i : {7U, 3U, 9U, 1U, 5U, 8U, 2U, 6U, 4U, 0U}) {
        index.insert(key, row_of(i, halves));
    }
    const NearestScan scan = scan_of({{3, 2, 1}, {1, 2, 3}}, 4);
    for (const auto& hits : find_nearest(index.snapshot(key), scan).of_query) {
        REQUIRE(hits.size() == 4);
        for (std::uint64_t i = 0; i < 4; ++i) {
            CHECK(number_of(hits[i].row) == i);
        }
    }
}

TEST_CASE("nearest: nothing is found in nothing") {
    VectorIndex index;
    const auto found = find_nearest(index.snapshot({kSpace, kType, 3}), scan_of({{1, 2, 3}}, 4));
    REQUIRE(found.of_query.size() == 1);
    CHECK(found.of_query[0].empty());
}

TEST_CASE("nearest: threads search snapshots while the index changes") {
    Changing all(23, Shape::Clustered, 64);
    for (int i = 0; i < 1500; ++i) {
        all.put();
    }
    std::atomic<int> mismatches{0};
    for (int round = 0; round < 15; ++round) {
        // Both threads start with chunks that nobody has encoded yet.
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i) {
            threads.emplace_back([snapshot = all.snapshot(), scan = scan_of({all.query()}, 10),
                                  expected = NearestHits(), &mismatches]() mutable {
                expected = find_nearest_plainly(snapshot, scan);
                for (int again = 0; again < 3; ++again) {
                    mismatches +=
                        find_nearest(snapshot, scan).of_query == expected.of_query ? 0 : 1;
                }
                snapshot = {};
            });
        }
        for (int step = 0; step < 300; ++step) {
            all.change();
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    CHECK(mismatches == 0);
    const NearestScan scan = scan_of({all.query()}, 10);
    CHECK(find_nearest(all.snapshot(), scan).of_query == all.expected(scan).of_query);
}
