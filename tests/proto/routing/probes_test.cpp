// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/probes.h"

#include <doctest/doctest.h>

#include "tests/proto/routing/graph_support.h"

namespace meshd {
namespace {

using namespace test;
using std::chrono::milliseconds;

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

TEST_CASE("probes: a ping ends with the answer of its destination") {
    Probes probes;
    probes.start(at(10), 1, RequestId{5}, id("c"), false, at(1000));
    probes.on_pong(at(11), 1, id("b"), {id("a")});
    probes.on_pong(at(12), 2, id("c"), {id("a")});
    CHECK_FALSE(probes.poll());
    probes.on_pong(at(14), 1, id("c"), {id("a"), id("b")});
    const auto result = probes.poll();
    REQUIRE(result);
    CHECK(result->request == RequestId{5});
    CHECK(result->rtt == milliseconds(4));
    REQUIRE(result->hops.size() == 2);
    CHECK(result->hops[0].node == id("b"));
    CHECK(result->hops[1].node == id("c"));
    CHECK_FALSE(probes.next_deadline());
}

TEST_CASE("probes: without an answer a ping ends at its deadline") {
    Probes probes;
    probes.start(at(0), 1, RequestId{5}, id("c"), false, at(1000));
    CHECK(probes.next_deadline() == at(1000));
    probes.on_timeout(at(999));
    CHECK_FALSE(probes.poll());
    probes.on_timeout(at(1000));
    const auto result = probes.poll();
    REQUIRE(result);
    CHECK_FALSE(result->rtt);
    CHECK(result->hops.empty());
}

TEST_CASE("probes: a trace has the round trip to each hop, in order") {
    Probes probes;
    probes.start(at(0), 1, RequestId{5}, id("d"), true, at(1000));
    probes.on_pong(at(2), 1, id("b"), {id("a")});
    probes.on_pong(at(9), 1, id("d"), {id("a"), id("b"), id("c")});
    CHECK_FALSE(probes.poll());
    CHECK(probes.next_deadline() == at(9) + Probes::kStragglersMin);
    probes.on_pong(at(10), 1, id("c"), {id("a"), id("b")});
    const auto result = probes.poll();
    REQUIRE(result);
    REQUIRE(result->hops.size() == 3);
    CHECK(result->hops[0].rtt == milliseconds(2));
    CHECK(result->hops[1].rtt == milliseconds(10));
    CHECK(result->hops[2].rtt == milliseconds(9));
    CHECK(result->hops[2].node == id("d"));
}

TEST_CASE("probes: a hop that does not say so is shown without a round trip") {
    Probes probes;
    probes.start(at(0), 1, RequestId{5}, id("d"), true, at(1000));
    probes.on_pong(at(80), 1, id("d"), {id("a"), id("b"), NodeId()});
    probes.on_timeout(at(160));
    const auto result = probes.poll();
    REQUIRE(result);
    REQUIRE(result->hops.size() == 3);
    CHECK(result->hops[0].node == id("b"));
    CHECK_FALSE(result->hops[0].rtt);
    CHECK(result->hops[1].node.empty());
}

TEST_CASE("probes: a trace that ends nowhere shows how far it came") {
    Probes probes;
    probes.start(at(0), 1, RequestId{5}, id("d"), true, at(1000));
    probes.on_pong(at(2), 1, id("b"), {id("a")});
    probes.on_timeout(at(1000));
    const auto result = probes.poll();
    REQUIRE(result);
    CHECK_FALSE(result->rtt);
    REQUIRE(result->hops.size() == 1);
    CHECK(result->hops[0].node == id("b"));
}

TEST_CASE("probes: an answer that passed nobody is made up and ignored") {
    Probes probes;
    probes.start(at(0), 1, RequestId{5}, id("d"), false, at(1000));
    probes.on_pong(at(2), 1, id("d"), {});
    CHECK_FALSE(probes.poll());
}

}  // namespace
}  // namespace meshd
