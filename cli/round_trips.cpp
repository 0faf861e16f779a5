// SPDX-License-Identifier: Apache-2.0
#include "cli/round_trips.h"

#include <algorithm>

#include "cli/format.h"

namespace meshd::cli {

void RoundTrips::add(std::optional<double> ms) {
    ++sent_;
    if (!ms) {
        return;
    }
    min_ms_ = answered_ == 0 ? *ms : std::min(min_ms_, *ms);
    max_ms_ = std::max(max_ms_, *ms);
    sum_ms_ += *ms;
    ++answered_;
}

std::string RoundTrips::print(std::string_view node) const {
    const auto lost = static_cast<double>(sent_ - answered_);
    std::string out = std::string(node) + ": " + std::to_string(sent_) + " sent, " +
                      std::to_string(answered_) + " answered";
    if (sent_ > 0) {
        out += ", " + print_share(lost / static_cast<double>(sent_)) + " lost";
    }
    out += "\n";
    if (answered_ > 0) {
        out += "round trip min " + print_duration(min_ms_) + ", avg " +
               print_duration(sum_ms_ / static_cast<double>(answered_)) + ", max " +
               print_duration(max_ms_) + "\n";
    }
    return out;
}

}  // namespace meshd::cli
