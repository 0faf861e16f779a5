// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "proto/base/json.h"
#include "proto/wire/limits.h"

namespace meshd {

/// Results of one node, as the JSON array that its answer carries: so many at most, and no more
/// than fit one message.
class ResultList {
  public:
    explicit ResultList(std::size_t limit) : limit_(limit) {}

    /// Appends JSON text. False where there is no room: then the list counts as truncated.
    bool add(std::string json) {
        const std::size_t bytes = json.size() + 1;  // and a comma or the closing bracket
        if (is_full() || bytes_ + bytes > limits::kPayloadBytesMax) {
            is_truncated_ = true;
            return false;
        }
        bytes_ += bytes;
        items_.push_back(std::move(json));
        return true;
    }
    /// Appends the elements of an array, as far as there is room.
    void add_all(const json::Value& array) {
        for (const json::Value element : array) {
            if (!add(element.print())) {
                return;
            }
        }
    }
    /// The same of another list, which is truncated where either is.
    void add_all(ResultList other) {
        is_truncated_ = is_truncated_ || other.is_truncated_;
        for (std::string& item : other.items_) {
            if (!add(std::move(item))) {
                return;
            }
        }
    }
    void set_truncated() { is_truncated_ = true; }

    bool is_full() const { return items_.size() >= limit_; }
    bool is_truncated() const { return is_truncated_; }
    /// "[…]", of limits::kPayloadBytesMax bytes at most.
    std::string print() const {
        std::string text = "[";
        for (const std::string& item : items_) {
            text += text.size() == 1 ? "" : ",";
            text += item;
        }
        return text + "]";
    }

  private:
    std::size_t limit_;
    std::vector<std::string> items_;
    std::size_t bytes_ = 2;  ///< of print(), at most
    bool is_truncated_ = false;
};

}  // namespace meshd
