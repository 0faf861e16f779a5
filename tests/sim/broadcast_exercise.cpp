// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/broadcast_exercise.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "tests/sim/scale.h"
#include "tests/sim/survey.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kNodes = 25;
constexpr Duration kLatency = milliseconds(100);
constexpr Duration kEvery = milliseconds(10);
constexpr Duration kDuration = seconds(20);
constexpr Duration kPartitionFrom = seconds(5);
constexpr Duration kPartitionTo = seconds(15);
constexpr Duration kFormMax = seconds(60);
constexpr Duration kRest = seconds(30);
constexpr Duration kEndMax = seconds(10);

struct Operation {
    std::string document;
    TimePoint begin;
};

double ms(Duration duration) {
    return static_cast<double>(duration.count()) / 1000;
}

}  // namespace

ExerciseResult run_exercise(std::uint64_t seed, bool has_partition) {
    World world(seed, lan(kNodes));
    world.network().defaults().delay = kLatency;
    Survey survey(world);
    for (Host host = 0; host < kNodes; ++host) {
        world.set_has_disk(host, false);
        world.start(host);
    }
    world.run_until([&] { return survey.is_complete(); }, kFormMax);
    world.run_for(kRest);

    ExerciseResult result;
    std::vector<Operation> operations;
    const auto total = [&](Counter counter) {
        std::uint64_t sum = 0;
        for (Host host = 0; host < kNodes; ++host) {
            sum += world.node(host).counters()[counter];
        }
        return static_cast<double>(sum);
    };
    const double sent = total(Counter::datagrams_sent);
    const double copies = total(Counter::alert_copies_received);
    std::vector<std::uint64_t> items;
    for (unsigned kind = 0; kind <= UINT8_MAX; ++kind) {
        items.push_back(survey.sent(static_cast<MessageKind>(kind)));
    }
    const TimePoint begin = world.time();
    if (has_partition) {
        world.after(kPartitionFrom, [&] {
            for (Host a = 0; a < kNodes / 2; ++a) {
                for (Host b = kNodes / 2; b < kNodes; ++b) {
                    world.network().set_up(a, b, false);
                }
            }
        });
        world.after(kPartitionTo, [&] { world.network().heal(); });
    }
    while (world.time() - begin < kDuration) {
        const std::string document =
            "{\"n\":" + std::to_string(operations.size() + result.refused) + "}";
        if (world.command(world.prng().below(kNodes), RaiseAlert{document})) {
            operations.push_back({document, world.time()});
        } else {
            ++result.refused;
        }
        world.run_for(kEvery);
    }
    world.run_until(
        [&] {
            return std::all_of(operations.begin(), operations.end(), [&](const Operation& one) {
                return survey.told_alert(one.document).size() + 1 == kNodes;
            });
        },
        kEndMax);
    result.operations = operations.size();
    const auto count = static_cast<double>(operations.size());
    result.messages_per_operation = (total(Counter::datagrams_sent) - sent) / count;
    result.copies_per_operation = (total(Counter::alert_copies_received) - copies) / count;
    for (unsigned kind = 0; kind <= UINT8_MAX; ++kind) {
        const std::uint64_t more = survey.sent(static_cast<MessageKind>(kind)) - items[kind];
        if (more != 0) {
            result.items_per_operation.emplace_back(static_cast<std::uint8_t>(kind),
                                                    static_cast<double>(more) / count);
        }
    }

    std::vector<double> latencies;
    TimePoint healed = begin + kPartitionTo;
    for (const Operation& one : operations) {
        const auto& told = survey.told_alert(one.document);
        if (told.size() + 1 != kNodes) {
            ++result.lost;
            continue;
        }
        TimePoint last = one.begin;
        for (const auto& [host, when] : told) {
            last = std::max(last, when);
        }
        latencies.push_back(ms(last - one.begin));
        if (one.begin < begin + kPartitionTo) {
            healed = std::max(healed, last);
        }
    }
    result.median_ms = percentile(latencies, 0.5).value_or(0);
    result.max_ms = percentile(latencies, 1).value_or(0);
    result.healed_ms = has_partition ? ms(healed - begin - kPartitionTo) : 0;
    return result;
}

std::string print_exercise(const ExerciseResult& result, bool has_partition) {
    std::string items;
    for (const auto& [kind, count] : result.items_per_operation) {
        char item[48];
        std::snprintf(item, sizeof item, "%s\"%u\": %.2f", items.empty() ? "" : ", ", kind, count);
        items += item;
    }
    char text[1024];
    std::snprintf(text, sizeof text,
                  "{\n  \"partition\": %s,\n  \"operations\": %zu,\n  \"refused\": %zu,\n"
                  "  \"lost\": %zu,\n  \"messages_per_operation\": %.2f,\n"
                  "  \"copies_per_operation\": %.2f,\n  \"items_per_operation\": {%s},\n  "
                  "\"latency_ms_p50\": %.1f,\n"
                  "  \"latency_ms_max\": %.1f,\n  \"healed_ms\": %.1f\n}\n",
                  has_partition ? "true" : "false", result.operations, result.refused, result.lost,
                  result.messages_per_operation, result.copies_per_operation, items.c_str(),
                  result.median_ms, result.max_ms, result.healed_ms);
    return text;
}

}  // namespace meshd::sim
