// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "daemon/storage_database.h"
#include "daemon/storage_rows.h"
#include "daemon/storage_schema.h"
#include "daemon/storage_sqlite.h"

namespace meshd {
namespace {

/// All of the log goes into the database, and the log begins anew.
constexpr const char* kWriteBack = "PRAGMA wal_checkpoint(TRUNCATE)";

}  // namespace

Database::Tried<void> Database::replace(const DatabaseRefusal& why,
                                        std::vector<std::string>& notices) {
    close(true);
    const auto aside = set_database_aside(path_, why.label);
    if (!aside) {
        return refused({DiskTrouble::Unreachable,
                        why.error.text + ", and it cannot be set aside: " + aside.error()});
    }
    notices.push_back("database " + path_.string() + " cannot be used: " + why.error.text +
                      "; it is set aside as " + aside->string() +
                      ", a new one takes its place, and the data come back from the peers");
    is_lost_ = true;
    return reopen(notices);
}

Database::Tried<void> Database::rescue(const DatabaseRefusal& why, const Restored& restored,
                                       std::vector<std::string>& notices) {
    auto tried = replace(why, notices);
    if (tried) {
        tried = write({0, restored.records, restored.streams, restored.clock});
    }
    if (tried) {
        is_lost_ = false;
        notices.push_back("database " + path_.string() + ": " + std::to_string(index_.size()) +
                          " records of the one set aside are in the new one");
    }
    return tried;
}

Database::Tried<void> Database::reopen(std::vector<std::string>& notices) {
    auto tried = open(notices);
    if (tried && !is_lost_) {
        tried = compare_with_index();
    }
    if (tried && is_lost_) {
        // Rows of a file that came to be here by other hands would be claimed by nobody.
        forget();
        is_run_written_ = false;
        if (const auto emptied = connection_->execute(
                "BEGIN IMMEDIATE; DELETE FROM records; DELETE FROM streams; COMMIT");
            !emptied) {
            connection_->roll_back();
            tried = refused(emptied.error());
        }
    }
    if (!tried) {
        close(true);
        return tried;
    }
    // What a failed write left of the log may be in the system's memory only, and whatever is
    // appended to such a log is lost with it. No more than an attempt: the log may be all that can
    // be written.
    static_cast<void>(connection_->execute(kWriteBack));
    return tried;
}

Database::Tried<void> Database::compare_with_index() {
    sqlite::Statement rows(*connection_, "SELECT id, stream, counter FROM records");
    Changes others;
    std::size_t known = 0;
    bool is_ours = true;
    auto row = rows.step();
    for (; row && *row; row = rows.step()) {
        const std::int64_t id = rows.integer(0);
        last_id_ = std::max(last_id_, std::min(id, kRowIdMax));
        const std::pair place{StreamId{from_sql(rows.integer(1))}, from_sql(rows.integer(2))};
        if (index_.find(place.first, place.second) == id) {
            ++known;
        } else if (!lost_rows_.contains(id)) {
            is_ours = others.emplace(place, id).second && is_ours;
        }
    }
    if (!row) {
        return refused(row.error());
    }
    const auto run = connection_->integer("SELECT value FROM meta WHERE key='run'");
    if (!run) {
        return refused(run.error());
    }
    const Changes unsure = std::exchange(unsure_, {});
    is_ours = is_ours && (!is_run_written_ || *run == std::int64_t{run_});
    const bool is_as_before = others.empty() && known == index_.size();
    if (is_ours && !is_as_before && is_after(unsure, others, known)) {
        apply(unsure);
    } else if (!is_ours || !is_as_before) {
        is_lost_ = true;
    }
    return {};
}

bool Database::is_after(const Changes& unsure, const Changes& others, std::size_t known) const {
    Changes added;
    std::size_t gone = 0;
    for (const auto& [place, id] : unsure) {
        gone += index_.find(place.first, place.second) != 0 ? 1 : 0;
        if (id != 0) {
            added.emplace(place, id);
        }
    }
    return added == others && known + gone == index_.size();
}

Database::Tried<void> Database::bound_log() {
    std::error_code no_log;
    const auto bytes = std::filesystem::file_size(log_path(path_), no_log);
    if (no_log || bytes <= kLogBytesMax) {
        return {};
    }
    const auto done = connection_->execute(kWriteBack);
    if (done || !is_closing(done.error().trouble)) {
        return {};
    }
    return tl::unexpected(DatabaseRefusal{
        {done.error().trouble, "its log cannot be written back to it: " + done.error().text},
        "corrupt"});
}

}  // namespace meshd
