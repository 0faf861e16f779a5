// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_row_index.h"

#include <iterator>

namespace meshd {
namespace {

/// The run that has the counter, or the end.
template <class Runs>
auto run_of(Runs& runs, std::uint64_t counter) {
    const auto after = runs.upper_bound(counter);
    if (after == runs.begin()) {
        return runs.end();
    }
    const auto run = std::prev(after);
    return run->second.last >= counter ? run : runs.end();
}

/// Wraps around: a damaged file may name any id.
std::int64_t id_in(std::uint64_t first, std::int64_t id, std::uint64_t counter) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(id) + (counter - first));
}

}  // namespace

std::int64_t RowIndex::find(StreamId stream, std::uint64_t counter) const {
    const auto runs = streams_.find(stream);
    if (runs == streams_.end()) {
        return 0;
    }
    const auto run = run_of(runs->second, counter);
    return run == runs->second.end() ? 0 : id_in(run->first, run->second.id, counter);
}

void RowIndex::set(StreamId stream, std::uint64_t counter, std::int64_t id) {
    erase(stream, counter);
    Runs& runs = streams_[stream];
    ++size_;
    auto after = runs.upper_bound(counter);
    auto run = after;
    const bool extends = after != runs.begin() &&
                         (run = std::prev(after))->second.last + 1 == counter &&
                         id_in(run->first, run->second.id, counter) == id;
    if (extends) {
        run->second.last = counter;
    } else {
        run = runs.emplace_hint(after, counter, Run{counter, id});
    }
    if (after != runs.end() && after->first == counter + 1 &&
        after->second.id == id_in(counter, id, counter + 1)) {
        run->second.last = after->second.last;
        runs.erase(after);
    }
}

void RowIndex::erase(StreamId stream, std::uint64_t counter) {
    const auto runs = streams_.find(stream);
    if (runs == streams_.end()) {
        return;
    }
    const auto found = run_of(runs->second, counter);
    if (found == runs->second.end()) {
        return;
    }
    --size_;
    const std::uint64_t first = found->first;
    const Run run = found->second;
    auto hint = runs->second.erase(found);
    if (counter < run.last) {
        hint = runs->second.emplace_hint(hint, counter + 1,
                                         Run{run.last, id_in(first, run.id, counter + 1)});
    }
    if (first < counter) {
        runs->second.emplace_hint(hint, first, Run{counter - 1, run.id});
    }
    if (runs->second.empty()) {
        streams_.erase(runs);
    }
}

void RowIndex::clear() {
    streams_.clear();
    size_ = 0;
}

}  // namespace meshd
