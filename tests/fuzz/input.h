// SPDX-License-Identifier: Apache-2.0
/// \file
/// A fuzzer's bytes as choices. Whatever is asked for beyond their end is zero, so that any input,
/// cut anywhere, is a whole script.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "proto/base/bytes.h"

namespace meshd::fuzz {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

    bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() { return static_cast<std::uint8_t>(number<1>()); }
    template <std::size_t Width>
    std::uint64_t number() {
        const Bytes taken = take(Width);
        std::uint64_t value = 0;
        for (const std::uint8_t byte : taken) {
            value = value << 8 | byte;
        }
        return value;
    }
    /// Below `bound`, which is at most 256.
    std::size_t below(std::size_t bound) { return byte() % bound; }
    bool flag() { return (byte() & 1U) != 0; }
    /// At most that many bytes.
    Bytes take(std::size_t size) {
        const Bytes taken = bytes_.first(std::min(size, bytes_.size()));
        bytes_ = bytes_.subspan(taken.size());
        return taken;
    }
    /// A length in two bytes, then so many.
    Bytes field() { return take(static_cast<std::size_t>(number<2>())); }
    std::string text() { return std::string(as_text(field())); }
    Bytes rest() { return take(bytes_.size()); }

  private:
    Bytes bytes_;
};

}  // namespace meshd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
