// SPDX-License-Identifier: Apache-2.0
#include "proto/store/under_way.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

const NodeId kAuthor = *NodeId::parse("a");

std::vector<StreamIntervals> wants_of(std::uint64_t first, std::uint64_t last) {
    return {{StreamId{0x22}, kAuthor, {{first, last}}, {}}};
}

Delta covering(std::uint64_t first, std::uint64_t last, std::optional<std::uint64_t> floor) {
    Delta delta;
    delta.covers = {{StreamId{0x22}, kAuthor, {{first, last}}, floor}};
    return delta;
}

/// What is left of a wish for 1 to 20.
std::vector<Interval> left(UnderWay& under_way, int ms, bool is_idle = false) {
    auto wants = wants_of(1, 20);
    under_way.leave_out(at(ms), is_idle, wants);
    return wants.empty() ? std::vector<Interval>() : wants[0].intervals;
}

}  // namespace

TEST_CASE("under way: what an answer covers is not offered again while it may be on its way") {
    UnderWay under_way;
    CHECK(left(under_way, 10'000) == std::vector<Interval>{{1, 20}});
    under_way.add(covering(1, 5, 0));
    under_way.add(covering(9, 12, 0));
    CHECK(left(under_way, 10'100) == std::vector<Interval>{{6, 8}, {13, 20}});
    under_way.add(covering(6, 8, 0));
    under_way.add(covering(13, 20, 0));
    CHECK(left(under_way, 10'200).empty());
}

TEST_CASE("under way: nothing is once all that was sent is acknowledged") {
    UnderWay under_way;
    left(under_way, 10'000);
    under_way.add(covering(1, 5, 0));
    CHECK(left(under_way, 10'100, true) == std::vector<Interval>{{1, 20}});
    CHECK(left(under_way, 10'200) == std::vector<Interval>{{1, 20}});
}

TEST_CASE("under way: what does not come is offered again after 2 to 4 s") {
    UnderWay under_way;
    left(under_way, 10'000);
    under_way.add(covering(1, 5, 0));
    CHECK(left(under_way, 12'000) == std::vector<Interval>{{6, 20}});
    CHECK(left(under_way, 13'999) == std::vector<Interval>{{6, 20}});
    CHECK(left(under_way, 14'000) == std::vector<Interval>{{1, 20}});
    under_way.add(covering(6, 20, 0));
    CHECK(left(under_way, 18'000) == std::vector<Interval>{{1, 20}});
}

TEST_CASE("under way: a volatile stream is offered whole, since its records prove each other") {
    UnderWay under_way;
    left(under_way, 10'000);
    under_way.add(covering(1, 5, std::nullopt));
    CHECK(left(under_way, 10'100) == std::vector<Interval>{{1, 20}});
}
