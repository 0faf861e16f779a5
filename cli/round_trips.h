// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd::cli {

/// What came of a series of pings.
class RoundTrips {
  public:
    void add(std::optional<double> ms);

    std::uint64_t sent() const { return sent_; }
    std::uint64_t answered() const { return answered_; }
    /// "cam-5: 4 sent, 3 answered, 25 % lost" and, where one was answered, a line with min, average
    /// and max.
    std::string print(std::string_view node) const;

  private:
    std::uint64_t sent_ = 0;
    std::uint64_t answered_ = 0;
    double min_ms_ = 0;
    double max_ms_ = 0;
    double sum_ms_ = 0;
};

}  // namespace meshd::cli
