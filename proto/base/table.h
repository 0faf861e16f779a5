// SPDX-License-Identifier: Apache-2.0
/// \file
/// A map for what a node keeps of each node of the mesh, or each stream: looked into with every
/// datagram, walked with every change, and changed rarely. A tree of 1 000 names costs ten
/// dependent memory accesses for a look, and one for each step of a walk; this one or two, and
/// none.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/node_id.h"

namespace meshd {

inline std::uint64_t table_hash(const NodeId& node, std::uint64_t) {
    return node.hash();
}
/// Whoever writes records chooses their streams, so that the bits are mixed with those of a key
/// (the finalizer of MurmurHash3, Appleby 2011).
inline std::uint64_t table_hash(StreamId stream, std::uint64_t key) {
    std::uint64_t mix = stream.value ^ key;
    mix = (mix ^ (mix >> 33)) * 0xff51afd7ed558ccdU;
    mix = (mix ^ (mix >> 33)) * 0xc4ceb9fe1a85ec53U;
    return mix ^ (mix >> 33);
}
/// Walked in rising order of keys, as std::map is, so that what comes of it is the same with every
/// run. Values keep their address while they are in the table.
///
/// An index by hash (linear probing, at most half full) finds an entry; a sorted list of pointers
/// gives the order. To insert or erase moves the pointers behind the place. Who can choose keys can
/// make them collide: a look is then one pass over a few kilobytes, and no worse.
template <class Key, class T>
class Table {
  public:
    using Entry = std::pair<const Key, T>;

    template <class Value, class At>
    class Iterator {
      public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = Value;
        using difference_type = std::ptrdiff_t;
        using pointer = Value*;
        using reference = Value&;

        Iterator() = default;
        explicit Iterator(At at) : at_(at) {}
        Value& operator*() const { return **at_; }
        Value* operator->() const { return at_->get(); }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) { return Iterator(at_++); }
        friend bool operator==(const Iterator&, const Iterator&) = default;

      private:
        At at_{};
    };
    using Entries = std::vector<std::unique_ptr<Entry>>;
    using iterator = Iterator<Entry, typename Entries::iterator>;
    using const_iterator = Iterator<const Entry, typename Entries::const_iterator>;

    /// `key`: not known outside, where others choose the keys of the table.
    explicit Table(std::uint64_t key = 0) : key_(key) {}
    Table(Table&&) noexcept = default;
    Table& operator=(Table&&) noexcept = default;
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    iterator begin() { return iterator(entries_.begin()); }
    iterator end() { return iterator(entries_.end()); }
    const_iterator begin() const { return const_iterator(entries_.begin()); }
    const_iterator end() const { return const_iterator(entries_.end()); }
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }

    /// Null where the key is not in the table.
    T* find(const Key& key) {
        Entry* entry = entry_of(key);
        return entry == nullptr ? nullptr : &entry->second;
    }
    const T* find(const Key& key) const {
        const Entry* entry = entry_of(key);
        return entry == nullptr ? nullptr : &entry->second;
    }
    bool contains(const Key& key) const { return entry_of(key) != nullptr; }

    /// The value of the key, made by default where it was not there; true where it was made.
    std::pair<T*, bool> try_emplace(const Key& key) {
        if (Entry* entry = entry_of(key)) {
            return {&entry->second, false};
        }
        const auto at =
            entries_.insert(place_of(key), std::make_unique<Entry>(std::piecewise_construct,
                                                                   std::forward_as_tuple(key),
                                                                   std::forward_as_tuple()));
        if (2 * entries_.size() > index_.size()) {
            index_.assign(std::bit_ceil(4 * entries_.size()), Slot{});
            for (const auto& entry : entries_) {
                note(entry.get());
            }
        } else {
            note(at->get());
        }
        return {&(*at)->second, true};
    }
    T& operator[](const Key& key) { return *try_emplace(key).first; }

    /// False where the key was not in the table.
    bool erase(const Key& key) {
        if (entry_of(key) == nullptr) {
            return false;
        }
        drop(key);
        entries_.erase(place_of(key));
        return true;
    }
    /// Erases the entries of which `is_gone(entry)` is true.
    template <class Predicate>
    void erase_if(Predicate is_gone) {
        const auto gone = std::remove_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
            if (!is_gone(*entry)) {
                return false;
            }
            drop(entry->first);
            return true;
        });
        entries_.erase(gone, entries_.end());
    }

  private:
    struct Slot {
        std::uint64_t hash = 0;
        Entry* entry = nullptr;
    };

    typename Entries::const_iterator place_of(const Key& key) const {
        return std::lower_bound(
            entries_.begin(), entries_.end(), key,
            [](const auto& entry, const Key& wanted) { return entry->first < wanted; });
    }
    std::size_t home_of(std::uint64_t hash) const {
        return static_cast<std::size_t>(hash) & (index_.size() - 1);
    }
    std::size_t next(std::size_t at) const { return (at + 1) & (index_.size() - 1); }

    Entry* entry_of(const Key& key) const {
        if (index_.empty()) {
            return nullptr;
        }
        const std::uint64_t hash = table_hash(key, key_);
        for (std::size_t at = home_of(hash); index_[at].entry != nullptr; at = next(at)) {
            if (index_[at].hash == hash && index_[at].entry->first == key) {
                return index_[at].entry;
            }
        }
        return nullptr;
    }
    void note(Entry* entry) {
        const std::uint64_t hash = table_hash(entry->first, key_);
        std::size_t at = home_of(hash);
        while (index_[at].entry != nullptr) {
            at = next(at);
        }
        index_[at] = {hash, entry};
    }
    /// Closes the gap in the run behind it (Knuth, "The Art of Computer Programming" 6.4, R).
    void drop(const Key& key) {
        std::size_t gap = home_of(table_hash(key, key_));
        while (!(index_[gap].entry->first == key)) {
            gap = next(gap);
        }
        for (std::size_t at = next(gap); index_[at].entry != nullptr; at = next(at)) {
            const std::size_t mask = index_.size() - 1;
            if (((at - home_of(index_[at].hash)) & mask) >= ((at - gap) & mask)) {
                index_[gap] = index_[at];
                gap = at;
            }
        }
        index_[gap] = Slot{};
    }

    std::uint64_t key_;
    Entries entries_;          ///< rising
    std::vector<Slot> index_;  ///< empty, or a power of two of slots
};

}  // namespace meshd
