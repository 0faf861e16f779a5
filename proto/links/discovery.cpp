// SPDX-License-Identifier: Apache-2.0
#include "proto/links/discovery.h"

#include <algorithm>

namespace meshd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<Duration, 5> kFastStart = {
    milliseconds(0), milliseconds(100), milliseconds(500), milliseconds(1000), milliseconds(2000)};
constexpr Duration kBootstrapFirst = seconds(1);
constexpr Duration kBootstrapMax = seconds(60);
constexpr Duration kProbeInterval = seconds(1);
/// A node missing for longer is probably off: looked for at the ordinary pace.
constexpr Duration kMissingEagerly = minutes(10);

}  // namespace

Discovery::Discovery(TimePoint now, Options options, Prng& prng)
    : options_(std::move(options)),
      prng_(&prng),
      started_(now),
      interval_(options_.interval),
      beacon_at_(now),
      last_beacon_(now),
      probe_at_(now),
      offers_({kOffersPerSecond, kOffersPerSecond}),
      hellos_(kHellosPerSource, kHellosPerAddress, kHellosInAll, options_.sources_key),
      offers_heard_(kHellosPerSource, kHellosPerAddress, kHellosInAll, options_.sources_key) {
    start(now);
}

void Discovery::start(TimePoint now) {
    stopped_ = false;
    bootstrap_.clear();
    set_bootstrap(now, std::move(options_.bootstrap));
    started_ = now;
    fast_step_ = 0;
    interval_ = options_.interval;
    beacon_at_ = now;
}

void Discovery::set_bootstrap(TimePoint now, std::vector<Endpoint> bootstrap) {
    std::vector<Bootstrap> chosen;
    for (const Endpoint& endpoint : bootstrap) {
        const auto is_same = [&](const Bootstrap& one) {
            return one.endpoint.same_address(endpoint);
        };
        if (chosen.size() == kBootstrapsMax) {
            break;
        }
        if (std::any_of(chosen.begin(), chosen.end(), is_same)) {
            continue;
        }
        const auto known = std::find_if(bootstrap_.begin(), bootstrap_.end(), is_same);
        chosen.push_back(known != bootstrap_.end() ? *known
                                                   : Bootstrap{endpoint, now, kBootstrapFirst});
    }
    bootstrap_ = std::move(chosen);
    options_.bootstrap = std::move(bootstrap);
}

void Discovery::set_intervals(TimePoint now, Duration interval, Duration interval_max) {
    if (options_.interval == interval && options_.interval_max == interval_max) {
        return;
    }
    options_.interval = interval;
    options_.interval_max = interval_max;
    interval_ = interval;
    beacon_at_ = std::min(beacon_at_, now + prng_->between(interval_ * 8 / 10, interval_));
}

void Discovery::stop() {
    stopped_ = true;
    waiting_.clear();
}

void Discovery::on_change(TimePoint now) {
    if (stopped_ || fast_step_ < kFastStart.size()) {
        return;  // already fast: each of many changes must not start it anew
    }
    // The first step would be a beacon at once, which a mesh in motion would multiply.
    started_ = now;
    fast_step_ = 2;
    interval_ = options_.interval;
    beacon_at_ = now + prng_->between(kFastStart[1], kFastStart[2]);
}

Discovery::Admission Discovery::admit(TimePoint now, const Endpoint& from,
                                      std::uint64_t fingerprint) {
    if (std::find(seen_.begin(), seen_.end(), fingerprint) != seen_.end()) {
        return Admission::Duplicate;
    }
    if (!hellos_.take(now, from)) {
        return Admission::Limited;
    }
    seen_[seen_next_] = fingerprint;
    seen_next_ = (seen_next_ + 1) % seen_.size();
    hellos_since_beacon_ += 1;
    return Admission::Accept;
}

bool Discovery::on_hello(TimePoint now, const Asker& asker, bool is_beacon, std::size_t heard,
                         std::size_t max_peers) {
    if (stopped_) {
        return true;
    }
    // In a small mesh everybody answers a beacon; in a large one about three do.
    const double probability = heard <= max_peers ? 1.0 : 3.0 / (1.0 + static_cast<double>(heard));
    if (is_beacon && prng_->unit() >= probability) {
        return true;
    }
    if (waiting_.size() >= kOffersWaitingMax) {
        return false;
    }
    const Duration delay = is_beacon ? prng_->between(Duration{}, milliseconds(50)) : Duration{};
    waiting_.push_back({now + delay, asker});
    return true;
}

