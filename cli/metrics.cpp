// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/arguments.h"
#include "cli/context.h"
#include "cli/file_sink.h"
#include "cli/metrics_text.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

using Type = MetricFamily::Type;
using Families = std::vector<MetricFamily>;

/// What the daemon said, one result each.
struct Facts {
    json::Value status;
    json::Value stats;
    json::Value nodes;
    json::Value peers;
};

MetricSample plain(const json::Value& value) {
    const auto whole = value.as_uint();
    return {{},
            whole ? std::variant<std::uint64_t, double>(*whole)
                  : std::variant<std::uint64_t, double>(value.as_double().value_or(0))};
}

MetricFamily gauge(std::string name, std::string help, const json::Value& value) {
    return {std::move(name), Type::Gauge, std::move(help), {plain(value)}};
}

std::uint64_t flag(bool is_set) {
    return is_set ? 1 : 0;
}

void add_self(Families& out, const json::Value& status) {
    const auto text = [&](std::string_view name) {
        return std::string(status[name].as_string().value_or(""));
    };
    out.push_back(
        {"meshd_up", Type::Gauge, "Whether the daemon answered.", {{{}, std::uint64_t{1}}}});
    out.push_back({"meshd_info",
                   Type::Gauge,
                   "What the daemon is; always 1.",
                   {{{{"node", text("node_id")},
                      {"mesh", text("mesh")},
                      {"version", text("version")},
                      {"security", text("security")}},
                     std::uint64_t{1}}}});
    out.push_back(
        gauge("meshd_uptime_seconds", "Since the start of the daemon.", status["uptime_s"]));
    out.push_back({"meshd_isolated",
                   Type::Gauge,
                   "1 where this node had links and has none.",
                   {{{}, flag(status["isolated"].as_bool().value_or(false))}}});
    out.push_back({"meshd_warnings",
                   Type::Gauge,
                   "Warnings that meshctl status shows.",
                   {{{}, std::uint64_t{status["warnings"].size()}}}});
    const json::Value store = status["store"];
    out.push_back(gauge("meshd_store_records", "Records held.", store["records"]));
    out.push_back(gauge("meshd_store_bytes", "Memory of the records held.", store["bytes"]));
    out.push_back(gauge("meshd_store_entries", "Registry entries held.", store["entries"]));
    out.push_back(gauge("meshd_store_alerts", "Alerts held.", store["alerts"]));
    out.push_back(gauge("meshd_store_unwritten_records", "Records that wait for the disk.",
                        store["unwritten"]));
    out.push_back(gauge("meshd_store_unheld_streams", "Streams left out for want of room.",
                        store["streams_unheld"]));
    out.push_back({"meshd_store_durable",
                   Type::Gauge,
                   "1 where what is written survives a restart.",
                   {{{}, flag(store["durable"].as_bool().value_or(false))}}});
}

void add_nodes(Families& out, const json::Value& nodes) {
    constexpr std::array<std::string_view, 4> kStatuses = {"alive", "unreachable", "offline",
                                                           "left"};
    std::array<std::uint64_t, kStatuses.size()> counts{};
    MetricFamily alive{"meshd_node_alive", Type::Gauge, "1 where the mesh sees the node alive."};
    MetricFamily seen{"meshd_node_last_seen_seconds", Type::Gauge,
                      "Since the last sign of life of the node."};
    for (const json::Value& node : nodes["nodes"]) {
        const auto status = node["status"].as_string().value_or("");
        for (std::size_t i = 0; i < kStatuses.size(); ++i) {
            counts[i] += flag(kStatuses[i] == status);
        }
        const std::string name(node["node_id"].as_string().value_or(""));
        alive.samples.push_back({{{"peer", name}}, flag(status == "alive")});
        seen.samples.push_back(
            {{{"peer", name}}, node["last_seen_ms"].as_double().value_or(0) / 1000});
    }
    MetricFamily by_status{"meshd_nodes", Type::Gauge,
                           "Known nodes, this one included, by status."};
    for (std::size_t i = 0; i < kStatuses.size(); ++i) {
        by_status.samples.push_back({{{"status", std::string(kStatuses[i])}}, counts[i]});
    }
    out.insert(out.end(), {std::move(by_status), std::move(alive), std::move(seen)});
}

