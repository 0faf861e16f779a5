// SPDX-License-Identifier: Apache-2.0
/// \file
/// What commits cost: bytes in the write-ahead log, bytes given to the disk (log and checkpoints)
/// and time, for single alerts and for batches; and the time of a start. Usage: storage_bench
/// DIRECTORY
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "daemon/storage_database.h"

using namespace meshd;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::uint64_t bytes_to_disk() {
    std::ifstream io("/proc/self/io");
    std::string name;
    std::uint64_t value = 0;
    while (io >> name >> value) {
        if (name == "write_bytes:") {
            return value;
        }
    }
    return 0;
}

struct Load {
    const char* name;
    std::size_t record_bytes;
    std::uint64_t records_per_commit;
    int commits;
};

void run(Database& database, std::uint64_t stream, const Load& load) {
    const std::uint64_t disk_before = bytes_to_disk();
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t log_bytes = 0;
    std::uint64_t counter = 0;
    for (int i = 0; i < load.commits; ++i) {
        Persist persist;
        for (std::uint64_t k = 0; k < load.records_per_commit; ++k) {
            const Buffer bytes(load.record_bytes, static_cast<std::uint8_t>(++counter));
            persist.records.push_back({StreamId{stream}, counter, SharedBytes(bytes), i, counter});
        }
        persist.streams = {
            {{StreamId{stream}, *NodeId::parse("gate-1"), {{1, counter}}, std::nullopt}}};
        persist.clock = {i, i};
        const auto committed = database.commit(persist);
        if (committed.result != PersistResult::Stored) {
            std::fprintf(stderr, "%s: %s\n", load.name, committed.error.text.c_str());
            return;
        }
        log_bytes += committed.bytes;
    }
    const double seconds = seconds_since(start);
    std::printf("%-28s %8llu B log  %8llu B disk  %7.2f ms  per commit, %8.0f records/s\n",
                load.name, static_cast<unsigned long long>(log_bytes) / load.commits,
                static_cast<unsigned long long>(bytes_to_disk() - disk_before) / load.commits,
                seconds * 1000 / load.commits, static_cast<double>(counter) / seconds);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: storage_bench DIRECTORY\n", stderr);
        return 2;
    }
    const std::filesystem::path path = std::filesystem::path(argv[1]) / "bench.db";
    if (std::filesystem::exists(path)) {
        std::fprintf(stderr, "%s is there already\n", path.c_str());
        return 1;
    }
    std::vector<std::string> notices;
    {
        Database database(path, {});
        database.load(notices);
        run(database, 1, {"entries of 1.5 kB by 1000", 1500, 1000, 100});
        run(database, 2, {"alerts of 500 B", 500, 1, 2000});
        run(database, 3, {"alerts of 1.5 kB", 1500, 1, 2000});
        run(database, 4, {"records of 70 kB", 70'000, 1, 200});
    }
    const auto start = std::chrono::steady_clock::now();
    Database database(path, {});
    const Restored restored = database.load(notices);
    std::printf("start with %zu records of %.0f MB: %.2f s\n", restored.records.size(),
                static_cast<double>(std::filesystem::file_size(path)) / 1e6, seconds_since(start));
    for (const char* suffix : {"", "-wal"}) {
        std::filesystem::remove(path.string() + suffix);
    }
}