void Discovery::on_asked(TimePoint now, const std::optional<Endpoint>& to, std::uint64_t nonce) {
    while (!asked_.empty() &&
           (asked_.size() >= kAskedMax || now - asked_.front().at > kOfferExpectedFor)) {
        asked_.pop_front();
    }
    asked_.push_back({now, to, nonce});
}

bool Discovery::expects_offer(TimePoint now, const Endpoint& from, std::uint64_t echo) const {
    return std::any_of(asked_.begin(), asked_.end(), [&](const Asked& asked) {
        return asked.nonce == echo && now - asked.at <= kOfferExpectedFor &&
               (!asked.to || asked.to->same_address(from));
    });
}

Discovery::Due Discovery::on_timeout(TimePoint now, const Facts& facts) {
    Due due;
    if (stopped_) {
        return due;
    }
    for (const Waiting& waiting : waiting_) {
        if (waiting.at > now) {
            continue;
        }
        if (offers_.take(now)) {
            due.offers.push_back(waiting.asker);
        } else {
            due.offers_dropped += 1;
        }
    }
    std::erase_if(waiting_, [now](const Waiting& waiting) { return waiting.at <= now; });

    for (Bootstrap& bootstrap : bootstrap_) {
        if (bootstrap.next_at > now) {
            continue;
        }
        const bool linked = std::any_of(
            facts.linked.begin(), facts.linked.end(),
            [&](const Endpoint& endpoint) { return endpoint.same_address(bootstrap.endpoint); });
        if (linked) {
            bootstrap.backoff = kBootstrapFirst;
        } else {
            due.hellos.push_back(bootstrap.endpoint);
        }
        bootstrap.next_at = now + prng_->between(bootstrap.backoff * 8 / 10, bootstrap.backoff);
        bootstrap.backoff = std::min(2 * bootstrap.backoff, kBootstrapMax);
    }

    is_eager_ = facts.missing_since && now - *facts.missing_since < kMissingEagerly;
    if (is_eager_ && now >= probe_at_) {
        probe_at_ = now + kProbeInterval;
        if (facts.missing_address) {
            due.hellos.push_back(*facts.missing_address);
        }
    }
    const Duration spaced = static_cast<Duration::rep>(facts.heard) * kBeaconSpacing;
    const Duration eager_interval = std::max<Duration>(milliseconds(500), spaced);
    if (is_eager_) {
        beacon_at_ = std::min(beacon_at_, last_beacon_ + eager_interval);
    }
    if (now >= beacon_at_) {
        const bool is_fast = fast_step_ < kFastStart.size() || is_eager_;
        due.is_suppressed =
            is_fast && fast_step_ != 0 && hellos_since_beacon_ > kCrowd &&
            prng_->unit() * static_cast<double>(hellos_since_beacon_) > double{kCrowd};
        due.beacon = !due.is_suppressed;
        hellos_since_beacon_ = 0;
        last_beacon_ = now;
        if (fast_step_ < kFastStart.size()) {
            fast_step_ += 1;
        }
        if (fast_step_ < kFastStart.size()) {
            beacon_at_ = std::max(started_ + kFastStart[fast_step_], now + milliseconds(50));
        } else {
            beacon_at_ = now + prng_->between(interval_ * 8 / 10, interval_);
            interval_ = facts.is_alone
                            ? options_.interval
                            : std::min(interval_ * 3 / 2, std::max(options_.interval_max, spaced));
        }
        if (is_eager_) {
            beacon_at_ = std::min(beacon_at_, now + eager_interval);
        }
    }
    return due;
}

std::optional<TimePoint> Discovery::next_deadline() const {
    if (stopped_) {
        return std::nullopt;
    }
    TimePoint next = is_eager_ ? std::min(beacon_at_, probe_at_) : beacon_at_;
    for (const Waiting& waiting : waiting_) {
        next = std::min(next, waiting.at);
    }
    for (const Bootstrap& bootstrap : bootstrap_) {
        next = std::min(next, bootstrap.next_at);
    }
    return next;
}

}  // namespace meshd
