// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meshd {

/// Finds rows by the address of their record's bytes: open addressing, 4 bytes a place, since there
/// is one for each entry of the registry. It keeps row numbers only; `address_of(row)` of its
/// calls tells the rest. Addresses decide where a row stands in the table and nothing else: never
/// an order that anybody sees.
class RowTable {
  public:
    static constexpr std::uint32_t kNone = 0xffff'ffff;

    /// At three quarters a search still ends after a few places. Then reset() must come first.
    bool is_full() const { return (count_ + 1) * 4 > places_.size() * 3; }
    /// Empty, with twice the room: whoever knows the rows inserts them again in the order in which
    /// they stand in memory, which takes a fraction of the time.
    void reset() {
        places_ = std::vector<std::uint32_t>(std::max(kPlacesMin, 2 * places_.size()), kNone);
        count_ = 0;
    }

    void insert(std::uint32_t row, const void* address) {
        std::size_t at = place_of(address);
        while (places_[at] != kNone) {
            at = (at + 1) & (places_.size() - 1);
        }
        places_[at] = row;
        ++count_;
    }

    /// The row of that address is another one now.
    template <class AddressOf>
    void replace(std::uint32_t row, std::uint32_t by, AddressOf address_of) {
        places_[find_place(address_of(row), address_of)] = by;
    }

    /// The row of that address; kNone where there is none.
    template <class AddressOf>
    std::uint32_t find(const void* address, AddressOf address_of) const {
        return places_.empty() ? kNone : places_[find_place(address, address_of)];
    }

    /// `address` is in the table.
    template <class AddressOf>
    void erase(const void* address, AddressOf address_of) {
        const std::size_t mask = places_.size() - 1;
        std::size_t hole = find_place(address, address_of);
        // What follows moves back, unless its own place is behind the hole: no grave is left.
        for (std::size_t at = hole;;) {
            at = (at + 1) & mask;
            if (places_[at] == kNone) {
                break;
            }
            const std::size_t home = place_of(address_of(places_[at]));
            if (((at - home) & mask) >= ((at - hole) & mask)) {
                places_[hole] = places_[at];
                hole = at;
            }
        }
        places_[hole] = kNone;
        --count_;
    }

    std::size_t size() const { return count_; }

  private:
    static constexpr std::size_t kPlacesMin = 64;

    std::size_t place_of(const void* address) const {
        // Fibonacci hashing (Knuth, TAOCP 3, section 6.4): the high bits of the product are mixed.
        constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;
        const std::uint64_t product = reinterpret_cast<std::uintptr_t>(address) * kGolden;
        return static_cast<std::size_t>(product >> (64 - std::bit_width(places_.size() - 1)));
    }

    template <class AddressOf>
    std::size_t find_place(const void* address, AddressOf address_of) const {
        std::size_t at = place_of(address);
        while (places_[at] != kNone && address_of(places_[at]) != address) {
            at = (at + 1) & (places_.size() - 1);
        }
        return at;
    }

    std::vector<std::uint32_t> places_;  ///< a power of two
    std::size_t count_ = 0;
};

}  // namespace meshd
