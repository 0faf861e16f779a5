// SPDX-License-Identifier: Apache-2.0
#include "proto/base/ids.h"

#include "proto/base/bytes.h"

namespace meshd {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

}  // namespace

std::string print_hex_bytes(const std::uint8_t* bytes, std::size_t size) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (std::size_t i = 0; i < size; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

bool parse_hex_bytes(std::string_view text, std::uint8_t* bytes, std::size_t size) {
    if (text.size() != 2 * size) {
        return false;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const int high = hex_digit(text[2 * i]);
        const int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

std::string print_hex(std::uint64_t value) {
    std::uint8_t bytes[8];
    store_big_endian<8>(bytes, value);
    return print_hex_bytes(bytes, sizeof bytes);
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
    std::uint8_t bytes[8];
    if (!parse_hex_bytes(text, bytes, sizeof bytes)) {
        return std::nullopt;
    }
    return load_big_endian<8>(bytes);
}

}  // namespace meshd
