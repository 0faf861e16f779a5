// SPDX-License-Identifier: Apache-2.0
/// \file
/// Byte strings, and big-endian integers in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace meshd {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Buffer to_buffer(Bytes bytes) {
    return Buffer(bytes.begin(), bytes.end());
}

/// Writes the low `Width` bytes of `value`, most significant first.
template <std::size_t Width>
void store_big_endian(std::uint8_t* to, std::uint64_t value) {
    for (std::size_t i = 0; i < Width; ++i) {
        to[i] = static_cast<std::uint8_t>(value >> (8 * (Width - 1 - i)));
    }
}

/// Reads `Width` bytes as an unsigned integer, most significant first.
template <std::size_t Width>
std::uint64_t load_big_endian(const std::uint8_t* from) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Width; ++i) {
        value = value << 8 | from[i];
    }
    return value;
}

template <std::size_t Width>
void append_big_endian(Buffer& to, std::uint64_t value) {
    to.resize(to.size() + Width);
    store_big_endian<Width>(to.data() + to.size() - Width, value);
}

inline void append(Buffer& to, Bytes bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}
inline void append(Buffer& to, std::string_view text) {
    append(to, as_bytes(text));
}

}  // namespace meshd
