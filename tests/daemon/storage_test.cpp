// SPDX-License-Identifier: Apache-2.0
#include "daemon/storage.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <optional>

#include "daemon/state_dir.h"
#include "tests/daemon/storage_sample.h"

using namespace meshd;

namespace {

using BackupResult = tl::expected<StorageBackup, std::string>;

/// A storage in a loop of its own.
class Bench {
  public:
    explicit Bench(std::filesystem::path dir, StorageOptions options = {}) : dir_(std::move(dir)) {
        REQUIRE(uv_loop_init(&loop_) == 0);
        auto opened = Storage::open(&loop_, dir_, std::move(options));
        storage_ = std::move(opened.storage);
        restored = std::move(opened.restored);
        storage_->set_on_persisted([this](PersistToken token, PersistResult result) {
            ended.emplace_back(token, result);
        });
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    ~Bench() {
        storage_.reset();
        uv_run(&loop_, UV_RUN_DEFAULT);
        CHECK(uv_loop_close(&loop_) == 0);
    }

    Storage& storage() { return *storage_; }
    PersistResult persist(Persist persist) {
        persist.token = ++token_;
        storage_->persist(std::move(persist));
        const std::size_t before = ended.size();
        while (ended.size() == before) {
            uv_run(&loop_, UV_RUN_ONCE);
        }
        REQUIRE(ended.back().first == token_);
        return ended.back().second;
    }
    BackupResult backup(const std::string& path) {
        std::optional<BackupResult> answer;
        storage_->backup(path, [&](BackupResult result) { answer = std::move(result); });
        while (!answer) {
            uv_run(&loop_, UV_RUN_ONCE);
        }
        return *answer;
    }
    void run_once() { uv_run(&loop_, UV_RUN_ONCE); }
    std::uint64_t counter(std::string_view name) const {
        for (const auto& [known, value] : storage_->counters()) {
            if (known == name) {
                return value;
            }
        }
        return 0;
    }

    Restored restored;
    std::vector<std::pair<PersistToken, PersistResult>> ended;

  private:
    std::filesystem::path dir_;
    uv_loop_t loop_{};
    std::unique_ptr<Storage> storage_;
    PersistToken token_ = 0;
};

}  // namespace

TEST_CASE("storage: what was persisted is restored at the next start") {
    const StorageDir dir;
    {
        Bench bench(dir.path());
        CHECK(bench.restored.run == 1);
        CHECK(bench.persist(sample_persist(7, 1, 20)) == PersistResult::Stored);
        CHECK(bench.persist(sample_persist(7, 21, 30)) == PersistResult::Stored);
        CHECK(bench.counter("storage_commits") == 2);
        CHECK(bench.counter("storage_bytes") > 20 * 300);
        CHECK(bench.storage().warnings().empty());
    }
    // An orderly end leaves one file.
    CHECK(names_with(dir.path(), "meshd.db").size() == 1);
    Bench bench(dir.path());
    CHECK(bench.restored.run == 2);
    CHECK(bench.restored.records.size() == 30);
}

TEST_CASE("storage: data copied to other hardware stay, under a new instance id") {
    const StorageDir first;
    const StorageDir second;
    {
        const auto state = StateDir::open(first.path());
        REQUIRE(state);
        CHECK(load_installation(*state, {{"hw-1"}, ""}, InstanceId{11})->instance ==
              InstanceId{11});
        Bench bench(first.path());
        CHECK(bench.persist(sample_persist(7, 1, 20)) == PersistResult::Stored);
    }
    std::filesystem::copy(first.path(), second.path(), std::filesystem::copy_options::recursive);
    const auto state = StateDir::open(second.path());
    REQUIRE(state);
    CHECK(load_installation(*state, {{"hw-2"}, ""}, InstanceId{12})->instance == InstanceId{12});
    CHECK(Bench(second.path()).restored.records.size() == 20);
}

TEST_CASE("storage: what was handed over is written even when the end comes at once") {
    const StorageDir dir;
    {
        Bench bench(dir.path());
        bench.storage().persist(sample_persist(7, 1, 20));
    }
    CHECK(Bench(dir.path()).restored.records.size() == 20);
}

TEST_CASE("storage: trouble is a warning until it is over") {
    const StorageDir dir;
    StorageOptions options;
    options.pages_max = 100;
    Bench bench(dir.path(), options);
    CHECK(bench.persist(sample_persist(7, 1, 50, 1500)) == PersistResult::Stored);
    CHECK(bench.persist(sample_persist(8, 1, 100, 1500)) == PersistResult::Failed);
    CHECK(bench.persist(sample_persist(8, 1, 100, 1500)) == PersistResult::Failed);
    REQUIRE(bench.storage().warnings().size() == 1);
    const std::string warning = bench.storage().warnings()[0];
    CHECK(warning.find("disk full") != std::string::npos);
    CHECK(warning.find("alerts still go out") != std::string::npos);
    CHECK(bench.counter("storage_failures") == 2);
    CHECK(bench.persist(sample_persist(8, 1, 3)) == PersistResult::Stored);
    CHECK(bench.storage().warnings().empty());
}

TEST_CASE("storage: a write that does not end is a warning until it does") {
    const StorageDir dir;
    Bench bench(dir.path());
    // Its end is told by the loop, which does not turn yet.
    bench.storage().persist(sample_persist(7, 1, 3));
    CHECK(bench.storage().warnings().empty());
    bench.storage().set_stall(std::chrono::milliseconds(0));
    REQUIRE(bench.storage().warnings().size() == 1);
    const std::string warning = bench.storage().warnings()[0];
    CHECK(warning.find("a write has been under way for 0 s") != std::string::npos);
    CHECK(warning.find("alerts still go out") != std::string::npos);
    while (bench.ended.empty()) {
        bench.run_once();
    }
    CHECK(bench.storage().warnings().empty());
}

TEST_CASE("storage: a database set aside stays a warning") {
    const StorageDir dir;
    dir.write("meshd.db", "no database");
    Bench bench(dir.path());
    CHECK(bench.restored.has_disk);
    REQUIRE(bench.storage().warnings().size() == 1);
    CHECK(bench.storage().warnings()[0].find(".corrupt-") != std::string::npos);
    CHECK(bench.persist(sample_persist(7, 1, 3)) == PersistResult::Stored);
    CHECK(bench.storage().warnings().size() == 1);
}

TEST_CASE("storage: a lost database is reported and counted") {
    const StorageDir dir;
    Bench bench(dir.path());
    CHECK(bench.persist(sample_persist(7, 1, 3)) == PersistResult::Stored);
    std::filesystem::remove(dir.path() / "meshd.db");
    CHECK(bench.persist(sample_persist(7, 4, 4)) == PersistResult::Lost);
    CHECK(bench.counter("storage_replaced") == 1);
    CHECK(bench.storage().warnings().size() == 1);
    CHECK(bench.persist(sample_persist(7, 1, 4)) == PersistResult::Stored);
}

TEST_CASE("backup: is a database that another box can start with") {
    const StorageDir dir;
    const StorageDir other;
    const std::string path = other.path() / "meshd.db";
    {
        Bench bench(dir.path());
        REQUIRE(bench.persist(sample_persist(7, 1, 2000, 1500)) == PersistResult::Stored);
        const auto result = bench.backup(path);
        REQUIRE(result);
        CHECK(result->path == path);
        CHECK(result->records == 2000);
        CHECK(result->bytes == std::filesystem::file_size(path));
        struct stat info {};
        REQUIRE(stat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
        CHECK(names_with(other.path(), "").size() == 1);
        CHECK(bench.persist(sample_persist(7, 2001, 2001)) == PersistResult::Stored);
    }
    Bench bench(other.path());
    CHECK(bench.storage().warnings().empty());
    CHECK(bench.restored.records.size() == 2000);
}

TEST_CASE("backup: goes into the state directory where no path is given") {
    const StorageDir dir;
    Bench bench(dir.path());
    const auto result = bench.backup("");
    REQUIRE(result);
    CHECK(names_with(dir.path(), "backup-2").size() == 1);
    CHECK(std::filesystem::exists(result->path));
}

TEST_CASE("backup: commits go on beside it and are in it whole") {
    const StorageDir dir;
    const StorageDir other;
    {
        Bench bench(dir.path());
        REQUIRE(bench.persist(sample_persist(7, 1, 3000, 1500)) == PersistResult::Stored);
        std::optional<BackupResult> answer;
        bench.storage().backup(other.path() / "meshd.db",
                               [&](BackupResult result) { answer = std::move(result); });
        std::uint64_t counter = 1;
        for (; !answer && counter < 5000; ++counter) {
            CHECK(bench.persist(sample_persist(8, counter, counter)) == PersistResult::Stored);
        }
        while (!answer) {
            bench.run_once();
        }
        REQUIRE(*answer);
        CHECK((*answer)->records >= 3000);
    }
    Bench bench(other.path());
    CHECK(bench.storage().warnings().empty());
    CHECK(bench.restored.records.size() >= 3000);
}

TEST_CASE("backup: refuses relative paths, files that are there, and a second one") {
    const StorageDir dir;
    Bench bench(dir.path());
    const auto there = dir.write("there.db", "mine");
    CHECK(bench.backup("backup.db").error().find("absolute") != std::string::npos);
    CHECK(bench.backup(there).error().find("is there already") != std::string::npos);
    CHECK(read_file(there) == "mine");
    CHECK_FALSE(bench.backup(dir.path() / "no" / "such.db"));

    std::optional<BackupResult> first;
    std::optional<BackupResult> second;
    bench.storage().backup(dir.path() / "a.db", [&](BackupResult result) { first = result; });
    bench.storage().backup(dir.path() / "b.db", [&](BackupResult result) { second = result; });
    REQUIRE(second);
    CHECK(second->error().find("under way") != std::string::npos);
    while (!first) {
        bench.run_once();
    }
    CHECK(*first);
}

TEST_CASE("backup: on a full disk nothing is left behind, and the database goes on") {
    const StorageDir dir;
    const StorageDir other;
    Bench bench(dir.path());
    REQUIRE(bench.persist(sample_persist(7, 1, 500, 1500)) == PersistResult::Stored);
    {
        const FileSizeLimit limit(200'000);
        const auto result = bench.backup(other.path() / "backup.db");
        REQUIRE_FALSE(result);
        CHECK(result.error().find("backup.db: ") != std::string::npos);
    }
    CHECK(names_with(other.path(), "").empty());
    CHECK(bench.persist(sample_persist(7, 501, 501)) == PersistResult::Stored);
    CHECK(bench.backup(other.path() / "backup.db"));
}

TEST_CASE("backup: one cut short by the end leaves nothing behind") {
    const StorageDir dir;
    const StorageDir other;
    bool is_called = false;
    {
        Bench bench(dir.path());
        REQUIRE(bench.persist(sample_persist(7, 1, 20'000, 1500)) == PersistResult::Stored);
        bench.storage().backup(other.path() / "backup.db",
                               [&](const BackupResult&) { is_called = true; });
    }
    CHECK_FALSE(is_called);
    CHECK(names_with(other.path(), ".part").empty());
}
