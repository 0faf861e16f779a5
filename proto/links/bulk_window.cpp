// SPDX-License-Identifier: Apache-2.0
#include "proto/links/bulk_window.h"

#include <algorithm>

#include "proto/base/assert.h"

namespace meshd {

BulkWindow::BulkWindow(std::size_t size_max)
    : size_max_(std::max(size_max, kMin)), size_(std::min(kInitial, size_max_)) {}

void BulkWindow::set_max(std::size_t size_max) {
    size_max_ = std::clamp(size_max, kMin, kMaxLimit);
    size_ = std::min(size_, size_max_);
}

bool BulkWindow::may_send(TimePoint now) {
    if (in_flight_ >= size_) {
        was_full_ = true;
        return false;
    }
    if (now - burst_at_ >= kBurstInterval) {
        burst_left_ = now - burst_at_ >= kPause ? kBurst : std::max(burst_left_, kBurst);
        burst_at_ = now;
    }
    return burst_left_ > 0;
}

std::optional<TimePoint> BulkWindow::next_burst() const {
    return in_flight_ < size_ ? std::optional(burst_at_ + kBurstInterval) : std::nullopt;
}

void BulkWindow::on_sent(std::uint64_t counter) {
    MESHD_ASSERT(burst_left_ > 0);
    burst_left_ -= 1;
    in_flight_ += 1;
    if (acked_ + lost_ == 0 && in_flight_ == 1) {
        round_begin_ = counter;  // after a pause: what was sent before it says nothing
    }
}

void BulkWindow::on_acked(Duration round_trip) {
    in_flight_ -= 1;
    acked_ += 1;
    // Two for one: a window that doubles needs as many.
    burst_left_ = std::min(burst_left_ + 2, std::max(size_, kBurst));
    round_trip_ = std::min(round_trip_, round_trip);
    round_trip_min_ = std::min(round_trip_min_, round_trip);
}

void BulkWindow::on_lost() {
    in_flight_ -= 1;
    lost_ += 1;
}

void BulkWindow::on_late_ack() {
    lost_ -= std::min<std::size_t>(lost_, 1);
    acked_ += 1;
}

void BulkWindow::on_ack_end(std::uint64_t largest, std::uint64_t next) {
    if (largest < round_begin_ || acked_ + lost_ == 0) {
        return;
    }
    if (lost_ > 0 && acked_ + lost_ < kSampleMin) {
        round_begin_ = next;
        return;
    }
    if (4 * lost_ > acked_ + lost_ || round_trip_ - round_trip_min_ > kQueueDelayMax) {
        shrink();
    } else if (was_full_) {
        const std::size_t step = !has_shrunk_ && lost_ == 0 ? size_ : size_ / 4;
        size_ = std::min(size_ + step, size_max_);
    }
    begin_round(next);
}

void BulkWindow::on_timeout_end(std::uint64_t next) {
    if (4 * lost_ > std::max({size_, acked_ + lost_, kSampleMin})) {
        shrink();
        begin_round(next);
    }
}

void BulkWindow::shrink() {
    has_shrunk_ = true;
    size_ = std::max(size_ * 7 / 10, kMin);
}

void BulkWindow::begin_round(std::uint64_t next) {
    round_begin_ = next;
    acked_ = 0;
    lost_ = 0;
    was_full_ = false;
    round_trip_ = Duration::max();
}

}  // namespace meshd
