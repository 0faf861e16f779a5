// SPDX-License-Identifier: Apache-2.0
#include "proto/links/mesh_time.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

namespace meshd {
namespace {

using test::at;
using test::milliseconds;
using test::minutes;
using test::seconds;

constexpr std::int64_t kNoon = 1'800'000'000'000;
constexpr std::int64_t k1970 = 1'000;
constexpr std::int64_t k2038 = 2'147'483'648'000;
constexpr std::int64_t k2100 = 4'102'444'800'000;

NodeId peer(std::size_t number) {
    return *NodeId::parse("p" + std::to_string(number));
}

}  // namespace

TEST_CASE("mesh time: the median of plausible clocks, of two the earlier") {
    struct Row {
        const char* what;
        std::int64_t own;
        std::vector<std::int64_t> peers;
        std::optional<std::int64_t> known;
        std::int64_t bounded;
    };
    const Row rows[] = {
        {"alone", kNoon, {}, std::nullopt, kNoon},
        {"alone and not set", k1970, {}, std::nullopt, k1970},
        {"not set, and so are the peers", k1970, {k1970, 0}, std::nullopt, k1970},
        {"the peer agrees", kNoon, {kNoon + 10}, kNoon, kNoon},
        {"the peer is ahead", kNoon, {k2038}, kNoon, kNoon},
        {"ahead of the peer", k2038, {kNoon}, kNoon, kNoon},
        {"not set, the peer is", k1970, {kNoon}, kNoon, kNoon},
        {"not set, of two peers one is ahead", k1970, {k2038, kNoon}, kNoon, kNoon},
        {"set, the peer is not", kNoon, {k1970}, std::nullopt, kNoon},
        {"one of three is ahead", kNoon, {kNoon + 5, k2038}, kNoon + 5, kNoon},
        {"two of three are ahead", kNoon, {k2038, k2038 + 1}, k2038, k2038},
        {"after the end of time", kNoon, {k2100, kNoon + 3}, kNoon, kNoon},
        {"below the first plausible instant", kNoon, {1'767'225'599'999}, std::nullopt, kNoon},
        {"at the first plausible instant",
         kNoon,
         {1'767'225'600'000},
         1'767'225'600'000,
         1'767'225'600'000},
        {"a minute behind is near enough", kNoon, {kNoon - 60'000}, kNoon - 60'000, kNoon},
        {"more than a minute is not", kNoon, {kNoon - 60'001}, kNoon - 60'001, kNoon - 60'001},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        MeshTime time;
        for (std::size_t i = 0; i < row.peers.size(); ++i) {
            time.on_sample(at(0), peer(i), row.peers[i]);
        }
        const Now now{at(0), {row.own}};
        const auto known = time.known(now);
        CHECK((known ? std::optional(known->ms) : std::nullopt) == row.known);
        CHECK(time.bounded(now).ms == row.bounded);
    }
}

TEST_CASE(
    "mesh time: a sample goes on with the monotonic clock, whatever the own wall clock does") {
    MeshTime time;
    time.on_sample(at(0), peer(1), kNoon);
    CHECK(time.known({at(0) + minutes(60), {k1970}})->ms == kNoon + 3'600'000);
    CHECK(time.bounded({at(0) + minutes(60), {k2038}}).ms == kNoon + 3'600'000);
}

TEST_CASE("mesh time: agreed where more than half of the clocks show it") {
    struct Row {
        const char* what;
        std::int64_t own;
        std::vector<std::int64_t> peers;
        std::optional<std::int64_t> agreed;
    };
    constexpr std::int64_t kDay = 86'400'000;
    const Row rows[] = {
        {"alone", kNoon, {}, std::nullopt},
        {"two of two", kNoon, {kNoon + 60'000}, kNoon},
        {"one of two", kNoon, {kNoon + 60'001}, std::nullopt},
        {"the only one that is set", k1970, {kNoon}, kNoon},
        {"two of three", kNoon - kDay, {kNoon, kNoon + 5}, kNoon},
        {"one of three", kNoon - kDay, {kNoon, kNoon + kDay}, std::nullopt},
        {"two of four", kNoon, {kNoon, kNoon + kDay, kNoon + 2 * kDay}, std::nullopt},
        {"three of five", kNoon, {kNoon, kNoon + 9, kNoon - kDay, kNoon + kDay}, kNoon},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        MeshTime time;
        for (std::size_t i = 0; i < row.peers.size(); ++i) {
            time.on_sample(at(0), peer(i), row.peers[i]);
        }
        const auto agreed = time.agreed({at(0), {row.own}});
        CHECK((agreed ? std::optional(agreed->ms) : std::nullopt) == row.agreed);
    }
}

TEST_CASE("mesh time: a sample outlives its link by ten minutes at most") {
    MeshTime time;
    time.on_sample(at(0), peer(1), kNoon);
    time.on_link_down(peer(1));
    time.on_link_down(peer(2));
    CHECK(time.known({at(0) + minutes(10), {k1970}}));
    CHECK_FALSE(time.known({at(0) + minutes(10) + milliseconds(1), {k1970}}));
    time.on_sample(at(0) + minutes(20), peer(1), kNoon);
    CHECK(time.known({at(0) + minutes(40), {k1970}}));
}

TEST_CASE("mesh time: a clock that was set to nonsense loses its vote") {
    MeshTime time;
    time.on_sample(at(0), peer(1), kNoon);
    time.on_sample(at(0), peer(1), k1970);
    CHECK_FALSE(time.known({at(0), {kNoon}}));
}

TEST_CASE("mesh time: samples are bounded, and those of links that are gone make room") {
    MeshTime time;
    for (std::size_t i = 0; i < MeshTime::kSamplesMax; ++i) {
        time.on_sample(at(0) + seconds(i), peer(i), k2038);
    }
    time.on_sample(at(0) + minutes(2), peer(1000), kNoon);
    CHECK(time.known({at(0) + minutes(2), {k1970}})->ms >= k2038);
    for (std::size_t i = 0; i < MeshTime::kSamplesMax; ++i) {
        time.on_link_down(peer(i));
    }
    for (std::size_t i = 0; i < MeshTime::kSamplesMax; ++i) {
        time.on_sample(at(0) + minutes(2), peer(1000 + i), kNoon);
    }
    CHECK(time.known({at(0) + minutes(2), {k1970}})->ms == kNoon);
}

}  // namespace meshd
