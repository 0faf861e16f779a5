// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <numeric>
#include <utility>

#include "tests/sim/survey.h"

namespace meshd::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// A cold start: boxes come up within this of each other.
constexpr Duration kStartSpread = milliseconds(500);
constexpr Duration kFormMax = seconds(60);
/// Links that are one too many are given up one by one, each node 10 to 15 s apart: they rest when
/// none was made or ended, nor any other news written, for the first, and within the second.
constexpr Duration kRest = seconds(30);
constexpr Duration kRestMax = minutes(10);
constexpr Duration kCrashMax = seconds(20);
constexpr Duration kAlertMax = seconds(20);
constexpr Duration kHalfMax = seconds(60);
/// A box that stands still does so for up to the first, and about once in the second.
constexpr Duration kStallMax = milliseconds(500);
constexpr Duration kStallEvery = seconds(30);
/// How finely instants are seen; what nodes tell is exact.
constexpr Duration kStep = milliseconds(10);

Entropy plan_entropy(const ScalePlan& plan) {
    Entropy entropy{};
    store_big_endian<8>(entropy.data(), plan.seed);
    store_big_endian<8>(entropy.data() + 8, plan.nodes);
    entropy[16] = static_cast<std::uint8_t>(plan.topology);
    return entropy;
}

double ms(Duration duration) {
    return static_cast<double>(duration.count()) / 1000;
}

std::optional<double> ms(const std::optional<Duration>& duration) {
    return duration ? std::optional(ms(*duration)) : std::nullopt;
}

class Scale {
  public:
    explicit Scale(const ScalePlan& plan)
        : plan_(plan),
          prng_(plan_entropy(plan)),
          world_(plan.seed, make_scale_network(plan.topology, plan.nodes, prng_)),
          survey_(world_) {
        LinkSettings& link = world_.network().defaults();
        link.delay = milliseconds(1);
        link.jitter = std::chrono::microseconds(200);
        link.loss = plan.loss;
        for (Host host = 0; host < world_.hosts(); ++host) {
            world_.set_has_disk(host, false);
        }
    }

    ScaleResult run() {
        form();
        say("formed");
        rest();
        say("at rest");
        idle();
        say("idled");
        alert();
        say("alerts");
        crash();
        say("crashes");
        crash_half();
        say("half gone");
        result_.deliveries = world_.deliveries();
        result_.trace_hash = world_.trace_hash();
        return std::move(result_);
    }

  private:
    void form() {
        for (Host host = 0; host < world_.hosts(); ++host) {
            world_.after(prng_.between(Duration::zero(), kStartSpread),
                         [this, host] { world_.start(host); });
        }
        const TimePoint begin = world_.time();
        const auto since = [&]() { return std::optional(world_.time() - begin); };
        const auto all_run = [&] { return survey_.running() == world_.hosts(); };
        if (world_.run_until([&] { return all_run() && survey_.is_connected(); }, kFormMax,
                             kStep)) {
            result_.connected_ms = ms(since());
        }
        if (world_.run_until([&] { return survey_.is_complete(); }, kFormMax, kStep)) {
            result_.complete_ms = ms(since());
        }
        // To compare all links that all see takes its time.
        if (world_.run_until([&] { return survey_.is_complete() && survey_.have_same_links(); },
                             kFormMax, 10 * kStep)) {
            result_.equal_ms = ms(since());
        }
    }

