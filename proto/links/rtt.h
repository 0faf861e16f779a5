// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>

#include "proto/base/batching.h"
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

    /// How long the ack of a datagram may wait for company: 2 ms, or the batch_interval of a link
    /// with a long round trip. Both ends measure the same RTT, and first_retry() of the one leaves
    /// room for the delay of the other, even where it takes the RTT for nearly twice as long.
    Duration ack_delay() const {
        return std::max<Duration>(kAckDelayMin, batch_interval(smoothed_));
    }
    static constexpr Duration kAckDelayMin = std::chrono::milliseconds(2);

    /// When a message without acknowledgement is first repeated: 2·RTT + 5 ms, for the
    /// receiver's ack delay and its scheduling; more where the RTT varies.
    Duration first_retry() const {
        using std::chrono::milliseconds;
        if (!measured_) {
            return milliseconds(50);
        }
        return std::clamp<Duration>(
            std::max(2 * smoothed_,
                     smoothed_ + 4 * deviation_ + (ack_delay() - Duration(kAckDelayMin))) +
                milliseconds(5),
            milliseconds(5), std::chrono::seconds(3));
    }

  private:
    Duration smoothed_{};
    Duration deviation_{};
    bool measured_ = false;
};

}  // namespace meshd
