// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "proto/base/endpoint.h"
#include "proto/base/time.h"

namespace meshd {

/// Token bucket: `per_second` on average, `burst` at once.
class TokenBucket {
  public:
    TokenBucket(double per_second, double burst)
        : per_second_(per_second), burst_(burst), tokens_(burst) {}

    bool take(TimePoint now) {
        if (now > last_) {
            const double seconds = std::chrono::duration<double>(now - last_).count();
            tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
            last_ = now;
        }
        if (tokens_ < 1) {
            return false;
        }
        tokens_ -= 1;
        return true;
    }
    TimePoint last_used() const { return last_; }

  private:
    double per_second_;
    double burst_;
    double tokens_;
    TimePoint last_{};
};

/// A token bucket for each source address, in bounded memory: where the table is full the source
/// that was silent longest makes room.
class SourceLimiter {
  public:
    static constexpr std::size_t kSourcesMax = 1024;

    SourceLimiter(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

    bool take(TimePoint now, const Endpoint& from) {
        const Key key{from.address, from.port};
        auto it = buckets_.find(key);
        if (it == buckets_.end()) {
            if (buckets_.size() >= kSourcesMax) {
                buckets_.erase(std::min_element(
                    buckets_.begin(), buckets_.end(), [](const auto& a, const auto& b) {
                        return a.second.last_used() < b.second.last_used();
                    }));
            }
            it = buckets_.emplace(key, TokenBucket(per_second_, burst_)).first;
        }
        return it->second.take(now);
    }

  private:
    using Key = std::pair<std::array<std::uint8_t, 16>, std::uint16_t>;
    double per_second_;
    double burst_;
    std::map<Key, TokenBucket> buckets_;
};

}  // namespace meshd
