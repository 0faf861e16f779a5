// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "proto/store/store.h"

namespace meshd {

/// A set of places, kept as ranges of counters: records come mostly in order, and 100 000 that wait
/// for the disk are one range. Unlike an IntervalSet it forgets none, however scattered.
class PlaceSet {
  public:
    void insert(RecordPlace place);
    /// False where it was not in.
    bool erase(RecordPlace place);
    bool contains(RecordPlace place) const;
    /// The first at or after `place`, in order; nothing at the end.
    std::optional<RecordPlace> first_from(RecordPlace place) const;
    std::size_t size() const { return size_; }
    void clear();

  private:
    using Ranges = std::map<std::uint64_t, std::uint64_t>;  ///< first to last, apart

    std::map<StreamId, Ranges> streams_;
    std::size_t size_ = 0;
};

}  // namespace meshd
