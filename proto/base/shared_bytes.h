// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <utility>

#include "proto/base/assert.h"
#include "proto/base/bytes.h"

namespace meshd {

/// Bytes that never change and are shared by all copies, in one allocation: a store holds 100 000
/// of them, and a worker thread may hold some longer than the store does. A pointer long, with
/// count and length before the bytes: of a std::shared_ptr and a length there are three words here
/// and two more there, and the index of embeddings has them again.
class SharedBytes {
  public:
    SharedBytes() = default;
    explicit SharedBytes(Bytes bytes) {
        if (bytes.empty()) {
            return;
        }
        MESHD_ASSERT(bytes.size() <= UINT32_MAX);
        block_ = new (::operator new(sizeof(Block) + bytes.size()))
            Block{{1}, static_cast<std::uint32_t>(bytes.size())};
        std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(block_ + 1));
    }
    SharedBytes(const SharedBytes& other) : block_(other.block_) {
        if (block_ != nullptr) {
            block_->owners.fetch_add(1, std::memory_order_relaxed);
        }
    }
    SharedBytes(SharedBytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~SharedBytes() {
        // Who gives up last must see all that the others did before.
        if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            block_->~Block();
            ::operator delete(block_);
        }
    }

    operator Bytes() const { return {data(), size()}; }
    /// The same address for all copies; null where there are none.
    const std::uint8_t* data() const {
        return block_ == nullptr ? nullptr : reinterpret_cast<const std::uint8_t*>(block_ + 1);
    }
    std::size_t size() const { return block_ == nullptr ? 0 : block_->size; }
    bool empty() const { return block_ == nullptr; }
    friend bool operator==(const SharedBytes& a, const SharedBytes& b) { return a == Bytes(b); }
    friend bool operator==(const SharedBytes& a, Bytes b) {
        return std::equal(a.data(), a.data() + a.size(), b.begin(), b.end());
    }

  private:
    struct Block {
        std::atomic<std::uint32_t> owners;
        std::uint32_t size;
    };
    Block* block_ = nullptr;
};

}  // namespace meshd
