// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "daemon/storage_database.h"
#include "daemon/storage_rows.h"
#include "daemon/storage_schema.h"
#include "daemon/storage_sqlite.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// A shell or a copying script that holds the database is waited for so long at a start: what is
/// not read now is not kept until the next start. Beyond, alerts matter more.
constexpr seconds kInUseMax{20};
/// SQLite waits a second in each try.
constexpr milliseconds kInUsePause{100};

}  // namespace

Restored Database::load(std::vector<std::string>& notices) {
    Restored restored;
    const auto open_and_read = [&] {
        auto done = open(notices);
        return done ? read_all(restored) : done;
    };
    auto tried = open_and_read();
    const auto is_in_use = [&tried] {
        return !tried && tried.error().error.trouble == DiskTrouble::InUse;
    };
    if (is_in_use()) {
        notices.push_back("database " + path_.string() +
                          " was in use by another program at the start, which waited for it");
    }
    for (const auto end = steady_clock::now() + kInUseMax;
         is_in_use() && steady_clock::now() < end;) {
        close(true);
        restored = {};
        forget();
        std::this_thread::sleep_for(kInUsePause);
        tried = open_and_read();
    }
    if (!tried && !tried.error().label.empty()) {
        restored = {};
        tried = replace(tried.error(), notices);
    }
    if (!tried) {
        trouble_ = tried.error().error;
        close(true);
        restored = {};
        // Neither file nor log may be made on a medium that is full or can only be read.
        const bool is_read =
            trouble_.trouble != DiskTrouble::InUse && read_unwritable(restored).has_value();
        std::error_code no_file;
        const auto size = std::filesystem::file_size(path_, no_file);
        // No room, or a failing disk, before there was anything: a database can be made later.
        const bool is_empty = no_file ? !identify_file(path_) : size == 0;
        const bool may_come = trouble_.trouble == DiskTrouble::Full ||
                              trouble_.trouble == DiskTrouble::Failing ||
                              trouble_.trouble == DiskTrouble::Damaged;
        restored.has_disk = is_read || (is_empty && may_come);
        if (!restored.has_disk) {
            notices.push_back("database " + path_.string() + " cannot be used: " + trouble_.text +
                              "; nothing is kept over restarts until meshd is started again");
        }
        if (!is_read) {
            return restored;
        }
    }
    is_lost_ = false;
    drop_lost(restored, notices);
    ++run_;
    if (connection_) {
        auto written = write_restored(restored);
        if (!written && !written.error().label.empty()) {
            written = rescue(written.error(), restored, notices);
        }
        if (!written) {
            trouble_ = written.error().error;
            if (is_closing(trouble_.trouble)) {
                close(true);
            }
        }
    }
    restored.run = run_;
    restored.has_disk = true;
    std::stable_sort(
        restored.records.begin(), restored.records.end(),
        [](const StoredRecord& a, const StoredRecord& b) { return a.arrival < b.arrival; });
    return restored;
}

Database::Tried<void> Database::read_all(Restored& restored) {
    const auto run = connection_->integer("SELECT value FROM meta WHERE key='run'");
    if (!run) {
        return refused(run.error());
    }
    if (Tried<void> done = read_streams(restored); !done) {
        return done;
    }
    if (Tried<void> done = read_records(restored); !done) {
        return done;
    }
    // The number has no checksum. Gone back, it would put new alerts before those that subscribers
    // have seen.
    const auto last = std::max_element(
        restored.records.begin(), restored.records.end(),
        [](const StoredRecord& a, const StoredRecord& b) { return a.arrival < b.arrival; });
    const std::uint64_t seen =
        last == restored.records.end() ? 0 : last->arrival >> kArrivalCountBits;
    const auto counted = static_cast<std::uint64_t>(*run >= 0 && *run < kRunMax ? *run : 0);
    run_ =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max(counted, seen), kRunMax - 1));
    return {};
}

Database::Tried<void> Database::read_streams(Restored& restored) {
    sqlite::Statement rows(*connection_,
                           "SELECT stream, author, covered, floor, checksum FROM streams");
    auto row = rows.step();
    for (; row && *row; row = rows.step()) {
        if (rows.integer(0) == kClockRow) {
            restored.clock = read_clock_row(rows).value_or(StoreClock{});
        } else if (auto stream = read_stream_row(rows)) {
            restored.streams.push_back(std::move(*stream));
        } else {
            ++lost_streams_;
        }
    }
    if (!row) {
        return refused(row.error());
    }
    return {};
}

Database::Tried<void> Database::read_records(Restored& restored) {
    sqlite::Statement rows(
        *connection_,
        "SELECT id, stream, counter, born_ms, arrival, checksum, bytes FROM records ORDER BY id");
    std::optional<std::int64_t> former;
    auto row = rows.step();
    for (; row && *row; row = rows.step()) {
        const std::int64_t id = rows.integer(0);
        is_out_of_order_ = is_out_of_order_ || (former && id <= *former);
        former = id;
        const bool is_damaged = id > kRowIdMax;
        last_id_ = is_damaged ? last_id_ : std::max(last_id_, id);
        auto record = read_record_row(rows);
        if (!record || is_damaged) {
            lost_rows_.insert(id);
            lost_counters_.emplace_back(StreamId{from_sql(rows.integer(1))},
                                        from_sql(rows.integer(2)));
        } else if (index_.find(record->stream, record->counter) != 0) {
            lost_rows_.insert(id);
        } else {
            index_.set(record->stream, record->counter, id);
            restored.records.push_back(std::move(*record));
        }
    }
    if (!row) {
        return refused(row.error());
    }
    return {};
}

Database::Tried<void> Database::read_unwritable(Restored& restored) {
    using Mode = sqlite::Connection::Mode;
    Tried<void> tried;
    for (const Mode mode : {Mode::ReadOnly, Mode::Immutable}) {
        restored = {};
        forget();
        auto connection = sqlite::Connection::open(path_, mode);
        if (!connection) {
            tried = refused(connection.error());
            continue;
        }
        connection_ = std::make_unique<sqlite::Connection>(std::move(*connection));
        tried = check_database(*connection_, options_);
        if (tried) {
            tried = read_all(restored);
        }
        close(true);
        if (tried) {
            file_ = identify_file(path_);
            return tried;
        }
    }
    return tried;
}

void Database::forget() {
    index_.clear();
    lost_rows_.clear();
    lost_counters_.clear();
    unsure_.clear();
    lost_streams_ = 0;
    is_out_of_order_ = false;
    last_id_ = 0;
}

void Database::drop_lost(Restored& restored, std::vector<std::string>& notices) {
    std::map<StreamId, std::vector<Interval>*> covered;
    for (StoredStream& stream : restored.streams) {
        covered[stream.covered.stream] = &stream.covered.intervals;
    }
    for (const auto& [stream, counter] : lost_counters_) {
        if (const auto found = covered.find(stream); found != covered.end()) {
            exclude(*found->second, counter);
        }
    }
    if (!lost_rows_.empty() || lost_streams_ != 0) {
        notices.push_back("database " + path_.string() + ": " + std::to_string(lost_rows_.size()) +
                          " records and " + std::to_string(lost_streams_) +
                          " streams were damaged and left out; " +
                          std::to_string(restored.records.size()) +
                          " records are good, the others come back from the peers");
    }
}

}  // namespace meshd
