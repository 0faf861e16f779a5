// SPDX-License-Identifier: Apache-2.0
/// \file
/// Up to 1 024 rows of one dimension, and their codes: what snapshots share.
///
/// Rows are only appended, by the one thread that owns the index, and never change: a reader looks
/// at the rows that were there when its snapshot was taken, and at no others, so that nothing needs
/// a lock. Which of them are deleted stands outside (DeadRows, in the snapshot).
///
/// Codes are made as rows are appended (an *encoded* chunk), or all at once by the first reader
/// that needs them, when no row comes any more.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

#include "proto/base/bytes.h"
#include "proto/base/shared_bytes.h"
#include "proto/base/time.h"
#include "proto/search/int8_code.h"

namespace meshd {

/// One embedding. It keeps the record's bytes alive, of which the last ones are its fp16 values.
struct VectorRow {
    SharedBytes record;
    TimePoint born;          ///< when it was written, by age
    std::uint64_t node = 0;  ///< NodeId::hash() of whose sighting it is
    friend bool operator==(const VectorRow&, const VectorRow&) = default;
};

/// Its values; finite.
inline Bytes row_halves(const VectorRow& row, std::size_t dimension) {
    return Bytes(row.record).last(2 * dimension);
}

/// Codes of the rows of a chunk.
class ChunkCodes {
  public:
    ChunkCodes(std::size_t dimension, std::size_t capacity);

    void encode(std::size_t row, Bytes halves);
    void copy(std::size_t row, const ChunkCodes& from, std::size_t from_row);

    std::size_t stride() const { return stride_; }
    const std::int8_t* codes(std::size_t row) const { return codes_.get() + row * stride_; }
    const float* scales() const { return scales_.get(); }
    const float* errors() const { return errors_.get(); }

  private:
    /// Aligned to cache lines, for whole registers.
    static constexpr std::align_val_t kAlignment{64};
    struct Free {
        void operator()(std::int8_t* codes) const { ::operator delete(codes, kAlignment); }
    };

    std::size_t dimension_;
    std::size_t stride_;
    std::unique_ptr<std::int8_t, Free> codes_;
    std::unique_ptr<float[]> scales_;
    std::unique_ptr<float[]> errors_;
};

class VectorChunk {
  public:
    /// Half a megabyte of codes of 512 values: long enough to be read at full speed, short enough
    /// to be made anew in less than a millisecond.
    static constexpr std::size_t kRowsMax = 1024;

    VectorChunk(std::size_t dimension, std::size_t capacity, bool is_encoded);
    ~VectorChunk();
    VectorChunk(const VectorChunk&) = delete;
    VectorChunk& operator=(const VectorChunk&) = delete;

    std::size_t dimension() const { return dimension_; }
    std::size_t capacity() const { return capacity_; }
    const VectorRow& row(std::size_t at) const { return rows_[at]; }

    // By the owner of the index only.
    /// `at`: how many rows there are; below capacity().
    void append(std::size_t at, VectorRow row);
    /// The same of a row of another chunk, codes included where that one has any and this one is
    /// encoded. True of its result: that was so.
    void append_from(std::size_t at, const VectorChunk& from, std::size_t from_row);

    // By any thread.
    /// Null where there are none yet.
    const ChunkCodes* codes() const { return codes_.load(std::memory_order_acquire); }
    /// Makes them where there are none. `rows`: how many there are, for good.
    const ChunkCodes& codes(std::size_t rows) const;

  private:
    std::size_t dimension_;
    std::size_t capacity_;
    std::unique_ptr<VectorRow[]> rows_;
    /// Owned. Set once: readers that make them at the same time make the same, and one is kept.
    mutable std::atomic<ChunkCodes*> codes_;
};

/// Deleted rows of a chunk, by bit.
class DeadRows {
  public:
    bool contains(std::size_t row) const { return (bits_[row / 64] >> row % 64 & 1) != 0; }
    void insert(std::size_t row) { bits_[row / 64] |= std::uint64_t{1} << row % 64; }

  private:
    std::array<std::uint64_t, VectorChunk::kRowsMax / 64> bits_{};
};

}  // namespace meshd
