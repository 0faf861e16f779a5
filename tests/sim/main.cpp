// SPDX-License-Identifier: Apache-2.0
/// \file
/// meshd-sim: runs seeds and says which of them break a rule of the mesh.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "tests/sim/swarm.h"

namespace {

constexpr char kUsage[] =
    "usage: meshd-sim [--seed N] [--seeds COUNT] [--nodes N] [--minutes M] [--mutant NAME] [-v]\n"
    "  --seed N       first seed (default 1)\n"
    "  --seeds COUNT  how many, counting up (default 1)\n"
    "  --nodes N      boxes in the mesh (default: drawn from the seed, 10 to 14)\n"
    "  --minutes M    virtual minutes with faults (default 10)\n"
    "  --mutant NAME  break the mesh on purpose: drop-repair, tell-twice, lose-state\n"
    "  -v             print the plan of each seed\n"
    "Exit code: 0 all right, 1 a violation, 2 usage.\n";

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    std::optional<std::size_t> nodes;
    std::optional<std::chrono::seconds> duration;
    meshd::sim::Mutant mutant = meshd::sim::Mutant::None;
    bool is_verbose = false;
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<Arguments> parse_arguments(int count, char** values) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view name = values[i];
        if (name == "-v") {
            arguments.is_verbose = true;
            continue;
        }
        if (++i == count) {
            return std::nullopt;
        }
        if (name == "--mutant") {
            const auto mutant = meshd::sim::parse_mutant(values[i]);
            if (!mutant) {
                return std::nullopt;
            }
            arguments.mutant = *mutant;
            continue;
        }
        const auto number = parse_number(values[i]);
        if (!number) {
            return std::nullopt;
        }
        if (name == "--seed") {
            arguments.seed = *number;
        } else if (name == "--seeds") {
            arguments.seeds = *number;
        } else if (name == "--nodes" && *number >= 2 && *number <= 1000) {
            arguments.nodes = *number;
        } else if (name == "--minutes" && *number <= 100'000) {
            arguments.duration = std::chrono::minutes(*number);
        } else {
            return std::nullopt;
        }
    }
    return arguments;
}

}  // namespace

int main(int count, char** values) {
    const auto arguments = parse_arguments(count, values);
    if (!arguments) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    std::uint64_t failed = 0;
    for (std::uint64_t i = 0; i < arguments->seeds; ++i) {
        meshd::sim::Plan plan =
            meshd::sim::draw_plan(arguments->seed + i, arguments->nodes, arguments->duration);
        plan.mutant = arguments->mutant;
        if (arguments->is_verbose) {
            std::puts(print_plan(plan).c_str());
        }
        const meshd::sim::SwarmResult result = run_swarm(plan);
        const bool is_right = result.violations.empty();
        std::printf("seed %llu %s trace %016llx deliveries %llu alerts %zu settled %lld ms\n",
                    static_cast<unsigned long long>(plan.seed), is_right ? "ok" : "VIOLATION",
                    static_cast<unsigned long long>(result.trace_hash),
                    static_cast<unsigned long long>(result.deliveries), result.alerts,
                    static_cast<long long>(meshd::to_ms(result.settled_after)));
        if (!is_right) {
            ++failed;
            std::printf("%s\n%s", print_plan(plan).c_str(), result.violations.c_str());
        }
        std::fflush(stdout);
    }
    return failed == 0 ? 0 : 1;
}
