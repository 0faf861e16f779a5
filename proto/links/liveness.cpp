// SPDX-License-Identifier: Apache-2.0
#include "proto/links/liveness.h"

#include <algorithm>

namespace meshd {

Liveness::Liveness(TimePoint now, Options options, Prng& prng)
    : options_(options), last_heard_(now), due_(now) {
    // The first exchange at once: it measures the RTT and carries the first hashes. Its request
    // number starts anywhere, so that replies of an earlier session never fit.
    seq_ = static_cast<std::uint32_t>(prng.next());
}

void Liveness::on_reply(TimePoint now, std::uint32_t seq) {
    const auto it = std::find_if(outstanding_.begin(), outstanding_.end(),
                                 [seq](const auto& entry) { return entry.first == seq; });
    if (it == outstanding_.end()) {
        return;
    }
    rtt_.add(now - it->second);
    loss_ = smooth_loss(loss_, false);
    outstanding_.erase(it);
}

Liveness::Verdict Liveness::on_timeout(TimePoint now, Prng& prng) {
    const TimePoint deadline = next_deadline();
    if (now < deadline) {
        return Verdict::Wait;
    }
    if (now - deadline > kStarved) {
        last_heard_ = now;
    }
    if (now - last_heard_ >= options_.timeout) {
        return Verdict::Down;
    }
    if (now < due_) {
        return Verdict::Wait;
    }
    const Duration patience = std::max(options_.interval, 2 * rtt_.smoothed().value_or(Duration{}));
    while (!outstanding_.empty() && (now - outstanding_.front().second > patience ||
                                     outstanding_.size() >= kOutstandingMax)) {
        loss_ = smooth_loss(loss_, true);
        outstanding_.pop_front();
    }
    seq_ += 1;
    outstanding_.emplace_back(seq_, now);
    due_ = now + prng.between(options_.interval * 6 / 10, options_.interval);
    return Verdict::SendRequest;
}

TimePoint Liveness::next_deadline() const {
    return std::min(due_, last_heard_ + options_.timeout);
}

}  // namespace meshd
