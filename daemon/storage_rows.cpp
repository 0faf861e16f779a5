// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_rows.h"

#include <algorithm>

#include "proto/base/hash.h"

namespace meshd {
namespace {

constexpr std::size_t kCounterBytes = 8;

std::uint64_t counter_at(Bytes bytes, std::size_t index) {
    return load_big_endian<kCounterBytes>(bytes.data() + index * kCounterBytes);
}

bool are_integers(const sqlite::Statement& row, int first, int last) {
    for (int column = first; column <= last; ++column) {
        if (!row.is_integer(column)) {
            return false;
        }
    }
    return true;
}

}  // namespace

Buffer encode_intervals(const std::vector<Interval>& intervals) {
    Buffer bytes;
    bytes.reserve(intervals.size() * 2 * kCounterBytes);
    for (const Interval& interval : intervals) {
        append_big_endian<kCounterBytes>(bytes, interval.first);
        append_big_endian<kCounterBytes>(bytes, interval.last);
    }
    return bytes;
}

std::optional<std::vector<Interval>> decode_intervals(Bytes bytes) {
    if (bytes.size() % (2 * kCounterBytes) != 0) {
        return std::nullopt;
    }
    std::vector<Interval> intervals;
    for (std::size_t i = 0; i < bytes.size() / kCounterBytes; i += 2) {
        const Interval interval{counter_at(bytes, i), counter_at(bytes, i + 1)};
        const bool is_apart = intervals.empty() ? interval.first >= 1
                                                : interval.first > intervals.back().last &&
                                                      interval.first - intervals.back().last > 1;
        if (!is_apart || interval.last < interval.first) {
            return std::nullopt;
        }
        intervals.push_back(interval);
    }
    return intervals;
}

bool covers(const std::vector<Interval>& intervals, std::uint64_t counter) {
    return std::any_of(intervals.begin(), intervals.end(), [&](const Interval& interval) {
        return interval.first <= counter && counter <= interval.last;
    });
}

void exclude(std::vector<Interval>& intervals, std::uint64_t counter) {
    const auto at = std::find_if(intervals.begin(), intervals.end(), [&](const Interval& interval) {
        return interval.first <= counter && counter <= interval.last;
    });
    if (at == intervals.end()) {
        return;
    }
    const Interval after{counter + 1, at->last};
    const bool has_after = counter < at->last;
    if (at->first < counter) {
        at->last = counter - 1;
        if (has_after) {
            intervals.insert(at + 1, after);
        }
    } else if (has_after) {
        *at = after;
    } else {
        intervals.erase(at);
    }
}

Buffer encode_clock(const StoreClock& clock) {
    Buffer bytes;
    append_big_endian<kCounterBytes>(bytes, from_sql(clock.life_ms));
    if (clock.mesh_ms) {
        append_big_endian<kCounterBytes>(bytes, from_sql(*clock.mesh_ms));
    }
    return bytes;
}

std::optional<StoreClock> decode_clock(Bytes bytes) {
    if (bytes.size() != kCounterBytes && bytes.size() != 2 * kCounterBytes) {
        return std::nullopt;
    }
    StoreClock clock{to_sql(counter_at(bytes, 0))};
    if (bytes.size() == 2 * kCounterBytes) {
        clock.mesh_ms = to_sql(counter_at(bytes, 1));
    }
    return clock;
}

std::int64_t stream_checksum(std::uint64_t stream, std::string_view author, Bytes covered,
                             std::optional<std::uint64_t> floor) {
    Buffer bytes;
    append_big_endian<kCounterBytes>(bytes, stream);
    append_big_endian<1>(bytes, floor ? 1 : 0);
    append_big_endian<kCounterBytes>(bytes, floor.value_or(0));
    append(bytes, author);
    append(bytes, "\n");
    append(bytes, covered);
    return to_sql(hash64(bytes));
}

std::int64_t record_checksum(const StoredRecord& record) {
    Buffer columns;
    append_big_endian<kCounterBytes>(columns, record.stream.value);
    append_big_endian<kCounterBytes>(columns, record.counter);
    append_big_endian<kCounterBytes>(columns, from_sql(record.born_ms));
    append_big_endian<kCounterBytes>(columns, record.arrival);
    // Two hashes instead of one over both: a record of 70 KiB is not copied.
    return to_sql(hash64(columns) ^ hash64(record.bytes));
}

std::optional<StoredStream> read_stream_row(const sqlite::Statement& row) {
    if (!are_integers(row, 0, 0) || !are_integers(row, 4, 4) ||
        (!row.is_null(3) && !row.is_integer(3))) {
        return std::nullopt;
    }
    StoredStream stream;
    stream.covered.stream = StreamId{from_sql(row.integer(0))};
    if (!row.is_null(3)) {
        stream.covered.floor = from_sql(row.integer(3));
    }
    const std::string_view author = row.text(1);
    auto intervals = decode_intervals(row.blob(2));
    if (!intervals || intervals->empty() ||
        row.integer(4) != stream_checksum(stream.covered.stream.value, author, row.blob(2),
                                          stream.covered.floor)) {
        return std::nullopt;
    }
    stream.covered.author = NodeId::parse(author).value_or(NodeId());
    stream.covered.intervals = std::move(*intervals);
    return stream;
}

std::optional<StoreClock> read_clock_row(const sqlite::Statement& row) {
    const bool is_whole =
        row.is_integer(4) &&
        row.integer(4) == stream_checksum(0, row.text(1), row.blob(2), std::nullopt);
    return is_whole ? decode_clock(row.blob(2)) : std::nullopt;
}

std::optional<StoredRecord> read_record_row(const sqlite::Statement& row) {
    const Bytes bytes = row.blob(6);
    if (!are_integers(row, 0, 5) || bytes.empty()) {
        return std::nullopt;
    }
    StoredRecord record;
    record.stream = StreamId{from_sql(row.integer(1))};
    record.counter = from_sql(row.integer(2));
    record.born_ms = row.integer(3);
    record.arrival = from_sql(row.integer(4));
    record.bytes = SharedBytes(bytes);
    return record_checksum(record) == row.integer(5) ? std::optional(std::move(record))
                                                     : std::nullopt;
}

}  // namespace meshd
