// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/base/json.h"
#include "proto/wire/limits.h"

namespace meshd {

/// Results of one node, as the JSON array that its answer carries: so many at most, and no more
/// than fit one message.
class ResultList {
  public:
    explicit ResultList(std::size_t limit) : limit_(limit) {}

    /// Appends JSON text. False where there is no room: then the list counts as truncated.
    bool add(std::string_view json) {
        const bool has_room =
            count_ < limit_ && text_.size() + json.size() + 2 <= limits::kPayloadBytesMax;
        if (!has_room) {
            is_truncated_ = true;
            return false;
        }
        text_ += count_ == 0 ? "" : ",";
        text_ += json;
        ++count_;
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
    void set_truncated() { is_truncated_ = true; }

    bool is_full() const { return count_ >= limit_; }
    bool is_truncated() const { return is_truncated_; }
    /// "[…]", of limits::kPayloadBytesMax bytes at most.
    std::string print() const { return text_ + "]"; }

  private:
    std::size_t limit_;
    std::string text_ = "[";
    std::size_t count_ = 0;
    bool is_truncated_ = false;
};

}  // namespace meshd
