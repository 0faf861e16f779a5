// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// What a node can do besides the first version, as bits that it tells in HELLO, REQ and ACC. What
/// the other end of a link has not told is never sent to it; unknown bits are ignored.
namespace meshd::features {

inline constexpr std::uint32_t kKeyGrant = 1;  ///< takes mesh keys from peers
inline constexpr std::uint32_t kAll = kKeyGrant;

}  // namespace meshd::features