    void rest() {
        const TimePoint begin = world_.time();
        std::uint64_t before = 0;
        do {
            before = total(Counter::records_written);
            world_.run_for(kRest);
        } while (before != total(Counter::records_written) && world_.time() - begin < kRestMax);
        result_.rest_ms = ms(world_.time() - begin);
        result_.diameter = survey_.diameter();
        std::size_t links = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            links += survey_.degree(host);
            result_.degree_max = std::max(result_.degree_max, survey_.degree(host));
            result_.degree_peak = std::max(result_.degree_peak, survey_.degree_peak(host));
        }
        result_.degree_mean = per_node(links);
        result_.handshake_messages_per_node = per_node(survey_.handshake_messages());
        result_.forming_records_written = total(Counter::records_written);
        result_.forming_copies = total(Counter::record_copies_received);
    }

    void idle() {
        const std::uint64_t packets = total(Counter::datagrams_sent);
        const std::uint64_t bytes = total(Counter::bytes_sent);
        const std::uint64_t offline = survey_.false_offline();
        const std::uint64_t down = survey_.false_link_down();
        const std::uint64_t links = total(Counter::links_up);
        const std::uint64_t records = total(Counter::records_written);
        if (plan_.has_stalls) {
            stall_until_ = world_.time() + plan_.idle;
            for (Host host = 0; host < world_.hosts(); ++host) {
                stall_later(host);
            }
        }
        world_.run_for(plan_.idle);
        const auto time = static_cast<double>(plan_.idle.count());
        result_.idle_packets_per_node_s = per_node(total(Counter::datagrams_sent) - packets) / time;
        result_.idle_bytes_per_node_s = per_node(total(Counter::bytes_sent) - bytes) / time;
        result_.idle_hours = time / 3600 * static_cast<double>(world_.hosts());
        result_.idle_links_made = total(Counter::links_up) - links;
        result_.idle_records_written = total(Counter::records_written) - records;
        result_.false_offline = survey_.false_offline() - offline;
        result_.false_link_down = survey_.false_link_down() - down;
    }

    void stall_later(Host host) {
        world_.after(prng_.between(Duration::zero(), 2 * kStallEvery), [this, host] {
            if (world_.time() + kStallMax > stall_until_) {
                return;
            }
            ++result_.stalls;
            world_.pause(host);
            world_.after(prng_.between(Duration::zero(), kStallMax), [this, host] {
                world_.resume(host);
                stall_later(host);
            });
        });
    }

    void alert() {
        const std::uint64_t copies = total(Counter::alert_copies_received);
        std::size_t raised = 0;
        for (std::size_t i = 0; i < plan_.alerts; ++i) {
            const Host host = prng_.below(world_.hosts());
            const std::string document = "{\"n\":" + std::to_string(i) + "}";
            const TimePoint begin = world_.time();
            if (!world_.command(host, RaiseAlert{document})) {
                ++result_.alerts_lost;
                continue;
            }
            ++raised;
            const auto is_everywhere = [&] {
                return survey_.told_alert(document).size() + 1 == survey_.running();
            };
            if (world_.run_until(is_everywhere, kAlertMax, kStep)) {
                TimePoint last = begin;
                for (const auto& [told, when] : survey_.told_alert(document)) {
                    last = std::max(last, when);
                }
                result_.alert_all_ms.push_back(ms(last - begin));
            } else {
                ++result_.alerts_lost;
            }
            // What is repeated or repaired late counts too.
            world_.run_for(milliseconds(200));
        }
        const std::uint64_t received = total(Counter::alert_copies_received) - copies;
        result_.alert_copies_per_node = raised == 0 ? 0
                                                    : static_cast<double>(received) /
                                                          static_cast<double>(raised) /
                                                          static_cast<double>(world_.hosts() - 1);
    }

    /// A box without which the others still hear each other.
    Host pick_victim() {
        for (;;) {
            const Host victim = prng_.below(world_.hosts());
            std::vector<bool> among(world_.hosts(), true);
            among[victim] = false;
            const auto found = hearing_from(world_.network(), victim == 0 ? 1 : 0, among);
            if (found.size() + 1 == world_.hosts()) {
                return victim;
            }
        }
    }

    void crash() {
        for (std::size_t i = 0; i < plan_.crashes; ++i) {
            const Host victim = pick_victim();
            world_.run_for(prng_.between(Duration::zero(), seconds(5)));
            const TimePoint begin = world_.time();
            world_.crash(victim);
            if (world_.run_until([&] { return survey_.is_known_gone(victim); }, kCrashMax, kStep)) {
                TimePoint first = world_.time();
                TimePoint last = begin;
                for (const auto& [told, when] : survey_.told_gone(victim)) {
                    first = std::min(first, when);
                    last = std::max(last, when);
                    result_.crash_node_ms.push_back(ms(when - begin));
                }
                result_.crash_first_ms.push_back(ms(first - begin));
                result_.crash_all_ms.push_back(ms(last - begin));
            } else {
                ++result_.crashes_unknown;
            }
            world_.start(victim);
            world_.run_until([&] { return survey_.is_complete(); }, kFormMax, kStep);
            world_.run_for(seconds(5));
        }
    }

    void crash_half() {
        // The survivors hear each other: they grow from one box, in random order.
        std::vector<bool> survives(world_.hosts());
        std::vector<Host> border = {prng_.below(world_.hosts())};
        std::size_t survivors = 0;
        while (survivors < world_.hosts() / 2) {
            const std::size_t at = prng_.below(border.size());
            const Host next = std::exchange(border[at], border.back());
            border.pop_back();
            if (survives[next]) {
                continue;
            }
            survives[next] = true;
            ++survivors;
            for (Host heard = 0; heard < world_.hosts(); ++heard) {
                if (!survives[heard] && world_.network().is_connected(next, heard)) {
                    border.push_back(heard);
                }
            }
        }
        const TimePoint begin = world_.time();
        for (Host host = 0; host < world_.hosts(); ++host) {
            if (!survives[host] && world_.is_running(host)) {
                world_.crash(host);
            }
        }
        const auto since = [&]() { return std::optional(world_.time() - begin); };
        if (world_.run_until([&] { return survey_.is_connected(); }, kHalfMax, kStep)) {
            result_.half_connected_ms = ms(since());
        }
        if (world_.run_until([&] { return survey_.is_complete(); }, kHalfMax, kStep)) {
            result_.half_complete_ms = ms(since());
        }
    }

    void say(const char* what) const {
        if (!plan_.is_verbose) {
            return;
        }
        const auto number = [](std::uint64_t value) {
            return static_cast<unsigned long long>(value);
        };
        std::fprintf(stderr,
                     "%-9s at %7.2f s: %llu deliveries, %.1f records written and %.0f copies, "
                     "%.1f handshake messages for each node; %.0f s of CPU\n",
                     what, ms(world_.elapsed()) / 1000, number(world_.deliveries()),
                     per_node(total(Counter::records_written)),
                     per_node(total(Counter::record_copies_received)),
                     per_node(survey_.handshake_messages()),
                     static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
        std::fprintf(stderr, "  items sent by each node, by kind:");
        for (std::uint32_t kind = 0; kind <= UINT8_MAX; ++kind) {
            const std::uint64_t sent = survey_.sent(static_cast<MessageKind>(kind));
            if (sent != 0) {
                std::fprintf(stderr, " %u: %.1f", kind, per_node(sent));
            }
        }
        std::fprintf(stderr, "; datagrams %.0f\n", per_node(total(Counter::datagrams_sent)));
    }

    std::uint64_t total(Counter counter) const {
        std::uint64_t sum = 0;
        for (Host host = 0; host < world_.hosts(); ++host) {
            sum += world_.is_running(host) ? world_.node(host).counters()[counter] : 0;
        }
        return sum;
    }

    double per_node(std::uint64_t sum) const {
        return static_cast<double>(sum) / static_cast<double>(world_.hosts());
    }

    ScalePlan plan_;
    TimePoint stall_until_;
    Prng prng_;
    World world_;
    Survey survey_;
    ScaleResult result_;
};

}  // namespace

ScaleResult run_scale(const ScalePlan& plan) {
    return Scale(plan).run();
}

std::optional<double> percentile(std::vector<double> values, double part) {
    if (values.empty()) {
        return std::nullopt;
    }
    std::sort(values.begin(), values.end());
    const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size()));
    return values[std::min(at, values.size() - 1)];
}

}  // namespace meshd::sim
