// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "proto/base/ids.h"

namespace meshd {

/// Where the row of each (stream, counter) is. Records mostly come as they were written, so that
/// neighbours have neighbouring rows: kept as runs, a few bytes for all of them instead of 64 for
/// each.
class RowIndex {
  public:
    /// Its id; 0 where it has none.
    std::int64_t find(StreamId stream, std::uint64_t counter) const;
    /// `id`: above 0; takes the place of another.
    void set(StreamId stream, std::uint64_t counter, std::int64_t id);
    void erase(StreamId stream, std::uint64_t counter);
    void clear();
    std::size_t size() const { return size_; }

  private:
    struct Run {
        std::uint64_t last = 0;
        std::int64_t id = 0;  ///< of the first; the others' follow
    };
    using Runs = std::map<std::uint64_t, Run>;  ///< by first counter, disjoint

    std::map<StreamId, Runs> streams_;
    std::size_t size_ = 0;
};

}  // namespace meshd
