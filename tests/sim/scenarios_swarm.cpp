// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/hostile.h"
#include "tests/sim/scene.h"
#include "tests/sim/swarm.h"

namespace meshd::sim {

namespace {

/// Short runs: the long ones are meshd-sim's.
constexpr seconds kDuration(60);

std::uint64_t short_trace(std::uint64_t seed) {
    Scene scene(seed, lan(4));
    scene.world.network().defaults().loss = 0.1;
    scene.start_all();
    for (Host host = 0; host < 4; ++host) {
        REQUIRE(scene.world.raise(host));
        scene.world.run_for(seconds(3));
    }
    return scene.world.trace_hash();
}

void run_seeds(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        const Plan plan = draw_plan(seed, std::nullopt, kDuration);
        const SwarmResult result = run_swarm(plan);
        INFO(print_plan(plan));
        CHECK(result.violations == "");
        CHECK(result.alerts > 0);
    }
}

/// Number of the first seed of ten that shows the broken mesh; 0 where none does.
std::uint64_t caught_at(Mutant mutant) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Plan plan = draw_plan(seed, 6, kDuration);
        plan.mutant = mutant;
        if (!run_swarm(plan).violations.empty()) {
            return seed;
        }
    }
    return 0;
}

}  // namespace

TEST_CASE("simulator: the same seed gives the same trace, another seed another one") {
    const std::uint64_t once = short_trace(1);
    CHECK(short_trace(1) == once);
    CHECK(short_trace(2) != once);
}

TEST_CASE("simulator: a plan follows from its seed, and so does its run") {
    const Plan plan = draw_plan(7, 5, seconds(20));
    CHECK(print_plan(plan) == print_plan(draw_plan(7, 5, seconds(20))));
    CHECK(print_plan(plan) != print_plan(draw_plan(8, 5, seconds(20))));
    CHECK(run_swarm(plan).trace_hash == run_swarm(plan).trace_hash);
}

TEST_CASE("checkers: a mesh without repair is caught") {
    CHECK(caught_at(Mutant::DropRepair) != 0);
}

TEST_CASE("checkers: an alert told twice is caught") {
    CHECK(caught_at(Mutant::TellTwice) != 0);
}

TEST_CASE("checkers: lost node and state records are caught") {
    CHECK(caught_at(Mutant::LoseState) != 0);
}

TEST_CASE("swarm: seeds 1 to 5") {
    run_seeds(1, 5);
}

TEST_CASE("swarm: seeds 6 to 10") {
    run_seeds(6, 10);
}

TEST_CASE("swarm: seeds 11 to 15") {
    run_seeds(11, 15);
}

TEST_CASE("swarm: seeds 16 to 20") {
    run_seeds(16, 20);
}

}  // namespace meshd::sim