void add_links(Families& out, const json::Value& peers) {
    out.push_back({"meshd_links",
                   Type::Gauge,
                   "Links of this node.",
                   {{{}, std::uint64_t{peers["peers"].size()}}}});
    MetricFamily rtt{"meshd_link_rtt_seconds", Type::Gauge, "Round trip of the link, smoothed."};
    MetricFamily loss{"meshd_link_loss_ratio", Type::Gauge,
                      "Share of exchanges without a reply, smoothed."};
    MetricFamily up{"meshd_link_up_seconds", Type::Gauge, "Since the link came up."};
    MetricFamily queued{"meshd_link_queued_messages", Type::Gauge,
                        "Messages that wait or are not yet acknowledged."};
    MetricFamily suspect{"meshd_link_suspect", Type::Gauge,
                         "1 where the peer missed a reply and is being probed."};
    for (const json::Value& peer : peers["peers"]) {
        const std::string name(peer["node_id"].as_string().value_or(""));
        const auto add = [&](MetricFamily& family, std::variant<std::uint64_t, double> value) {
            family.samples.push_back({{{"peer", name}}, value});
        };
        if (const auto ms = peer["rtt_ms"].as_double()) {
            add(rtt, *ms / 1000);
        }
        add(loss, peer["loss"].as_double().value_or(0));
        add(up, peer["up_for_s"].as_uint().value_or(0));
        add(queued, peer["queued"].as_uint().value_or(0));
        add(suspect, flag(peer["suspect"].as_bool().value_or(false)));
    }
    out.insert(out.end(), {std::move(rtt), std::move(loss), std::move(up), std::move(queued),
                           std::move(suspect)});
}

/// "bytes_sent" is sent_bytes: the unit stands last.
std::string counter_name(std::string_view name) {
    const bool is_bytes = name == "bytes_sent" || name == "bytes_received";
    return "meshd_" + (is_bytes ? metric_part(name.substr(6)) + "_bytes" : metric_part(name)) +
           "_total";
}

void add_counter(Families& out, std::string_view name, const json::Value& value) {
    out.push_back(
        {counter_name(name),
         Type::Counter,
         "Counter " + std::string(name) + " of mesh.stats, since the start of the daemon.",
         {plain(value)}});
}

void add_counters(Families& out, const json::Value& stats) {
    for (auto it = stats.begin(); it != stats.end(); ++it) {
        // These two say how many there are now: meshd_nodes does.
        if ((*it).as_uint() && it.key() != "alive_peers" && it.key() != "total_peers") {
            add_counter(out, it.key(), *it);
        }
    }
    const json::Value counters = stats["counters"];
    for (auto it = counters.begin(); it != counters.end(); ++it) {
        add_counter(out, it.key(), *it);
    }
    MetricFamily dropped{"meshd_dropped_total", Type::Counter,
                         "Datagrams and messages dropped, by reason."};
    const json::Value drops = stats["drops"];
    for (auto it = drops.begin(); it != drops.end(); ++it) {
        dropped.samples.push_back({{{"reason", std::string(it.key())}}, plain(*it).value});
    }
    out.push_back(std::move(dropped));
}

Families families_of(const Facts& facts) {
    Families out;
    add_self(out, facts.status);
    add_nodes(out, facts.nodes);
    add_links(out, facts.peers);
    add_counters(out, facts.stats);
    return out;
}

/// To standard output, or to the file with mode 0644: whoever reads it is another user.
ExitCode deliver(Context& context, const Arguments& arguments, const Families& families) {
    const std::string text =
        context.is_json() ? print_metrics_json(families) + "\n" : print_prometheus(families);
    FileSink sink(context, {.path = arguments.text("textfile"), .mode = 0644, .is_exact = true});
    return sink.open() && sink.write(text) && sink.close() ? ExitCode::Ok : ExitCode::Refused;
}

ExitCode run(Context& context, const Arguments& arguments) {
    std::array<std::optional<ipc::Reply>, 4> replies;
    constexpr std::array<std::string_view, 4> kMethods = {"mesh.status", "mesh.stats", "mesh.nodes",
                                                          "mesh.peers"};
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        auto reply = context.call(kMethods[i]);
        if (!reply) {
            // Else the last values would be taken for those of now.
            if (arguments.has("textfile")) {
                deliver(context, arguments,
                        {{"meshd_up",
                          Type::Gauge,
                          "Whether the daemon answered.",
                          {{{}, std::uint64_t{0}}}}});
            }
            return reply.error();
        }
        replies[i].emplace(std::move(*reply));
    }
    return deliver(context, arguments,
                   families_of({replies[0]->result(), replies[1]->result(), replies[2]->result(),
                                replies[3]->result()}));
}

constexpr std::array<Option, 1> kOptions = {{
    {"textfile", "FILE", "write to this file, which changes at once (for node_exporter)",
     ValueKind::Path},
}};

}  // namespace

constexpr Verb kMetricsVerb = {
    .name = "metrics",
    .summary = "Print all figures as Prometheus text",
    .arguments = {},
    .options = kOptions,
    .example =
        "meshctl metrics | grep meshd_nodes\n"
        "meshctl metrics --textfile /var/lib/prometheus/node-exporter/meshd.prom",
    .run = run,
    .notes =
        "Counters end with _total and count since the start of the daemon; units are seconds,\n"
        "bytes and shares of 1. The file gets mode 0644, and where no daemon answers it says\n"
        "meshd_up 0. Have a timer of systemd or cron write it every minute.",
};

}  // namespace meshd::cli
