// SPDX-License-Identifier: Apache-2.0
/// \file
/// Metrics, and how they are written: as Prometheus text
/// (https://prometheus.io/docs/instrumenting/exposition_formats/) and as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace meshd::cli {

struct MetricSample {
    std::vector<std::pair<std::string_view, std::string>> labels;
    std::variant<std::uint64_t, double> value;
};

struct MetricFamily {
    enum class Type { Counter, Gauge };
    /// With its unit, as meshd_link_rtt_seconds; that of a counter ends with _total.
    std::string name;
    Type type = Type::Gauge;
    std::string help;
    std::vector<MetricSample> samples = {};  ///< without any the family is left out
};

std::string print_prometheus(const std::vector<MetricFamily>& families);
/// {"metrics": [{name, type, help, samples: [{labels, value}]}]}
std::string print_metrics_json(const std::vector<MetricFamily>& families);

/// `name` as a part of a metric's name: what may not stand there becomes `_`.
std::string metric_part(std::string_view name);

}  // namespace meshd::cli
