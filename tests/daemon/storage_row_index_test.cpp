// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_row_index.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <map>
#include <utility>

#include "proto/base/prng.h"

using namespace meshd;

TEST_CASE("storage: rows are found by place, in whatever order they come and go") {
    Prng prng(Entropy{});
    RowIndex index;
    std::map<std::pair<StreamId, std::uint64_t>, std::int64_t> expected;
    std::int64_t id = 0;
    for (int step = 0; step < 20'000; ++step) {
        const StreamId stream{1 + prng.next() % 3};
        const std::uint64_t counter = 1 + prng.next() % 40;
        // Mostly in order, so that there are runs to break.
        const std::uint64_t count = prng.next() % 8;
        for (std::uint64_t i = 0; i < count; ++i) {
            index.set(stream, counter + i, ++id);
            expected[{stream, counter + i}] = id;
        }
        if (count < 4) {
            index.erase(stream, counter);
            expected.erase({stream, counter});
        }
        REQUIRE(index.size() == expected.size());
        for (std::uint64_t at = 1; step % 20 == 0 && at < 50; ++at) {
            const auto found = expected.find({stream, at});
            REQUIRE(index.find(stream, at) == (found == expected.end() ? 0 : found->second));
        }
    }
    index.clear();
    CHECK(index.size() == 0);
    CHECK(index.find(StreamId{1}, 1) == 0);
}

TEST_CASE("storage: the highest id of a damaged file breaks no run") {
    constexpr std::int64_t kHighest = std::numeric_limits<std::int64_t>::max();
    RowIndex index;
    index.set(StreamId{1}, 5, kHighest);
    index.set(StreamId{1}, 6, 3);
    CHECK(index.find(StreamId{1}, 5) == kHighest);
    CHECK(index.find(StreamId{1}, 6) == 3);
}
