// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace meshd {

/// Which of the last `Size` numbers of a rising sequence were seen: drops replays and duplicates.
/// A number older than the window counts as seen. Nothing is ever cleared wholesale: the window
/// slides (RFC 4303, section 3.4.3).
template <std::size_t Size>
class SequenceWindow {
    static_assert(Size % 64 == 0);

  public:
    /// True where `number` is new; it counts as seen from then on.
    bool accept(std::uint64_t number) {
        if (!is_new(number)) {
            return false;
        }
        if (empty_ || number > highest_) {
            const std::uint64_t ahead = empty_ ? 1 : number - highest_;
            if (ahead >= Size) {
                bits_.fill(0);
            } else {
                // By distance: no number is above the greatest, a loop up to it would never end.
                for (std::uint64_t back = 0; back < ahead; ++back) {
                    const std::uint64_t n = number - back;
                    bits_[n % Size / 64] &= ~(std::uint64_t{1} << (n % 64));
                }
            }
            highest_ = number;
            empty_ = false;
        }
        bits_[number % Size / 64] |= std::uint64_t{1} << (number % 64);
        return true;
    }

    bool is_new(std::uint64_t number) const {
        if (empty_ || number > highest_) {
            return true;
        }
        if (highest_ - number >= Size) {
            return false;
        }
        return (bits_[number % Size / 64] >> (number % 64) & 1) == 0;
    }

    std::uint64_t highest() const { return highest_; }

  private:
    std::array<std::uint64_t, Size / 64> bits_{};
    std::uint64_t highest_ = 0;
    bool empty_ = true;
};

}  // namespace meshd
