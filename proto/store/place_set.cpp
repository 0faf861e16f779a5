// SPDX-License-Identifier: Apache-2.0
#include "proto/store/place_set.h"

#include <iterator>

namespace meshd {
namespace {

/// The range that has the counter, or the end.
template <class Ranges>
auto range_of(Ranges& ranges, std::uint64_t counter) {
    const auto after = ranges.upper_bound(counter);
    if (after == ranges.begin()) {
        return ranges.end();
    }
    const auto range = std::prev(after);
    return range->second >= counter ? range : ranges.end();
}

}  // namespace

void PlaceSet::insert(RecordPlace place) {
    Ranges& ranges = streams_[place.stream];
    const std::uint64_t counter = place.counter;
    const auto after = ranges.upper_bound(counter);
    auto range = after;
    if (after != ranges.begin() && (range = std::prev(after))->second >= counter) {
        return;
    }
    if (range != after && range->second + 1 == counter) {
        range->second = counter;
    } else {
        range = ranges.emplace_hint(after, counter, counter);
    }
    ++size_;
    if (after != ranges.end() && after->first == counter + 1) {
        range->second = after->second;
        ranges.erase(after);
    }
}

bool PlaceSet::erase(RecordPlace place) {
    const auto stream = streams_.find(place.stream);
    if (stream == streams_.end()) {
        return false;
    }
    Ranges& ranges = stream->second;
    const auto found = range_of(ranges, place.counter);
    if (found == ranges.end()) {
        return false;
    }
    --size_;
    const auto [first, last] = *found;
    auto hint = ranges.erase(found);
    if (place.counter < last) {
        hint = ranges.emplace_hint(hint, place.counter + 1, last);
    }
    if (first < place.counter) {
        ranges.emplace_hint(hint, first, place.counter - 1);
    }
    if (ranges.empty()) {
        streams_.erase(stream);
    }
    return true;
}

bool PlaceSet::contains(RecordPlace place) const {
    const auto stream = streams_.find(place.stream);
    return stream != streams_.end() &&
           range_of(stream->second, place.counter) != stream->second.end();
}

std::optional<RecordPlace> PlaceSet::first_from(RecordPlace place) const {
    auto stream = streams_.lower_bound(place.stream);
    if (stream != streams_.end() && stream->first == place.stream) {
        if (range_of(stream->second, place.counter) != stream->second.end()) {
            return place;
        }
        const auto range = stream->second.upper_bound(place.counter);
        if (range != stream->second.end()) {
            return RecordPlace{place.stream, range->first};
        }
        ++stream;
    }
    return stream == streams_.end()
               ? std::nullopt
               : std::optional(RecordPlace{stream->first, stream->second.begin()->first});
}

void PlaceSet::clear() {
    streams_.clear();
    size_ = 0;
}

}  // namespace meshd
