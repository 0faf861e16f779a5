// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/duplicates.h"

#include <doctest/doctest.h>

#include "proto/wire/limits.h"
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

TEST_CASE("duplicates: one made-up number does not silence its source") {
    Duplicates duplicates;
    const auto accept = [&](std::uint64_t seq) {
        return duplicates.accept(at(1), id("a"), StartId{1}, seq);
    };
    CHECK(accept(1));
    CHECK(accept(limits::kCounterMax));
    CHECK_FALSE(accept(limits::kCounterMax));
    CHECK(accept(2));
    CHECK_FALSE(accept(1));
    CHECK(accept(3));
    CHECK(accept(3 + Duplicates::kLeapMax));
}

TEST_CASE("duplicates: nor does a made-up first number") {
    Duplicates duplicates;
    const auto accept = [&](std::uint64_t seq) {
        return duplicates.accept(at(1), id("a"), StartId{1}, seq);
    };
    CHECK(accept(limits::kCounterMax));
    CHECK(accept(1));
    CHECK(accept(2));
    CHECK_FALSE(accept(2));
    CHECK(accept(3));
    CHECK_FALSE(accept(1));
}

TEST_CASE("duplicates: a source most of whose messages go elsewhere is heard at each leap") {
    Duplicates duplicates;
    for (std::uint64_t seq = 10; seq < 20'000'000; seq += 1'000'000) {
        CHECK(duplicates.accept(at(1), id("a"), StartId{1}, seq));
        CHECK_FALSE(duplicates.accept(at(1), id("a"), StartId{1}, seq));
    }
}

TEST_CASE("duplicates: where a source has leapt it goes on, and what was before stays known") {
    Duplicates duplicates;
    const auto accept = [&](std::uint64_t seq) {
        return duplicates.accept(at(1), id("a"), StartId{1}, seq);
    };
    CHECK(accept(10));
    constexpr std::uint64_t kLater = 10'000'000;
    CHECK(accept(kLater));
    CHECK_FALSE(accept(kLater));
    CHECK(accept(kLater + 5));
    CHECK_FALSE(accept(kLater + 5));
    CHECK(accept(kLater + 4));
    CHECK_FALSE(accept(10));
    CHECK(accept(kLater + 6));
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
