// SPDX-License-Identifier: Apache-2.0
/// \file
/// meshd-sim: runs seeds and says which of them break a rule of the mesh.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/broadcast_exercise.h"
#include "tests/sim/scale.h"
#include "tests/sim/swarm.h"

namespace {

constexpr char kUsage[] =
    "usage: meshd-sim [--seed N] [--seeds COUNT] [--jobs J] [--nodes N] [--minutes M]\n"
    "                 [--mutant NAME] [--until-caught] [-v]\n"
    "  --seed N       first seed (default 1)\n"
    "  --seeds COUNT  how many, counting up (default 1)\n"
    "  --jobs J       processes that share the seeds (default 1)\n"
    "  --nodes N      boxes in the mesh (default: drawn from the seed, 10 to 14)\n"
    "  --minutes M    virtual minutes with faults (default 10)\n"
    "  --mutant NAME  break the mesh on purpose: drop-repair, tell-twice, lose-state\n"
    "  --until-caught end at the first violation, and fail where there is none: a mesh that is\n"
    "                 broken on purpose must be caught\n"
    "  -v             print the plan of each seed\n"
    "or:    meshd-sim --topology lan|grid|gateway|geometric [--nodes N] [--seed N] [--loss SHARE]\n"
    "                 [--minutes M | --hours H] [--stalls] [--crashes C] [--alerts A]\n"
    "                 [--report FILE]\n"
    "  measures one mesh of that size (default 50) without faults of its own, then alerts, "
    "crashes,\n"
    "  and the crash of half of it; --minutes or --hours of idling (default 1 minute), with\n"
    "  --stalls of up to 500 ms for each box about every 30 s; JSON to FILE or stdout\n"
    "or:    meshd-sim --broadcast-exercise [--partition] [--seed N] [--report FILE]\n"
    "  25 nodes, 100 ms per hop, 100 broadcasts a second for 20 s\n"
    "Exit code: 0 all right, 1 a violation (or, with --until-caught, none), 2 usage.\n";

struct Arguments {
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    std::uint64_t jobs = 1;
    std::optional<std::size_t> nodes;
    std::optional<std::chrono::seconds> duration;
    meshd::sim::Mutant mutant = meshd::sim::Mutant::None;
    bool is_verbose = false;
    bool until_caught = false;
    std::optional<meshd::sim::ScaleTopology> topology;
    double loss = 0;
    bool has_stalls = false;
    std::optional<std::size_t> crashes;
    std::optional<std::size_t> alerts;
    const char* report = nullptr;
    bool is_exercise = false;
    bool has_partition = false;
};

/// The seed that runs, for the last words of a process whose assertion failed.
volatile std::uint64_t running_seed = 0;

void on_abort(int /*signal*/) {
    char text[] = "seed                      ABORTED\n";
    std::uint64_t seed = running_seed;
    for (std::size_t at = 24; at > 4 && seed != 0; seed /= 10) {
        text[--at] = static_cast<char>('0' + seed % 10);
    }
    static_cast<void>(!write(STDOUT_FILENO, text, sizeof text - 1));
}

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
        const std::pair<std::string_view, bool*> switches[] = {
            {"-v", &arguments.is_verbose},
            {"--until-caught", &arguments.until_caught},
            {"--stalls", &arguments.has_stalls},
            {"--broadcast-exercise", &arguments.is_exercise},
            {"--partition", &arguments.has_partition}};
        const auto* found = std::find_if(std::begin(switches), std::end(switches),
                                         [&](const auto& one) { return one.first == name; });
        if (found != std::end(switches)) {
            *found->second = true;
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
        if (name == "--topology") {
            arguments.topology = meshd::sim::parse_scale_topology(values[i]);
            if (!arguments.topology) {
                return std::nullopt;
            }
            continue;
        }
        if (name == "--report") {
            arguments.report = values[i];
            continue;
        }
        if (name == "--loss") {
            char* end = nullptr;
            arguments.loss = std::strtod(values[i], &end);
            if (*end != '\0' || arguments.loss < 0 || arguments.loss >= 1) {
                return std::nullopt;
            }
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
        } else if (name == "--jobs" && *number >= 1 && *number <= 64) {
            arguments.jobs = *number;
        } else if (name == "--nodes" && *number >= 2 && *number <= 1000) {
            arguments.nodes = *number;
        } else if (name == "--crashes" && *number <= 1000) {
            arguments.crashes = *number;
        } else if (name == "--alerts" && *number <= 1000) {
            arguments.alerts = *number;
        } else if (name == "--minutes" && *number <= 100'000) {
            arguments.duration = std::chrono::minutes(*number);
        } else if (name == "--hours" && *number <= 1000) {
            arguments.duration = std::chrono::hours(*number);
        } else {
            return std::nullopt;
        }
    }
    return arguments;
}

