// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/probes.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"

namespace meshd {

void Probes::start(TimePoint now, std::uint64_t number, RequestId request, NodeId node,
                   bool is_trace, TimePoint deadline) {
    MESHD_ASSERT(!is_full());
    probes_.emplace(number,
                    Probe{request, std::move(node), is_trace, now, deadline, {}, std::nullopt, 0});
}

void Probes::on_pong(TimePoint now, std::uint64_t number, const NodeId& from,
                     const std::vector<NodeId>& passed) {
    const auto it = probes_.find(number);
    if (it == probes_.end() || passed.empty()) {
        return;
    }
    Probe& probe = it->second;
    const Duration rtt = now - probe.started;
    const std::size_t distance = passed.size();
    probe.hops[distance] = {from, rtt};
    if (from == probe.node) {
        probe.rtt = rtt;
        probe.length = distance;
        for (std::size_t i = 1; i < distance; ++i) {
            probe.hops.try_emplace(i, Hop{passed[i], std::nullopt});
        }
        probe.deadline = std::min(probe.deadline, now + std::max(rtt, kStragglersMin));
    }
    on_timeout(now);
}

void Probes::on_timeout(TimePoint now) {
    for (auto it = probes_.begin(); it != probes_.end();) {
        const auto here = it++;
        const Probe& probe = here->second;
        const bool is_complete =
            probe.rtt && (!probe.is_trace ||
                          std::all_of(probe.hops.begin(), probe.hops.end(),
                                      [](const auto& hop) { return hop.second.rtt.has_value(); }));
        if (is_complete || probe.deadline <= now) {
            finish(here);
        }
    }
}

std::optional<TimePoint> Probes::next_deadline() const {
    std::optional<TimePoint> next;
    for (const auto& [number, probe] : probes_) {
        next = next ? std::min(*next, probe.deadline) : probe.deadline;
    }
    return next;
}

std::optional<Probes::Result> Probes::poll() {
    if (results_.empty()) {
        return std::nullopt;
    }
    Result result = std::move(results_.front());
    results_.pop_front();
    return result;
}

void Probes::finish(std::map<std::uint64_t, Probe>::iterator it) {
    const Probe& probe = it->second;
    Result result{probe.request, probe.node, probe.is_trace, probe.rtt, {}};
    for (const auto& [distance, hop] : probe.hops) {
        // Another way was tried meanwhile: what lies behind the destination is not on this one.
        if (probe.length == 0 || distance <= probe.length) {
            result.hops.push_back(hop);
        }
    }
    probes_.erase(it);
    results_.push_back(std::move(result));
}

}  // namespace meshd
