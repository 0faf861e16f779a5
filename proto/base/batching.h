// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "proto/base/time.h"

namespace meshd {

/// Links with a shorter round trip are local: nothing waits for company there.
inline constexpr Duration kBatchRttMin = std::chrono::milliseconds(8);
inline constexpr Duration kBatchIntervalMax = std::chrono::milliseconds(100);

/// How far apart datagrams leave that carry only news nobody is in a hurry for, so that one takes
/// along what came up meanwhile: RTT / 2, at most 100 ms; 0 below an RTT of 8 ms. The first after a
/// pause never waits, so that this delays only where there is much to tell, and by no more than the
/// way itself takes.
inline Duration batch_interval(Duration rtt) {
    return rtt < kBatchRttMin ? Duration{} : std::min<Duration>(rtt / 2, kBatchIntervalMax);
}

}  // namespace meshd
