// SPDX-License-Identifier: Apache-2.0
#include "proto/links/liveness.h"

#include <algorithm>
#include <cmath>

namespace meshd {
namespace {

using std::chrono::milliseconds;

constexpr Duration kReplyMin = milliseconds(20);
/// Before anything is measured: most links answer sooner, and a slow one is only probed early.
constexpr Duration kReplyUnmeasured = milliseconds(200);
/// While little is measured, and that in the rush of a start, the next exchange is soon: a dead
/// peer would be waited for too long.
constexpr Duration kYoungMax = milliseconds(1000);
constexpr Duration kProbeMin = milliseconds(20);
constexpr Duration kProbeMax = milliseconds(50);
/// Phases drawn, of which the loneliest is taken.
constexpr int kPhasesDrawn = 4;

}  // namespace

Liveness::Liveness(TimePoint now, Options options, Prng& prng)
    : options_(options), last_heard_(now), due_(now), asked_at_(now), gap_at_(now) {
    // The first exchange at once: it measures the RTT and carries the first hashes. Its request
    // number starts anywhere, so that replies of an earlier session never fit.
    seq_ = static_cast<std::uint32_t>(prng.next());
}

void Liveness::measure(Duration sample) {
    rtt_.add(sample);
    last_rtts_[rtts_measured_ % last_rtts_.size()] = sample;
    rtts_measured_ += 1;
}

Duration Liveness::reply_time() const {
    if (rtts_measured_ == 0) {
        return kReplyUnmeasured;
    }
    const auto end = last_rtts_.begin() +
                     static_cast<std::ptrdiff_t>(std::min(rtts_measured_, last_rtts_.size()));
    return std::max(kReplyMin, 2 * *std::min_element(last_rtts_.begin(), end));
}

Duration Liveness::gap(TimePoint now) const {
    const double half_lives =
        std::chrono::duration<double>(now - gap_at_) / std::chrono::duration<double>(kGapHalfLife);
    return std::chrono::duration_cast<Duration>(gap_ * std::exp2(-half_lives));
}

Duration Liveness::patience(TimePoint now) const {
    const Duration slow = 2 * reply_time();
    const Duration least =
        std::max(options_.patience_min, rtts_measured_ != 0 ? slow : options_.patience_max);
    return std::clamp(gap(now) * 3 / 2, least, std::max(least, options_.patience_max));
}

void Liveness::on_heard(TimePoint now) {
    last_heard_ = now;
    if (!suspicion_) {
        return;
    }
    const Duration recovered = now - suspicion_->since;
    if (recovered > gap(now)) {
        gap_ = recovered;
        gap_at_ = now;
    }
    if (suspicion_->is_own || (due_ && *due_ <= now)) {
        due_.reset();
        is_synchronised_ = true;
    }
    suspicion_.reset();
    reply_by_.reset();
}

void Liveness::on_request(TimePoint now) {
    const bool has_measured = rtts_measured_ >= last_rtts_.size();
    if (due_ && has_measured && *due_ - now <= interval_ * 4 / 10) {
        due_.reset();
    }
}

void Liveness::on_reply(TimePoint now, std::uint32_t seq) {
    const auto it = std::find_if(outstanding_.begin(), outstanding_.end(),
                                 [seq](const Request& request) { return request.seq == seq; });
    if (it == outstanding_.end()) {
        return;
    }
    measure(now - it->sent);
    if (!it->is_counted) {
        loss_ = smooth_loss(loss_, false);
    }
    losses_in_row_ = 0;
    outstanding_.erase(it);
    reply_by_.reset();
}

bool Liveness::check(TimePoint now) {
    if (suspicion_ || now - last_heard_ <= kFreshEvidence) {
        return false;
    }
    suspect(now, false);
    return true;
}

void Liveness::suspect(TimePoint now, bool is_own) {
    suspicion_ = Suspicion{};
    suspicion_->since = now;
    suspicion_->is_own = is_own;
    suspicion_->next_probe = now;
    suspicion_->wait = std::clamp(reply_time(), kProbeMin, kProbeMax);
    reply_by_.reset();
}

void Liveness::count_losses(TimePoint now) {
    const bool is_full = outstanding_.size() >= kOutstandingMax;
    for (Request& request : outstanding_) {
        const bool is_lost =
            now - request.sent > reply_time() || (is_full && &request == &outstanding_.front());
        if (is_lost && !request.is_counted) {
            request.is_counted = true;
            losses_in_row_ += 1;
            if (losses_in_row_ <= kLossesCounted) {
                loss_ = smooth_loss(loss_, true);
            }
        }
    }
    if (is_full) {
        outstanding_.pop_front();
    }
}

void Liveness::send(TimePoint now) {
    count_losses(now);
    seq_ += 1;
    outstanding_.push_back({seq_, now});
}

Liveness::Due Liveness::on_timeout(TimePoint now) {
    Due due;
    const TimePoint deadline = next_deadline();
    if (now < deadline) {
        return due;
    }
    if (now - deadline > kStarved) {
        reply_by_.reset();
        if (suspicion_) {
            suspect(now, suspicion_->is_own);
        }
    }
    if (due_ && *due_ <= now && !suspicion_) {
        due_.reset();
        send(now);
        due.request = true;
        asked_at_ = now;
        reply_by_ = now + reply_time();
        return due;
    }
    if (reply_by_ && *reply_by_ <= now) {
        reply_by_.reset();
        // The reply was lost, but the peer has spoken since.
        if (last_heard_ <= asked_at_) {
            suspect(now, true);
        }
    }
    if (!suspicion_ || suspicion_->next_probe > now) {
        return due;
    }
    if (suspicion_->probes >= kProbesMin && now - suspicion_->since >= patience(now)) {
        due.down = true;
        return due;
    }
    send(now);
    due.request = true;
    suspicion_->probes += 1;
    const unsigned probes = suspicion_->probes;
    due.detour = probes == kNoticeProbe;
    due.notice = suspicion_->is_own && probes >= kNoticeProbe &&
                 probes <= kNoticeProbe + 2 * (kNotices - 1) && (probes - kNoticeProbe) % 2 == 0;
    suspicion_->next_probe = now + suspicion_->wait;
    suspicion_->wait = std::min(suspicion_->wait * 6 / 5, kProbeMax);
    return due;
}

TimePoint Liveness::next_deadline() const {
    if (suspicion_) {
        return suspicion_->next_probe;
    }
    if (reply_by_) {
        return *reply_by_;
    }
    // Without a time yet: now, that is, as soon as schedule() is called.
    return due_.value_or(last_heard_);
}

void Liveness::schedule(TimePoint now, Duration interval, const std::vector<TimePoint>& others,
                        Prng& prng) {
    if (rtts_measured_ < last_rtts_.size()) {
        interval = std::min(interval, kYoungMax);
    }
    const Duration earliest = is_synchronised_ ? interval / 10 : interval * 6 / 10;
    is_synchronised_ = false;
    interval_ = interval;
    Duration best{-1};
    for (int i = 0; i < kPhasesDrawn; ++i) {
        const TimePoint candidate = now + prng.between(earliest, interval);
        Duration distance = interval;
        for (const TimePoint other : others) {
            distance =
                std::min(distance, other > candidate ? other - candidate : candidate - other);
        }
        if (distance > best) {
            best = distance;
            due_ = candidate;
        }
    }
}

Duration exchange_interval(std::size_t links, Duration heartbeat_interval) {
    const Duration wanted = milliseconds(800) * static_cast<Duration::rep>(links);
    return std::min(std::max<Duration>(wanted, milliseconds(1000)), heartbeat_interval);
}

std::uint8_t cost_class(double loss, std::uint8_t before) {
    constexpr double kThresholds[] = {0.15, 0.45};
    constexpr double kHysteresis = 0.08;
    std::uint8_t result = 0;
    for (const double threshold : kThresholds) {
        const double bar = threshold + (before > result ? -kHysteresis : kHysteresis);
        if (loss <= bar) {
            break;
        }
        result += 1;
    }
    return result;
}

}  // namespace meshd
