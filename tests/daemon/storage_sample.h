// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "daemon/storage_database.h"
#include "tests/daemon/temporary_dir.h"

namespace meshd {

/// A directory for one test, in memory where there is such a place: hundreds of commits that wait
/// for a disk would take longer than all other tests.
class StorageDir : public TemporaryDir {
  public:
    StorageDir() : TemporaryDir(parent()) {}

  private:
    static std::filesystem::path parent() {
        const std::filesystem::path memory = "/dev/shm";
        return access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
    }
};

inline StoredRecord sample_record(std::uint64_t stream, std::uint64_t counter, std::size_t size,
                                  std::uint64_t arrival = 0) {
    const std::string text = "record " + std::to_string(stream) + "." + std::to_string(counter);
    Buffer bytes(std::max(size, text.size()), static_cast<std::uint8_t>(counter));
    std::copy(text.begin(), text.end(), bytes.begin());
    return {StreamId{stream}, counter, SharedBytes(bytes), -5, arrival};
}

inline StoredStream sample_stream(std::uint64_t stream, std::vector<Interval> intervals) {
    return {{StreamId{stream}, *NodeId::parse("gate-1"), std::move(intervals), std::nullopt}};
}

/// Records `first` to `last` of a stream, with the coverage from 1 on that claims them.
inline Persist sample_persist(std::uint64_t stream, std::uint64_t first, std::uint64_t last,
                              std::size_t size = 300) {
    Persist persist;
    for (std::uint64_t counter = first; counter <= last; ++counter) {
        persist.records.push_back(sample_record(stream, counter, size, counter));
    }
    persist.streams.push_back(sample_stream(stream, {{1, last}}));
    persist.clock = {static_cast<std::int64_t>(last) * 10, 77};
    return persist;
}

inline bool same_bytes(Bytes a, Bytes b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

inline bool same_record(const StoredRecord& a, const StoredRecord& b) {
    return a.stream == b.stream && a.counter == b.counter && a.born_ms == b.born_ms &&
           a.arrival == b.arrival && same_bytes(a.bytes, b.bytes);
}

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Overwrites bytes of a file in place.
inline void scribble(const std::filesystem::path& path, std::size_t offset,
                     const std::string& text) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << text;
}

/// Names in a directory that contain `part`.
inline std::vector<std::string> names_with(const std::filesystem::path& dir,
                                           const std::string& part) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
        if (entry.path().filename().string().find(part) != std::string::npos) {
            names.push_back(entry.path().filename().string());
        }
    }
    return names;
}

struct Loaded {
    Restored restored;
    std::vector<std::string> notices;
};

/// Opens the database of `dir` as the daemon would at its start.
inline Loaded load(Database& database) {
    Loaded loaded;
    loaded.restored = database.load(loaded.notices);
    return loaded;
}
inline Loaded load_from(const std::filesystem::path& dir, StorageOptions options = {}) {
    Database database(dir / "meshd.db", std::move(options));
    return load(database);
}

/// A database with records 1 to `count` of stream 7. False where it could not be written.
inline bool write_samples(const std::filesystem::path& dir, std::uint64_t count,
                          std::size_t size = 300) {
    Database database(dir / "meshd.db", {});
    load(database);
    return database.commit(sample_persist(7, 1, count, size)).result == PersistResult::Stored;
}

/// No file of this process grows beyond `bytes`, as on a full disk.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(std::uint64_t bytes) {
        former_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &former_);
        rlimit limit = former_;
        limit.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &former_);
        std::signal(SIGXFSZ, former_handler_);
    }

  private:
    rlimit former_{};
    void (*former_handler_)(int) = nullptr;
};

}  // namespace meshd
