// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/storage_rows.h"
#include "daemon/storage_schema.h"
#include "daemon/storage_sqlite.h"

namespace meshd {

struct Database::Statements {
    explicit Statements(sqlite::Connection& connection)
        : insert(connection,
                 "INSERT INTO records(id, stream, counter, born_ms, arrival, checksum, bytes) "
                 "VALUES(?, ?, ?, ?, ?, ?, ?)"),
          remove(connection, "DELETE FROM records WHERE id=?"),
          put_stream(connection,
                     "REPLACE INTO streams(stream, author, covered, floor, checksum) "
                     "VALUES(?, ?, ?, ?, ?)"),
          remove_stream(connection, "DELETE FROM streams WHERE stream=?"),
          put_run(connection, "REPLACE INTO meta(key, value) VALUES('run', ?)") {}

    sqlite::Statement insert;
    sqlite::Statement remove;
    sqlite::Statement put_stream;
    sqlite::Statement remove_stream;
    sqlite::Statement put_run;
};

Database::Database(std::filesystem::path path, StorageOptions options)
    : path_(std::move(path)), options_(std::move(options)) {}

Database::~Database() {
    // A file that is not ours any more is not to be touched by a last checkpoint.
    close(connection_ && !is_in_place());
}

void Database::close(bool keeps_log) {
    statements_.reset();
    if (connection_ && keeps_log) {
        connection_->keep_log_on_close();
    }
    connection_.reset();
}

bool Database::is_closing(DiskTrouble trouble) {
    // A full disk and a lock pass by themselves. After anything else the state of the connection is
    // not worth trusting: a new one reads the log again.
    return trouble != DiskTrouble::Full && trouble != DiskTrouble::InUse;
}

bool Database::is_in_place() const {
    return file_ && identify_file(path_) == file_ && identify_file(log_path(path_));
}

Database::Tried<void> Database::open(std::vector<std::string>& notices) {
    // Made here, because SQLite would make it and its log readable for all.
    if (const int fd = ::open(path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600); fd >= 0) {
        ::close(fd);
    }
    auto connection = sqlite::Connection::open(path_, sqlite::Connection::Mode::ReadWrite);
    if (!connection) {
        return refused(connection.error());
    }
    if (connection->is_read_only()) {
        return refused({DiskTrouble::ReadOnly, path_.string() + " can only be read"});
    }
    connection_ = std::make_unique<sqlite::Connection>(std::move(*connection));
    ++generation_;
    if (const auto prepared = prepare_database(*connection_, path_, options_, notices); !prepared) {
        return prepared;
    }
    statements_ = std::make_unique<Statements>(*connection_);
    file_ = identify_file(path_);
    return {};
}

Database::Tried<void> Database::write_restored(const Restored& restored) {
    if (is_out_of_order_) {
        return refused({DiskTrouble::Damaged, "its rows are out of order"});
    }
    Tried<void> done;
    const auto take = [&done](const sqlite::Result& result) {
        if (done && !result) {
            done = refused(result.error());
        }
    };
    take(connection_->execute("BEGIN IMMEDIATE"));
    if (done && (!lost_rows_.empty() || lost_streams_ != 0)) {
        for (const std::int64_t id : lost_rows_) {
            if (done) {
                done = remove_row(id);
            }
        }
        take(connection_->execute("DELETE FROM streams WHERE stream<>0"));
        for (const StoredStream& stream : restored.streams) {
            if (done) {
                done = write_stream(stream.covered);
            }
        }
    }
    if (done) {
        done = write_run();
    }
    if (done) {
        take(connection_->execute("COMMIT"));
    }
    is_run_written_ = done.has_value();
    if (done) {
        lost_rows_.clear();
    } else {
        connection_->roll_back();
    }
    lost_counters_.clear();
    return done;
}

Database::Committed Database::commit(const Persist& changes) {
    Committed committed;
    Tried<void> tried;
    if (connection_ && !is_in_place()) {
        close(true);
        is_lost_ = true;
    }
    if (!connection_) {
        tried = reopen(committed.notices);
        if (tried && is_lost_) {
            committed.notices.push_back("database " + path_.string() +
                                        " vanished or was replaced: all is written anew");
        }
    }
    if (tried && !is_lost_) {
        tried = write(changes);
    }
    if (tried && !is_lost_) {
        tried = bound_log();
    }
    if (!tried && !tried.error().label.empty()) {
        tried = replace(tried.error(), committed.notices);
    }
    if (!tried) {
        trouble_ = tried.error().error;
        committed.error = trouble_;
        if (connection_ && is_closing(trouble_.trouble)) {
            close(true);
        }
        return committed;
    }
    trouble_ = {};
    committed.result = is_lost_ ? PersistResult::Lost : PersistResult::Stored;
    committed.bytes = connection_->take_bytes_written();
    is_lost_ = false;
    return committed;
}

Database::Tried<void> Database::write(const Persist& persist) {
    Changes changes;
    unsure_.clear();
    Tried<void> done;
    if (const auto begun = connection_->execute("BEGIN IMMEDIATE"); !begun) {
        return refused(begun.error());
    }
    for (auto at = persist.records.begin(); done && at != persist.records.end(); ++at) {
        done = write_record(*at, changes);
    }
    for (auto at = persist.streams.begin(); done && at != persist.streams.end(); ++at) {
        done = write_stream(at->covered);
    }
    if (done) {
        done = write_clock(persist.clock);
    }
    if (done && !is_run_written_) {
        done = write_run();
    }
    if (done) {
        if (const auto ended = connection_->execute("COMMIT"); !ended) {
            done = refused(ended.error());
            unsure_ = changes;
        }
    }
    if (!done) {
        connection_->roll_back();
        return done;
    }
    is_run_written_ = true;
    apply(changes);
    return done;
}

std::int64_t Database::find_row(const Changes& changes, StreamId stream,
                                std::uint64_t counter) const {
    if (const auto changed = changes.find({stream, counter}); changed != changes.end()) {
        return changed->second;
    }
    return index_.find(stream, counter);
}

Database::Tried<void> Database::write_record(const StoredRecord& record, Changes& changes) {
    if (const std::int64_t id = find_row(changes, record.stream, record.counter); id != 0) {
        if (const auto removed = remove_row(id); !removed) {
            return removed;
        }
        changes[{record.stream, record.counter}] = 0;
    }
    if (record.bytes.empty()) {
        return {};
    }
    const std::int64_t id = ++last_id_;
    const auto inserted = statements_->insert.bind(1, id)
                              .bind(2, to_sql(record.stream.value))
                              .bind(3, to_sql(record.counter))
                              .bind(4, record.born_ms)
                              .bind(5, to_sql(record.arrival))
                              .bind(6, record_checksum(record))
                              .bind(7, Bytes(record.bytes))
                              .run();
    if (!inserted) {
        return refused(inserted.error());
    }
    changes[{record.stream, record.counter}] = id;
    return {};
}

Database::Tried<void> Database::remove_row(std::int64_t id) {
    if (const auto removed = statements_->remove.bind(1, id).run(); !removed) {
        return refused(removed.error());
    }
    // Left there because its id is not where the others lead to, it would live again at the next
    // start.
    if (connection_->changes() == 0) {
        return refused({DiskTrouble::Damaged, "a row is not found where it was read"});
    }
    return {};
}

Database::Tried<void> Database::write_stream(const StreamIntervals& covered) {
    const std::int64_t stream = to_sql(covered.stream.value);
    if (covered.intervals.empty()) {
        if (const auto removed = statements_->remove_stream.bind(1, stream).run(); !removed) {
            return refused(removed.error());
        }
        return {};
    }
    const Buffer intervals = encode_intervals(covered.intervals);
    sqlite::Statement& put = statements_->put_stream;
    const std::string_view author = covered.author.text();
    put.bind(1, stream).bind(2, author).bind(3, Bytes(intervals));
    put.bind(5, stream_checksum(covered.stream.value, author, intervals, covered.floor));
    covered.floor ? put.bind(4, to_sql(*covered.floor)) : put.bind_null(4);
    if (const auto written = put.run(); !written) {
        return refused(written.error());
    }
    return {};
}

Database::Tried<void> Database::write_clock(const StoreClock& clock) {
    const Buffer bytes = encode_clock(clock);
    const auto written = statements_->put_stream.bind(1, kClockRow)
                             .bind(2, std::string_view())
                             .bind(3, Bytes(bytes))
                             .bind_null(4)
                             .bind(5, stream_checksum(0, {}, bytes, std::nullopt))
                             .run();
    if (!written) {
        return refused(written.error());
    }
    return {};
}

Database::Tried<void> Database::write_run() {
    if (const auto written = statements_->put_run.bind(1, std::int64_t{run_}).run(); !written) {
        return refused(written.error());
    }
    return {};
}

void Database::apply(const Changes& changes) {
    for (const auto& [place, id] : changes) {
        if (id != 0) {
            index_.set(place.first, place.second, id);
        } else {
            index_.erase(place.first, place.second);
        }
    }
}

}  // namespace meshd
