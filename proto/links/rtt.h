// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "proto/base/time.h"

namespace meshd {

/// Smoothed round-trip time and its deviation (RFC 6298, section 2).
class RttEstimator {
  public:
    void add(Duration sample) {
        if (!measured_) {
            smoothed_ = sample;
            deviation_ = sample / 2;
            measured_ = true;
            return;
        }
        const Duration error = sample > smoothed_ ? sample - smoothed_ : smoothed_ - sample;
        deviation_ += (error - deviation_) / 4;
        smoothed_ += (sample - smoothed_) / 8;
    }

    std::optional<Duration> smoothed() const {
        return measured_ ? std::optional(smoothed_) : std::nullopt;
    }

    /// When a message without acknowledgement is first repeated: 2·RTT + 5 ms, the 5 ms for the
    /// receiver's ack delay and its scheduling; more where the RTT varies.
    Duration first_retry() const {
        using std::chrono::milliseconds;
        if (!measured_) {
            return milliseconds(50);
        }
        return std::clamp<Duration>(
            std::max(2 * smoothed_, smoothed_ + 4 * deviation_) + milliseconds(5), milliseconds(5),
            std::chrono::seconds(3));
    }

  private:
    Duration smoothed_{};
    Duration deviation_{};
    bool measured_ = false;
};

}  // namespace meshd
