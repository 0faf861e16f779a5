// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `meshctl top` shows, as lines: a pure function of what the daemon said.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/format.h"
#include "proto/base/json.h"

namespace meshd::cli {

/// Results of the daemon's methods.
struct TopFacts {
    json::Value status;
    json::Value stats;
    json::Value nodes;
    json::Value peers;
};

/// What passed in one second.
struct TopRates {
    double bytes_in = 0;
    double bytes_out = 0;
    double datagrams_in = 0;
    double datagrams_out = 0;
    double drops = 0;
};
/// Between two results of mesh.stats; zero where the counters began anew.
TopRates rates_between(const json::Value& before, const json::Value& after, double seconds);

enum class TopSort : std::uint8_t { Name, Status, Hops, Rtt, Loss, Seen };

struct TopOptions {
    TopSort sort = TopSort::Name;
    bool is_reversed = false;
    std::size_t first = 0;  ///< rows of nodes scrolled over
    /// Columns and rows; 0 rows: all that there is, without the line of keys.
    std::size_t columns = 80;
    std::size_t rows = 0;
    std::string banner;  ///< above all else: why the picture is old, as of top_banner
    std::string time;    ///< of day
    Style style;
};

/// An alert on one line.
struct TopAlert {
    std::string text;
    Tone tone = Tone::Plain;
};

struct TopPicture {
    std::vector<std::string> lines;  ///< as many as rows, or fewer
    std::size_t first = 0;           ///< as it was possible
    std::size_t page = 1;            ///< rows of nodes shown
};

/// Why the picture is not of now; empty where it is. `is_gone`: no daemon takes connections;
/// `silent`: since its last whole answer; `interval`: from one question to the next.
std::string top_banner(bool is_gone, std::chrono::milliseconds silent,
                       std::chrono::milliseconds interval);
/// What is shown before the first answer.
TopPicture top_banner_alone(const TopOptions& options);
/// `alerts`: the newest last.
TopPicture top_picture(const TopFacts& facts, const TopRates& rates,
                       const std::vector<TopAlert>& alerts, const TopOptions& options);

}  // namespace meshd::cli
