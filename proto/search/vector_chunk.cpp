// SPDX-License-Identifier: Apache-2.0
#include "proto/search/vector_chunk.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/search/similarity.h"
#include "proto/wire/limits.h"

namespace meshd {

ChunkCodes::ChunkCodes(std::size_t dimension, std::size_t capacity)
    : dimension_(dimension),
      stride_(code_stride(dimension)),
      codes_(static_cast<std::int8_t*>(::operator new(capacity* stride_, kAlignment))),
      scales_(std::make_unique<float[]>(capacity)),
      errors_(std::make_unique<float[]>(capacity)) {}

void ChunkCodes::encode(std::size_t row, Bytes halves) {
    std::array<float, limits::kDimensionMax> values;
    halves_to_floats(halves, values.data());
    const RowCode code =
        encode_row(std::span(values).first(dimension_), codes_.get() + row * stride_);
    scales_[row] = code.scale;
    errors_[row] = code.error;
}

void ChunkCodes::copy(std::size_t row, const ChunkCodes& from, std::size_t from_row) {
    std::copy_n(from.codes(from_row), stride_, codes_.get() + row * stride_);
    scales_[row] = from.scales_[from_row];
    errors_[row] = from.errors_[from_row];
}

VectorChunk::VectorChunk(std::size_t dimension, std::size_t capacity, bool is_encoded)
    : dimension_(dimension),
      capacity_(capacity),
      rows_(std::make_unique<VectorRow[]>(capacity)),
      codes_(is_encoded ? new ChunkCodes(dimension, capacity) : nullptr) {
    MESHD_ASSERT(dimension <= limits::kDimensionMax && capacity <= kRowsMax);
}

VectorChunk::~VectorChunk() {
    delete codes_.load();
}

void VectorChunk::append(std::size_t at, VectorRow row) {
    if (ChunkCodes* codes = codes_.load()) {
        codes->encode(at, row_halves(row, dimension_));
    }
    rows_[at] = std::move(row);
}

void VectorChunk::append_from(std::size_t at, const VectorChunk& from, std::size_t from_row) {
    if (ChunkCodes* codes = codes_.load()) {
        codes->copy(at, *from.codes(), from_row);
    }
    rows_[at] = from.rows_[from_row];
}

const ChunkCodes& VectorChunk::codes(std::size_t rows) const {
    if (const ChunkCodes* codes = this->codes()) {
        return *codes;
    }
    auto made = std::make_unique<ChunkCodes>(dimension_, rows);
    for (std::size_t row = 0; row < rows; ++row) {
        made->encode(row, row_halves(rows_[row], dimension_));
    }
    ChunkCodes* before = nullptr;
    if (codes_.compare_exchange_strong(before, made.get(), std::memory_order_acq_rel)) {
        return *made.release();
    }
    return *before;
}

}  // namespace meshd
