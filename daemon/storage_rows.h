// SPDX-License-Identifier: Apache-2.0
/// \file
/// How streams, records and the clock stand in the rows of the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/storage_sqlite.h"
#include "proto/store/stored.h"

namespace meshd {

/// Unsigned 64-bit values as SQLite's integers of the same bits.
constexpr std::int64_t to_sql(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}
constexpr std::uint64_t from_sql(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

/// Intervals as pairs of 8-byte big-endian counters, first and last.
Buffer encode_intervals(const std::vector<Interval>& intervals);
/// Fails on anything but rising intervals from 1 on that neither overlap nor touch.
std::optional<std::vector<Interval>> decode_intervals(Bytes bytes);
bool covers(const std::vector<Interval>& intervals, std::uint64_t counter);
/// Takes one counter out; nothing happens where it is not in.
void exclude(std::vector<Interval>& intervals, std::uint64_t counter);

/// The stream that is none: its row holds the clock.
inline constexpr std::int64_t kClockRow = 0;
/// life_ms, then mesh_ms where it is known, in 8 bytes each.
Buffer encode_clock(const StoreClock& clock);
std::optional<StoreClock> decode_clock(Bytes bytes);

// SQLite has no checksums, and SD cards lose bits: each row has one over all its columns.
std::int64_t stream_checksum(std::uint64_t stream, std::string_view author, Bytes covered,
                             std::optional<std::uint64_t> floor);
std::int64_t record_checksum(const StoredRecord& record);

/// Row (stream, author, covered, floor, checksum). Fails on what is no such row.
std::optional<StoredStream> read_stream_row(const sqlite::Statement& row);
/// The row of stream kClockRow, which holds the clock.
std::optional<StoreClock> read_clock_row(const sqlite::Statement& row);
/// Row (id, stream, counter, born_ms, arrival, checksum, bytes). Fails on what is no such row.
std::optional<StoredRecord> read_record_row(const sqlite::Statement& row);

}  // namespace meshd
