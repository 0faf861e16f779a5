// SPDX-License-Identifier: Apache-2.0
/// \file
/// The index over all embeddings that are held, kept in step with the store: rows in chunks
/// (vector_chunk.h), by space, type and dimension.
///
/// Invariants:
/// (1) A row is live in exactly one chunk, under the address of its record's bytes.
/// (2) Of each partition one chunk at most, the *tail*, takes rows. All others are sealed.
/// (3) A partition that was ever searched has an encoded tail: its sealed chunks are encoded, or
///     will be by the next search. One that never was has no codes at all, so that a box that
///     never searches pays some 50 bytes for an entry, and a late joiner takes entries in at once.
/// (4) A quarter of a sealed chunk's rows at most are dead (or fewer than kDeadRowsMin): then it is
///     made anew without them, together with the next one where both fit one. Snapshots keep what
///     they have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proto/search/row_table.h"
#include "proto/search/vector_chunk.h"

namespace meshd {

/// What the rows of a partition have in common.
struct VectorSpaceKey {
    std::string_view space;
    std::string_view type;
    std::uint32_t dimension = 0;
};

/// What a search looks at: it stays as it is, on any thread, whatever becomes of the index.
struct IndexSnapshot {
    struct Part {
        std::shared_ptr<const VectorChunk> chunk;
        std::shared_ptr<const DeadRows> dead;  ///< null where there are none
        std::size_t count = 0;                 ///< rows, dead ones among them
        bool is_live(std::size_t row) const { return !dead || !dead->contains(row); }
    };
    std::vector<Part> parts;
    std::size_t dimension = 0;
    std::size_t live = 0;
};

class VectorIndex {
  public:
    static constexpr std::size_t kDeadRowsMin = 16;

    /// `row.record` ends with key.dimension fp16 values, 1 to limits::kDimensionMax, all finite,
    /// and is not in the index.
    void insert(const VectorSpaceKey& key, VectorRow row);
    /// The row of that record, which is in the index.
    void erase(const SharedBytes& record);

    /// Of a space and type, or where the type is empty of all types of that dimension. What it
    /// holds is encoded from now on.
    IndexSnapshot snapshot(const VectorSpaceKey& key);
    /// Dimensions of a space and type, or where the type is empty of all types; each once, rising.
    std::vector<std::uint32_t> dimensions(std::string_view space, std::string_view type) const;

    std::size_t size() const { return table_.size(); }
    /// Chunks in all; for tests and measurements.
    std::size_t chunk_count() const { return slots_.size() - free_.size(); }
    /// Rows that are deleted and still take room.
    std::size_t dead_count() const { return dead_; }

  private:
    using OwnedKey = std::tuple<std::string, std::string, std::uint32_t>;
    struct ByKey {
        using is_transparent = void;
        using View = std::tuple<std::string_view, std::string_view, std::uint32_t>;
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            return View(a) < View(b);
        }
    };
    struct Partition {
        std::vector<std::uint32_t> slots;
        bool has_tail = false;  ///< the last of slots
        bool is_encoded = false;
        std::size_t live = 0;
    };
    using Partitions = std::map<OwnedKey, Partition, ByKey>;
    /// Where a chunk is. A row's number is slot · kRowsMax + its place in the chunk.
    struct Slot {
        std::shared_ptr<VectorChunk> chunk;
        std::shared_ptr<const DeadRows> dead;
        std::size_t count = 0;
        std::size_t dead_count = 0;
        Partitions::iterator partition;
        std::size_t live() const { return count - dead_count; }
        bool is_live(std::size_t row) const { return !dead || !dead->contains(row); }
    };

    static std::uint32_t number_of(std::uint32_t slot, std::size_t row) {
        return slot * static_cast<std::uint32_t>(VectorChunk::kRowsMax) +
               static_cast<std::uint32_t>(row);
    }
    auto address_of() const {
        return [this](std::uint32_t number) -> const void* {
            return slots_[number / VectorChunk::kRowsMax]
                .chunk->row(number % VectorChunk::kRowsMax)
                .record.data();
        };
    }
    std::uint32_t open_slot(Partitions::iterator partition, std::size_t capacity, bool is_encoded);
    void close_slot(std::uint32_t slot);
    bool is_tail(std::uint32_t slot) const;
    void grow_table();
    void compact(std::uint32_t slot);
    void move_live_rows(std::uint32_t from, std::uint32_t to);

    Partitions partitions_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;  ///< slots without a chunk
    RowTable table_;
    std::size_t dead_ = 0;
};

}  // namespace meshd
