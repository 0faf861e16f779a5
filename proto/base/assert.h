// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace meshd {

/// Prints the failed condition to stderr and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace meshd

/// States what our own code guarantees; on in every build. What a remote or a user can cause is
/// never asserted but refused and counted.
#define MESHD_ASSERT(condition) \
    ((condition) ? void(0) : ::meshd::assertion_failed(#condition, __FILE__, __LINE__))
