// SPDX-License-Identifier: Apache-2.0
// A database whose rows, pages and log somebody altered: it is loaded, or set aside and replaced;
// it takes the next commit, and a node starts from whatever came out of it.
#include <filesystem>
#include <fstream>

#include "daemon/storage_rows.h"
#include "daemon/storage_sqlite.h"
#include "proto/base/assert.h"
#include "tests/daemon/storage_sample.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/views.h"
#include "tests/proto/links/links_support.h"

using namespace meshd;

namespace {

constexpr int kChangesMax = 24;
/// Where records of real nodes are born, and their database begins.
const Now kStart{test::at(0), WallTime{1'700'000'000'000}};

NodeOptions options() {
    NodeOptions options;
    options.node_id = test::id("a");
    options.instance = InstanceId{1};
    options.version = "0.1.0";
    return options;
}

/// What a node writes in its life: alerts, entries, shared members, state.
std::vector<Persist> life() {
    Restored disk;
    disk.has_disk = true;
    Node node(Config{}, options(), kStart, disk);
    EntryPut entry;
    entry.hash = "a1b2";
    entry.type = "face";
    const Command commands[] = {
        RaiseAlert{R"({"what":"smoke"})", Priority::High},
        PutEntries{{entry}, true},
        UpdateShared{R"({"door":"open","lamp":1})"},
        UpdateState{R"({"location":"gate"})", Activity::Idle},
        DeleteEntries{"a1b2", {}},
        RaiseAlert{R"({"what":"water"})", Priority::Low, {}, "k", 60'000},
    };
    std::vector<Persist> written;
    for (const Command& command : commands) {
        static_cast<void>(node.handle_command(kStart, command));
        node.handle_flush(kStart);
        while (auto persist = node.poll_persist()) {
            written.push_back(*persist);
            node.handle_persisted(kStart, persist->token, PersistResult::Stored);
        }
    }
    return written;
}

/// The file as a daemon leaves it that ended in good order.
const std::string& whole_file() {
    static const std::string bytes = [] {
        const StorageDir dir;
        {
            Database database(dir.path() / "meshd.db", {});
            std::vector<std::string> notices;
            static_cast<void>(database.load(notices));
            for (const Persist& persist : life()) {
                MESHD_ASSERT(database.commit(persist).result == PersistResult::Stored);
            }
        }
        return read_file(dir.path() / "meshd.db");
    }();
    return bytes;
}

std::int64_t number_of(fuzz::Input& input) {
    switch (input.below(4)) {
        case 0:
            return input.byte();
        case 1:
            return -1;
        case 2:
            return std::int64_t{1} << input.below(63);
        default:
            return to_sql(input.number<8>());
    }
}

/// The record of a row, with one thing about it changed, and a checksum that goes with it.
void alter_record(sqlite::Connection& connection, fuzz::Input& input) {
    sqlite::Statement select(connection,
                             "SELECT id, stream, counter, born_ms, arrival, checksum, bytes FROM "
                             "records ORDER BY id LIMIT 1 OFFSET ?");
    select.bind(1, static_cast<std::int64_t>(input.below(12)));
    if (const auto row = select.step(); !row || !*row) {
        return;
    }
    const std::int64_t id = select.integer(0);
    auto record = read_record_row(select);
    if (!record) {
        return;
    }
    Buffer bytes = to_buffer(Bytes(record->bytes));
    const std::size_t what = input.below(8);
    if (what == 0) {
        record->stream.value = static_cast<std::uint64_t>(number_of(input));
    } else if (what == 1) {
        record->counter = static_cast<std::uint64_t>(number_of(input));
    } else if (what == 2) {
        record->born_ms = number_of(input);
    } else if (what == 3) {
        record->arrival = static_cast<std::uint64_t>(number_of(input));
    } else if (what == 4) {
        bytes = to_buffer(input.field());
    } else if (!bytes.empty()) {
        const std::size_t at = static_cast<std::size_t>(input.number<2>()) % bytes.size();
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ input.byte());
    }
    record->bytes = SharedBytes(bytes);
    const bool is_checked = input.below(8) != 0;
    sqlite::Statement replace(connection,
                              "REPLACE INTO records(id, stream, counter, born_ms, arrival, "
                              "checksum, bytes) VALUES(?, ?, ?, ?, ?, ?, ?)");
    static_cast<void>(replace.bind(1, input.flag() ? id : id / 2 + 100)
                          .bind(2, to_sql(record->stream.value))
                          .bind(3, to_sql(record->counter))
                          .bind(4, record->born_ms)
                          .bind(5, to_sql(record->arrival))
                          .bind(6, is_checked ? record_checksum(*record) : number_of(input))
                          .bind(7, Bytes(bytes))
                          .run());
}

void put_stream(sqlite::Connection& connection, fuzz::Input& input) {
    const std::int64_t stream = number_of(input);
    const std::string author = input.flag() ? "a" : std::string(as_text(input.take(5)));
    Buffer covered = input.flag() ? encode_intervals({{1, input.byte()}, {300, 400}})
                                  : to_buffer(input.take(input.byte()));
    std::optional<std::uint64_t> floor;
    if (input.flag()) {
        floor = static_cast<std::uint64_t>(number_of(input));
    }
    sqlite::Statement replace(connection,
                              "REPLACE INTO streams(stream, author, covered, floor, checksum) "
                              "VALUES(?, ?, ?, ?, ?)");
    replace.bind(1, stream).bind(2, std::string_view(author)).bind(3, Bytes(covered));
    if (floor) {
        replace.bind(4, to_sql(*floor));
    } else {
        replace.bind_null(4);
    }
    static_cast<void>(
        replace.bind(5, stream_checksum(from_sql(stream), author, covered, floor)).run());
}

void run_sql(sqlite::Connection& connection, fuzz::Input& input) {
    constexpr const char* kStatements[] = {
        "DELETE FROM streams",
        "DELETE FROM meta",
        "UPDATE meta SET value='x'",
        "UPDATE meta SET value=-1",
        "UPDATE meta SET value=9223372036854775807",
        "UPDATE records SET bytes='text'",
        "UPDATE records SET stream=1.5",
        "UPDATE records SET counter=NULL",
        "UPDATE streams SET covered=NULL",
        "UPDATE streams SET author=x'00ff'",
        ("INSERT INTO records SELECT id+1000, stream, counter, born_ms, arrival, checksum, bytes "
         "FROM records"),
        "UPDATE records SET id=9223372036854775807 WHERE id=(SELECT max(id) FROM records)",
        "DROP TABLE records",
        "DROP TABLE meta",
        "ALTER TABLE streams ADD COLUMN more",
        "PRAGMA user_version=0",
        "PRAGMA user_version=-1",
        "PRAGMA application_id=0",
        "CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM records; END",
        "CREATE VIEW v AS SELECT * FROM records",
    };
    static_cast<void>(connection.execute(kStatements[input.below(std::size(kStatements))]));
}

void alter_rows(const std::filesystem::path& path, fuzz::Input& input) {
    auto connection = sqlite::Connection::open(path, sqlite::Connection::Mode::ReadWrite);
    if (!connection) {
        return;
    }
    for (int changes = 1 + static_cast<int>(input.below(8)); changes > 0; --changes) {
        switch (input.below(4)) {
            case 0:
                put_stream(*connection, input);
                break;
            case 1:
                run_sql(*connection, input);
                break;
            default:
                alter_record(*connection, input);
                break;
        }
    }
}

void alter_bytes(std::string& bytes, fuzz::Input& input) {
    for (int changes = 0; changes < kChangesMax && !input.empty(); ++changes) {
        const std::size_t at = static_cast<std::size_t>(input.number<2>()) % (bytes.size() + 1);
        if (input.below(16) == 0) {
            bytes.resize(at);
        }
        const Bytes with = input.take(1 + input.below(8));
        bytes.replace(std::min(at, bytes.size()), with.size(), as_text(with));
    }
}

void check_loaded(const std::filesystem::path& path) {
    Database database(path, {});
    std::vector<std::string> notices;
    Restored restored = database.load(notices);
    MESHD_ASSERT(restored.has_disk);
    for (const StoredStream& stream : restored.streams) {
        MESHD_ASSERT(!stream.covered.intervals.empty());
    }
    {
        Node node(Config{}, options(), kStart, std::move(restored));
        fuzz::look_at(node, kStart);
        node.handle_flush(kStart);
        for (int commits = 0; commits < 8; ++commits) {
            const auto persist = node.poll_persist();
            if (!persist) {
                break;
            }
            const auto committed = database.commit(*persist);
            node.handle_persisted(kStart, persist->token, committed.result);
        }
    }
    const auto committed = database.commit(sample_persist(9, 1, 1));
    if (committed.result == PersistResult::Lost) {
        MESHD_ASSERT(database.commit(sample_persist(9, 1, 1)).result == PersistResult::Stored);
    } else {
        MESHD_ASSERT(committed.result == PersistResult::Stored);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const StorageDir dir;
    const std::filesystem::path path = dir.path() / "meshd.db";
    const std::size_t how = input.below(4);
    std::string bytes = whole_file();
    if (how == 1) {
        alter_bytes(bytes, input);
    }
    dir.write("meshd.db", bytes);
    if (how == 0 || how == 3) {
        alter_rows(path, input);
    }
    if (how == 3) {
        bytes = read_file(path);
        alter_bytes(bytes, input);
        dir.write("meshd.db", bytes);
    }
    if (how == 2) {
        dir.write("meshd.db-wal", std::string(as_text(input.rest())));
    }
    check_loaded(path);
    std::vector<std::string> notices;
    Database again(path, {});
    MESHD_ASSERT(again.load(notices).has_disk);
    return 0;
}
