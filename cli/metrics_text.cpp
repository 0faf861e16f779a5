// SPDX-License-Identifier: Apache-2.0
#include "cli/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "proto/base/json.h"

namespace meshd::cli {
namespace {

/// In a HELP line a quotation mark stands for itself.
std::string escaped(std::string_view text, bool is_label) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && is_label) {
            out += "\\\"";
        } else {
            out.push_back(c);
        }
    }
    return out;
}

/// The shortest text that reads back as the same number.
std::string print_number(double value) {
    if (std::isnan(value)) {
        return "NaN";
    }
    if (std::isinf(value)) {
        return value < 0 ? "-Inf" : "+Inf";
    }
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), end.ptr};
}

std::string print_labels(const MetricSample& sample) {
    std::string out;
    for (const auto& [name, value] : sample.labels) {
        out += (out.empty() ? "{" : ",") + std::string(name) + "=\"" + escaped(value, true) + "\"";
    }
    return out.empty() ? out : out + "}";
}

std::string_view type_name(MetricFamily::Type type) {
    return type == MetricFamily::Type::Counter ? "counter" : "gauge";
}

std::string print_value_of(const MetricSample& sample) {
    const auto* whole = std::get_if<std::uint64_t>(&sample.value);
    return whole != nullptr ? std::to_string(*whole) : print_number(std::get<double>(sample.value));
}

}  // namespace

std::string print_prometheus(const std::vector<MetricFamily>& families) {
    std::string out;
    for (const MetricFamily& family : families) {
        if (family.samples.empty()) {
            continue;
        }
        out += "# HELP " + family.name + " " + escaped(family.help, false) + "\n";
        out += "# TYPE " + family.name + " " + std::string(type_name(family.type)) + "\n";
        for (const MetricSample& sample : family.samples) {
            out += family.name + print_labels(sample) + " " + print_value_of(sample) + "\n";
        }
    }
    return out;
}

std::string print_metrics_json(const std::vector<MetricFamily>& families) {
    std::string out;
    json::Writer writer(out);
    writer.begin_object().key("metrics").begin_array();
    for (const MetricFamily& family : families) {
        if (family.samples.empty()) {
            continue;
        }
        writer.begin_object()
            .member("name", family.name)
            .member("type", type_name(family.type))
            .member("help", family.help)
            .key("samples")
            .begin_array();
        for (const MetricSample& sample : family.samples) {
            writer.begin_object().key("labels").begin_object();
            for (const auto& [name, value] : sample.labels) {
                writer.member(name, value);
            }
            writer.end_object().member_raw("value", print_value_of(sample)).end_object();
        }
        writer.end_array().end_object();
    }
    writer.end_array().end_object();
    return out;
}

std::string metric_part(std::string_view name) {
    std::string out;
    for (const char c : name) {
        const bool fits =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        out.push_back(fits ? c : '_');
    }
    return out;
}

}  // namespace meshd::cli
