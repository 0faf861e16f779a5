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
                                 [seq](const Request& request) { return request.seq == seq; });
    if (it == outstanding_.end()) {
        return;
    }
    rtt_.add(now - it->sent);
    if (!it->is_counted) {
        loss_ = smooth_loss(loss_, false);
    }
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
    const bool is_full = outstanding_.size() >= kOutstandingMax;
    for (Request& request : outstanding_) {
        const bool is_lost =
            now - request.sent > patience || (is_full && &request == &outstanding_.front());
        if (is_lost && !request.is_counted) {
            loss_ = smooth_loss(loss_, true);
            request.is_counted = true;
        }
    }
    if (is_full) {
        outstanding_.pop_front();
    }
    seq_ += 1;
    outstanding_.push_back({seq_, now});
    due_ = now + prng.between(options_.interval * 6 / 10, options_.interval);
    return Verdict::SendRequest;
}

TimePoint Liveness::next_deadline() const {
    return std::min(due_, last_heard_ + options_.timeout);
}

}  // namespace meshd
