// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/duplicates.h"

#include <doctest/doctest.h>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;

TimePoint at(std::size_t second) {
    return TimePoint(std::chrono::seconds(second));
}

TEST_CASE("duplicates: a number is new once for each source and each of its starts") {
    Duplicates duplicates;
    CHECK(duplicates.accept(at(1), id("a"), StartId{1}, 5));
    CHECK_FALSE(duplicates.accept(at(1), id("a"), StartId{1}, 5));
    CHECK(duplicates.accept(at(1), id("b"), StartId{1}, 5));
    CHECK(duplicates.accept(at(1), id("a"), StartId{2}, 5));
    CHECK(duplicates.accept(at(1), id("a"), StartId{1}, 4));
}

TEST_CASE("duplicates: what is older than the window counts as seen") {
    Duplicates duplicates;
    CHECK(duplicates.accept(at(1), id("a"), StartId{1}, Duplicates::kWindow + 1));
    CHECK_FALSE(duplicates.accept(at(1), id("a"), StartId{1}, 1));
    CHECK(duplicates.accept(at(1), id("a"), StartId{1}, 2));
}

TEST_CASE("duplicates: where it is full only the longest silent source is forgotten") {
    Duplicates duplicates;
    for (std::size_t i = 0; i < Duplicates::kSourcesMax; ++i) {
        CHECK(duplicates.accept(at(i), id("s" + std::to_string(i)), StartId{1}, 1));
    }
    const std::size_t later = Duplicates::kSourcesMax;
    CHECK_FALSE(duplicates.accept(at(later), id("s0"), StartId{1}, 1));
    CHECK(duplicates.accept(at(later + 1), id("new"), StartId{1}, 1));
    CHECK_FALSE(duplicates.accept(at(later + 2), id("s0"), StartId{1}, 1));
    CHECK_FALSE(duplicates.accept(at(later + 2), id("s2"), StartId{1}, 1));
    CHECK(duplicates.accept(at(later + 2), id("s1"), StartId{1}, 1));
}

}  // namespace
}  // namespace meshd
