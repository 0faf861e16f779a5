// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "proto/base/bytes.h"

namespace meshd {

/// Bytes that never change and are shared by all copies, in one allocation: a store holds 100 000
/// of them, and a worker thread may hold some longer than the store does.
class SharedBytes {
  public:
    SharedBytes() = default;
    explicit SharedBytes(Bytes bytes) : size_(bytes.size()) {
        auto block = std::make_shared_for_overwrite<std::uint8_t[]>(size_);
        std::copy(bytes.begin(), bytes.end(), block.get());
        data_ = std::move(block);
    }

    operator Bytes() const { return {data_.get(), size_}; }
    const std::uint8_t* data() const { return data_.get(); }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    friend bool operator==(const SharedBytes& a, Bytes b) {
        return std::equal(a.data(), a.data() + a.size(), b.begin(), b.end());
    }

  private:
    std::shared_ptr<const std::uint8_t[]> data_;
    std::size_t size_ = 0;
};

}  // namespace meshd
