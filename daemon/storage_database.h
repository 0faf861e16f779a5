// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "daemon/storage_files.h"
#include "daemon/storage_row_index.h"
#include "daemon/storage_types.h"
#include "proto/store/stored.h"

namespace meshd {

struct DatabaseRefusal;
namespace sqlite {
class Connection;
}

/// A place in the order of arrival is the core's: the run, and below it so many bits that count.
inline constexpr int kArrivalCountBits = 40;

/// The database of one node: what `Persist` says is in one file, in one transaction each, on the
/// disk when commit() returns (write-ahead log, synchronous=FULL). For one thread at a time.
///
/// Tables (version 1, application id "mshd"):
/// records(id, stream, counter, born_ms, arrival, checksum, bytes): in the order of arrival on the
/// disk, so that a commit appends to one page. Where a (stream, counter) is, is remembered in
/// memory: an index on them would cost one more page per commit.
/// streams(stream, author, covered, floor, checksum): `covered` = pairs of 8-byte counters, first
/// and last. The row of stream 0, which is none, holds the clock: its own table would be one more
/// page. meta(key, value): run. Unsigned 64-bit values are kept as the signed ones of the same
/// bits.
///
/// Invariant of what load() gives: the counter of a row that broke is not claimed, so that the
/// peers send it again; where not even the counter can be read, the comparison of live sets finds
/// it. A record may be there before the coverage that claims it: the core commits many records in
/// parts.
class Database {
  public:
    struct Committed {
        PersistResult result = PersistResult::Failed;
        DiskError error{};                   ///< of Failed
        std::uint64_t bytes = 0;             ///< written to the write-ahead log
        std::vector<std::string> notices{};  ///< what happened to the file, for the operator
    };

    Database(std::filesystem::path path, StorageOptions options);
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    /// Opens the database, or makes one; reads everything; counts this start. What cannot be used
    /// (damaged, of an unknown version, somebody else's) is set aside and replaced by an empty one.
    /// Whatever the operator should know is added to `notices`. `has_disk` is false where nothing
    /// can be kept: then only commit() may not be called.
    Restored load(std::vector<std::string>& notices);

    /// Writes the changes, and is as good as new after any trouble once that is over: it tries to
    /// open the database again, and replaces one that broke or vanished (Lost).
    Committed commit(const Persist& changes);

    /// Why the latest load() or commit() could not write; None where it could.
    const DiskError& trouble() const { return trouble_; }
    std::size_t records() const { return index_.size(); }
    const std::filesystem::path& path() const { return path_; }
    /// Null while it is not open.
    sqlite::Connection* connection() { return connection_.get(); }
    /// Changes whenever another connection() takes its place.
    std::uint64_t generation() const { return generation_; }

  private:
    struct Statements;
    /// Where the rows of (stream, counter) will be after a transaction; 0 = the row goes.
    using Changes = std::map<std::pair<StreamId, std::uint64_t>, std::int64_t>;
    template <class T>
    using Tried = tl::expected<T, DatabaseRefusal>;

    Tried<void> open(std::vector<std::string>& notices);
    Tried<void> read_all(Restored& restored);
    Tried<void> read_streams(Restored& restored);
    Tried<void> read_records(Restored& restored);
    Tried<void> read_unwritable(Restored& restored);
    void forget();
    void drop_lost(Restored& restored, std::vector<std::string>& notices);
    Tried<void> write_restored(const Restored& restored);
    /// What was read of a database that takes no changes goes into a new one.
    Tried<void> rescue(const DatabaseRefusal& why, const Restored& restored,
                       std::vector<std::string>& notices);
    Tried<void> replace(const DatabaseRefusal& why, std::vector<std::string>& notices);
    Tried<void> reopen(std::vector<std::string>& notices);
    /// Whether the file just opened is the one that this index is of: as it was before a commit
    /// that failed at its very end, or as it is after that, for it may be on the disk all the same.
    /// Else it came to be by other hands, and all is lost.
    Tried<void> compare_with_index();
    /// `known` rows are where the index has them, `others` are not.
    bool is_after(const Changes& unsure, const Changes& others, std::size_t known) const;
    /// A log that the database takes no more (one sector of the card that cannot be written is
    /// enough) would grow until the disk is full, unnoticed, as the log itself can be written.
    Tried<void> bound_log();
    Tried<void> write(const Persist& changes);
    Tried<void> write_record(const StoredRecord& record, Changes& changes);
    /// Fails where the row, which was read or written, is not found.
    Tried<void> remove_row(std::int64_t id);
    Tried<void> write_stream(const StreamIntervals& covered);
    Tried<void> write_clock(const StoreClock& clock);
    Tried<void> write_run();
    std::int64_t find_row(const Changes& changes, StreamId stream, std::uint64_t counter) const;
    void apply(const Changes& changes);
    bool is_in_place() const;
    static bool is_closing(DiskTrouble trouble);
    void close(bool keeps_log);

    std::filesystem::path path_;
    StorageOptions options_;
    std::unique_ptr<sqlite::Connection> connection_;
    std::unique_ptr<Statements> statements_;
    std::uint64_t generation_ = 0;
    FileIdentity file_;
    /// A start a second for half a year; beyond is damage.
    static constexpr std::int64_t kRunMax = (std::int64_t{1} << (64 - kArrivalCountBits)) - 1;
    std::uint32_t run_ = 0;
    bool is_run_written_ = false;
    bool is_lost_ = false;  ///< what was committed is gone, and the core has not been told yet
    RowIndex index_;
    /// Ids of rows count up from 1, and none that was written here comes near; one beyond is
    /// damage.
    static constexpr std::int64_t kRowIdMax = std::int64_t{1} << 62;
    std::int64_t last_id_ = 0;
    /// Written back at 4 MiB (see storage_schema.cpp), and longer only by one large transaction: of
    /// thousands of records at once, about 6 MB.
    static constexpr std::uintmax_t kLogBytesMax = std::uintmax_t{32} << 20;
    Changes unsure_;                    ///< of a commit that failed at its end
    std::set<std::int64_t> lost_rows_;  ///< ids of rows that broke and are still in the file
    std::vector<std::pair<StreamId, std::uint64_t>> lost_counters_;  ///< of rows that broke
    std::size_t lost_streams_ = 0;
    bool is_out_of_order_ = false;  ///< rows have ids by which others, or none, are found
    DiskError trouble_;
};

}  // namespace meshd