/// True where the run was right.
bool run_seed(std::uint64_t seed, const Arguments& arguments) {
    running_seed = seed;
    meshd::sim::Plan plan = meshd::sim::draw_plan(seed, arguments.nodes, arguments.duration);
    plan.mutant = arguments.mutant;
    const meshd::sim::SwarmResult result = run_swarm(plan);
    const bool is_right = result.violations.empty();
    char line[256];
    std::snprintf(line, sizeof line,
                  "seed %llu %s trace %016llx deliveries %llu alerts %zu puts %zu durable %zu "
                  "commits %llu records %zu settled %lld ms\n",
                  static_cast<unsigned long long>(plan.seed), is_right ? "ok" : "VIOLATION",
                  static_cast<unsigned long long>(result.trace_hash),
                  static_cast<unsigned long long>(result.deliveries), result.alerts, result.puts,
                  result.durable, static_cast<unsigned long long>(result.commits), result.records,
                  static_cast<long long>(meshd::to_ms(result.settled_after)));
    std::string text = line;
    if (arguments.is_verbose || !is_right) {
        text += print_plan(plan) + "\n" + result.violations;
    }
    // In one piece, since other processes print too.
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
    return is_right;
}

/// Every `jobs`-th seed, from the `job`-th on. True where all were right.
bool run_share(std::uint64_t job, const Arguments& arguments) {
    bool are_right = true;
    for (std::uint64_t i = job; i < arguments.seeds; i += arguments.jobs) {
        are_right = run_seed(arguments.seed + i, arguments) && are_right;
        if (!are_right && arguments.until_caught) {
            break;
        }
    }
    return are_right;
}

/// Exit statuses of all processes that run a share; a process that ends by a signal has failed.
bool run_all(const Arguments& arguments) {
    if (arguments.jobs == 1) {
        return run_share(0, arguments);
    }
    for (std::uint64_t job = 0; job < arguments.jobs; ++job) {
        const pid_t child = fork();
        if (child < 0) {
            std::perror("meshd-sim: fork");
            std::exit(2);
        }
        if (child == 0) {
            std::exit(run_share(job, arguments) ? 0 : 1);
        }
    }
    bool are_right = true;
    int status = 0;
    while (wait(&status) > 0) {
        are_right = are_right && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return are_right;
}

/// To the file asked for, else to the screen. False where the file cannot be written.
bool write_report(const std::string& text, const Arguments& arguments) {
    std::FILE* file = arguments.report == nullptr ? stdout : std::fopen(arguments.report, "w");
    if (file == nullptr) {
        std::perror(arguments.report);
        return false;
    }
    const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    return (file == stdout ? std::fflush(file) : std::fclose(file)) == 0 && is_written;
}

bool run_scale(const Arguments& arguments) {
    meshd::sim::ScalePlan plan;
    plan.seed = arguments.seed;
    plan.topology = *arguments.topology;
    plan.nodes = arguments.nodes.value_or(plan.nodes);
    plan.loss = arguments.loss;
    plan.has_stalls = arguments.has_stalls;
    plan.idle = arguments.duration.value_or(plan.idle);
    plan.crashes = arguments.crashes.value_or(plan.crashes);
    plan.alerts = arguments.alerts.value_or(plan.alerts);
    plan.is_verbose = arguments.is_verbose;
    return write_report(print_scale(plan, meshd::sim::run_scale(plan)), arguments);
}

}  // namespace

int main(int count, char** values) {
    const auto arguments = parse_arguments(count, values);
    if (!arguments) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    std::signal(SIGABRT, on_abort);
    if (arguments->topology) {
        return run_scale(*arguments) ? 0 : 1;
    }
    if (arguments->is_exercise) {
        const auto result = meshd::sim::run_exercise(arguments->seed, arguments->has_partition);
        return write_report(print_exercise(result, arguments->has_partition), *arguments) ? 0 : 1;
    }
    const bool are_right = run_all(*arguments);
    return are_right == arguments->until_caught ? 1 : 0;
}
