// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstring>

#include "proto/base/json.h"

namespace meshd::json {

std::size_t utf8_prefix(std::string_view text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const begin = at;
    const auto* const end = at + text.size();
    const auto is_tail = [&](std::ptrdiff_t i) { return (at[i] & 0xc0) == 0x80; };
    while (at != end) {
        if (end - at >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        const unsigned char lead = *at;
        const std::ptrdiff_t left = end - at;
        if (lead < 0x80) {
            at += 1;
        } else if (lead >= 0xc2 && lead <= 0xdf) {
            if (left < 2 || !is_tail(1)) {
                break;
            }
            at += 2;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            // E0 80–9F would be overlong; ED A0–BF a surrogate.
            if (left < 3 || !is_tail(1) || !is_tail(2) || (lead == 0xe0 && at[1] < 0xa0) ||
                (lead == 0xed && at[1] >= 0xa0)) {
                break;
            }
            at += 3;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            // F0 80–8F would be overlong; F4 90 and up is beyond U+10FFFF.
            if (left < 4 || !is_tail(1) || !is_tail(2) || !is_tail(3) ||
                (lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] >= 0x90)) {
                break;
            }
            at += 4;
        } else {
            break;
        }
    }
    return static_cast<std::size_t>(at - begin);
}

bool is_utf8(std::string_view text) {
    return utf8_prefix(text) == text.size();
}

}  // namespace meshd::json
