// SPDX-License-Identifier: Apache-2.0
#include "proto/search/vector_index.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/proto/search/search_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

constexpr VectorSpaceKey kFaces{"arc", "face", 3};

VectorRow row(std::uint64_t number, std::size_t dimension = 3) {
    return row_of(number, Buffer(2 * dimension, 0x22));
}

std::multiset<std::uint64_t> live_rows(const IndexSnapshot& snapshot) {
    std::multiset<std::uint64_t> numbers;
    for (const IndexSnapshot::Part& part : snapshot.parts) {
        for (std::size_t at = 0; at < part.count; ++at) {
            if (part.is_live(at)) {
                numbers.insert(number_of(part.chunk->row(at)));
            }
        }
    }
    CHECK(numbers.size() == snapshot.live);
    return numbers;
}

}  // namespace

TEST_CASE("vector index: a snapshot stays as it is while rows come and go") {
    VectorIndex index;
    std::vector<VectorRow> rows;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        rows.push_back(row(i));
        index.insert(kFaces, rows.back());
    }
    const IndexSnapshot before = index.snapshot(kFaces);
    const auto numbers = live_rows(before);
    CHECK(numbers.size() == 3000);
    for (std::uint64_t i = 0; i < 2990; ++i) {
        index.erase(rows[i].record);
        index.insert(kFaces, row(10'000 + i));
    }
    CHECK(live_rows(before) == numbers);
    CHECK(index.size() == 3000);
    const auto after = live_rows(index.snapshot(kFaces));
    CHECK(after.count(2990) == 1);
    CHECK(after.count(2989) == 0);
    CHECK(after.count(12'989) == 1);
}

TEST_CASE("vector index: types, spaces and dimensions are kept apart") {
    VectorIndex index;
    const VectorRow face = row(1);
    index.insert(kFaces, face);
    index.insert({"arc", "plate", 3}, row(2));
    index.insert({"arc", "plate", 4}, row(3, 4));
    index.insert({"clip", "face", 3}, row(4));
    using Numbers = std::multiset<std::uint64_t>;
    CHECK(live_rows(index.snapshot(kFaces)) == Numbers{1});
    CHECK(live_rows(index.snapshot({"arc", "", 3})) == Numbers{1, 2});
    CHECK(live_rows(index.snapshot({"arc", "", 4})) == Numbers{3});
    CHECK(live_rows(index.snapshot({"arc", "fac", 3})) == Numbers{});
    CHECK(live_rows(index.snapshot({"", "face", 3})) == Numbers{});
    CHECK(index.dimensions("arc", "") == std::vector<std::uint32_t>{3, 4});
    CHECK(index.dimensions("arc", "face") == std::vector<std::uint32_t>{3});
    CHECK(index.dimensions("nothing", "").empty());
    index.erase(face.record);
    CHECK(index.dimensions("arc", "face").empty());
}

TEST_CASE("vector index: random changes leave what a set would hold, and little that is dead") {
    VectorIndex index;
    Prng prng = prng_of(5);
    std::map<std::uint64_t, VectorRow> held;
    std::uint64_t next = 0;
    for (int round = 0; round < 6; ++round) {
        // It grows and shrinks; in every other round it is searched, and so encoded.
        const std::uint64_t share = round % 2 == 0 ? 75 : 30;
        for (int step = 0; step < 8000; ++step) {
            if (held.empty() || prng.below(100) < share) {
                const VectorRow made = row(next);
                held.emplace(next++, made);
                index.insert(kFaces, made);
            } else {
                auto victim = held.lower_bound(prng.below(next));
                victim = victim == held.end() ? held.begin() : victim;
                index.erase(victim->second.record);
                held.erase(victim);
            }
        }
        REQUIRE(index.size() == held.size());
        CHECK(index.dead_count() <=
              held.size() / 2 + (VectorIndex::kDeadRowsMin + 1) * index.chunk_count());
        CHECK(index.chunk_count() <= 3 * held.size() / VectorChunk::kRowsMax + 40);
        if (round != 1) {
            const auto numbers = live_rows(index.snapshot(kFaces));
            std::multiset<std::uint64_t> expected;
            for (const auto& [number, kept] : held) {
                expected.insert(number);
            }
            CHECK(numbers == expected);
        }
    }
    for (const auto& [number, kept] : held) {
        index.erase(kept.record);
    }
    CHECK(index.size() == 0);
    CHECK(index.chunk_count() == 0);
    CHECK(index.dead_count() == 0);
}

TEST_CASE("vector index: without a search nothing is encoded, after one all is") {
    VectorIndex index;
    for (std::uint64_t i = 0; i < 200; ++i) {
        index.insert(kFaces, row(i));
    }
    const IndexSnapshot first = index.snapshot(kFaces);
    for (const auto& part : first.parts) {
        CHECK(part.chunk->codes() == nullptr);
    }
    CHECK(scan_work(first, 1) > 10 * 200 * code_stride(3));
    NearestScan scan = scan_of({{1, 2, 3}}, 5);
    CHECK(find_nearest(first, scan).of_query[0].size() == 5);
    CHECK(scan_work(first, 1) == 200 * code_stride(3));
    for (std::uint64_t i = 200; i < 400; ++i) {
        index.insert(kFaces, row(i));
    }
    for (const auto& part : index.snapshot(kFaces).parts) {
        CHECK(part.chunk->codes() != nullptr);
    }
}
