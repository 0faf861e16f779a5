// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "tests/sim/scale.h"

namespace meshd::sim {

namespace {

std::string print(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", value);
    return text;
}

std::string print(const std::optional<double>& value) {
    return value ? print(*value) : "null";
}

/// The members of a JSON object, in the order in which they are added.
class Members {
  public:
    void add(const char* name, const std::string& json) {
        text_ += (text_.empty() ? "\n  \"" : ",\n  \"") + std::string(name) + "\": " + json;
    }
    void add(const char* name, double value) { add(name, print(value)); }
    void add(const char* name, const std::optional<double>& value) { add(name, print(value)); }
    void add(const char* name, std::uint64_t value) { add(name, std::to_string(value)); }
    /// The whole sample beside what is said of it.
    void add_sample(const std::string& name, const std::vector<double>& values) {
        add((name + "_p50").c_str(), percentile(values, 0.5));
        add((name + "_p99").c_str(), percentile(values, 0.99));
        std::string list;
        for (const double value : values) {
            list += (list.empty() ? "" : ", ") + print(value);
        }
        add(name.c_str(), "[" + list + "]");
    }
    std::string print_object() const { return "{" + text_ + "\n}\n"; }

  private:
    std::string text_;
};

}  // namespace

std::string print_scale(const ScalePlan& plan, const ScaleResult& result) {
    Members members;
    members.add("seed", plan.seed);
    members.add("topology", "\"" + std::string(scale_topology_name(plan.topology)) + "\"");
    members.add("nodes", std::uint64_t{plan.nodes});
    members.add("loss", plan.loss);
    members.add("connected_ms", result.connected_ms);
    members.add("complete_ms", result.complete_ms);
    members.add("equal_ms", result.equal_ms);
    members.add("rest_ms", result.rest_ms);
    members.add("diameter", std::uint64_t{result.diameter});
    members.add("degree_mean", result.degree_mean);
    members.add("degree_max", std::uint64_t{result.degree_max});
    members.add("degree_peak", std::uint64_t{result.degree_peak});
    members.add("handshake_messages_per_node", result.handshake_messages_per_node);
    members.add("idle_packets_per_node_s", result.idle_packets_per_node_s);
    members.add("idle_bytes_per_node_s", result.idle_bytes_per_node_s);
    members.add("idle_node_hours", result.idle_hours);
    members.add("stalls", result.stalls);
    members.add("idle_links_made", result.idle_links_made);
    members.add("idle_records_written", result.idle_records_written);
    members.add("forming_records_written", result.forming_records_written);
    members.add("forming_copies", result.forming_copies);
    members.add("false_offline", result.false_offline);
    members.add("false_link_down", result.false_link_down);
    members.add_sample("crash_first_ms", result.crash_first_ms);
    members.add_sample("crash_all_ms", result.crash_all_ms);
    members.add("crash_node_count", std::uint64_t{result.crash_node_ms.size()});
    members.add("crash_node_ms_p50", percentile(result.crash_node_ms, 0.5));
    members.add("crash_node_ms_p99", percentile(result.crash_node_ms, 0.99));
    members.add("crashes_unknown", std::uint64_t{result.crashes_unknown});
    members.add_sample("alert_all_ms", result.alert_all_ms);
    members.add("alerts_lost", std::uint64_t{result.alerts_lost});
    members.add("alert_copies_per_node", result.alert_copies_per_node);
    members.add("half_connected_ms", result.half_connected_ms);
    members.add("half_complete_ms", result.half_complete_ms);
    members.add("deliveries", result.deliveries);
    char trace[24];
    std::snprintf(trace, sizeof trace, "\"%016llx\"",
                  static_cast<unsigned long long>(result.trace_hash));
    members.add("trace", std::string(trace));
    return members.print_object();
}

}  // namespace meshd::sim
