// SPDX-License-Identifier: Apache-2.0
#include "proto/base/base64.h"

#include <array>

namespace meshd {

namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Beyond any digit, so that it shows in the OR of four.
constexpr std::uint8_t kNoDigit = 0x40;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNoDigit);
    for (std::size_t i = 0; i < kDigits.size(); ++i) {
        values[static_cast<std::uint8_t>(kDigits[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::uint32_t value_of(char digit) {
    return kValues[static_cast<std::uint8_t>(digit)];
}

char digit_of(std::uint32_t bits) {
    return kDigits[bits & 0x3F];
}

}  // namespace

std::string print_base64(Bytes bytes) {
    std::string text((bytes.size() + 2) / 3 * 4, '=');
    char* to = text.data();
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const std::uint32_t group = std::uint32_t{bytes[i]} << 16 |
                                    std::uint32_t{bytes[i + 1]} << 8 | std::uint32_t{bytes[i + 2]};
        *to++ = digit_of(group >> 18);
        *to++ = digit_of(group >> 12);
        *to++ = digit_of(group >> 6);
        *to++ = digit_of(group);
    }
    if (i < bytes.size()) {
        const bool has_two = i + 1 < bytes.size();
        const std::uint32_t group = std::uint32_t{bytes[i]} << 16 |
                                    (has_two ? std::uint32_t{bytes[i + 1]} << 8 : std::uint32_t{0});
        *to++ = digit_of(group >> 18);
        *to++ = digit_of(group >> 12);
        if (has_two) {
            *to = digit_of(group >> 6);
        }
    }
    return text;
}

std::optional<Buffer> parse_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    Buffer bytes(text.size() / 4 * 3 - padding);
    const std::size_t whole = padding == 0 ? text.size() : text.size() - 4;
    std::uint8_t* to = bytes.data();
    std::uint32_t seen = 0;
    std::size_t i = 0;
    for (; i < whole; i += 4) {
        const std::uint32_t a = value_of(text[i]);
        const std::uint32_t b = value_of(text[i + 1]);
        const std::uint32_t c = value_of(text[i + 2]);
        const std::uint32_t d = value_of(text[i + 3]);
        seen |= a | b | c | d;
        const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
        *to++ = static_cast<std::uint8_t>(group >> 16);
        *to++ = static_cast<std::uint8_t>(group >> 8);
        *to++ = static_cast<std::uint8_t>(group);
    }
    std::uint32_t unused_bits = 0;
    if (padding > 0) {
        const std::uint32_t a = value_of(text[i]);
        const std::uint32_t b = value_of(text[i + 1]);
        const std::uint32_t c = padding == 1 ? value_of(text[i + 2]) : 0;
        seen |= a | b | c;
        const std::uint32_t group = a << 18 | b << 12 | c << 6;
        *to++ = static_cast<std::uint8_t>(group >> 16);
        if (padding == 1) {
            *to++ = static_cast<std::uint8_t>(group >> 8);
        }
        unused_bits = padding == 1 ? group & 0xFF : group & 0xFFFF;
    }
    if ((seen & kNoDigit) != 0 || unused_bits != 0) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace meshd
