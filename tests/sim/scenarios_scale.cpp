// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "tests/sim/broadcast_exercise.h"
#include "tests/sim/scale.h"

namespace meshd::sim {

namespace {

ScalePlan small_plan(ScaleTopology topology) {
    ScalePlan plan;
    plan.topology = topology;
    plan.nodes = 16;
    plan.idle = std::chrono::seconds(10);
    plan.crashes = 1;
    plan.alerts = 3;
    return plan;
}

}  // namespace

TEST_CASE("scale: a measured mesh forms, tells alerts and crashes, and closes after half is gone") {
    for (const ScaleTopology topology : {ScaleTopology::Lan, ScaleTopology::Grid,
                                         ScaleTopology::Gateway, ScaleTopology::Geometric}) {
        CAPTURE(scale_topology_name(topology));
        const ScaleResult result = run_scale(small_plan(topology));
        CHECK(result.connected_ms);
        CHECK(result.complete_ms);
        CHECK(result.equal_ms);
        CHECK(result.diameter >= 1);
        CHECK(result.degree_mean >= 1);
        CHECK(result.handshake_messages_per_node > 0);
        CHECK(result.idle_packets_per_node_s > 0);
        CHECK(result.false_offline == 0);
        CHECK(result.false_link_down == 0);
        CHECK(result.crashes_unknown == 0);
        CHECK(result.alerts_lost == 0);
        CHECK(result.alert_copies_per_node >= 1);
        CHECK(result.half_connected_ms);
        CHECK(result.half_complete_ms);
    }
}

TEST_CASE("scale: while a large mesh forms each record comes to a node hardly more than once") {
    ScalePlan plan = small_plan(ScaleTopology::Geometric);
    plan.nodes = 100;
    plan.loss = 0.05;
    plan.crashes = 0;
    const ScaleResult result = run_scale(plan);
    CHECK(result.complete_ms.value_or(60'000) < 1500);
    CHECK(result.equal_ms.value_or(60'000) < 5000);
    const auto nodes = static_cast<double>(plan.nodes);
    const auto records = static_cast<double>(result.forming_records_written);
    CHECK(records < 7.5 * nodes);
    CHECK(static_cast<double>(result.forming_copies) < 1.4 * records * nodes);
    CHECK(result.false_offline == 0);
}

TEST_CASE("scale: the same plan gives the same figures") {
    const ScalePlan plan = small_plan(ScaleTopology::Geometric);
    CHECK(print_scale(plan, run_scale(plan)) == print_scale(plan, run_scale(plan)));
}

TEST_CASE("scale: percentiles of samples") {
    CHECK(!percentile({}, 0.5));
    CHECK(percentile({3}, 0.99) == 3);
    CHECK(percentile({4, 1, 3, 2}, 0.5) == 3);
    CHECK(percentile({4, 1, 3, 2}, 1) == 4);
}

TEST_CASE("broadcast exercise: within a second in the median, at less than 20 messages each") {
    const ExerciseResult result = run_exercise(1, false);
    CHECK(result.operations == 2000);
    CHECK(result.lost == 0);
    CHECK(result.messages_per_operation < 20);
    CHECK(result.median_ms < 1000);
}

}  // namespace meshd::sim
