// SPDX-License-Identifier: Apache-2.0
#include "proto/store/place_set.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "proto/base/prng.h"

using namespace meshd;

namespace {

std::vector<RecordPlace> all_of(const PlaceSet& places) {
    std::vector<RecordPlace> all;
    for (auto at = places.first_from({}); at;
         at = places.first_from({at->stream, at->counter + 1})) {
        all.push_back(*at);
    }
    return all;
}

}  // namespace

TEST_CASE("place set: does what a set of places does, in whatever order they come and go") {
    Prng prng(Entropy{});
    PlaceSet places;
    std::set<RecordPlace> expected;
    for (int step = 0; step < 20'000; ++step) {
        const RecordPlace place{StreamId{1 + prng.next() % 3}, 1 + prng.next() % 40};
        if (prng.next() % 2 == 0) {
            places.insert(place);
            expected.insert(place);
        } else {
            CHECK(places.erase(place) == (expected.erase(place) != 0));
        }
        REQUIRE(places.contains(place) == expected.contains(place));
        REQUIRE(places.size() == expected.size());
        if (step % 50 == 0) {
            REQUIRE(all_of(places) == std::vector<RecordPlace>(expected.begin(), expected.end()));
        }
    }
    places.clear();
    CHECK(places.size() == 0);
    CHECK_FALSE(places.first_from({}));
}

TEST_CASE("place set: what is looked for between two ranges is the beginning of the next") {
    PlaceSet places;
    for (const std::uint64_t counter : {2U, 3U, 7U}) {
        places.insert({StreamId{5}, counter});
    }
    places.insert({StreamId{9}, 1});
    CHECK(places.first_from({StreamId{5}, 3}) == RecordPlace{StreamId{5}, 3});
    CHECK(places.first_from({StreamId{5}, 4}) == RecordPlace{StreamId{5}, 7});
    CHECK(places.first_from({StreamId{5}, 8}) == RecordPlace{StreamId{9}, 1});
    CHECK_FALSE(places.first_from({StreamId{9}, 2}));
}

TEST_CASE("places: the highest numbers there are come once") {
    PlaceSet places;
    const RecordPlace last{StreamId{UINT64_MAX}, UINT64_MAX};
    places.insert(last);
    places.insert(last);
    CHECK(places.size() == 1);
    CHECK(places.first_from(last) == last);
    places.insert({StreamId{UINT64_MAX}, 0});
    CHECK(places.size() == 2);
}
