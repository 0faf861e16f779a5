// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace meshd {

/// A directory of its own for one test, removed with all that is in it.
class TemporaryDir {
  public:
    TemporaryDir() : TemporaryDir(std::filesystem::temp_directory_path()) {}
    explicit TemporaryDir(const std::filesystem::path& parent) {
        std::string pattern = (parent / "meshd-test-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    TemporaryDir(const TemporaryDir&) = delete;
    TemporaryDir& operator=(const TemporaryDir&) = delete;
    ~TemporaryDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }
    /// Writes a file, with the directories above it.
    std::filesystem::path write(const std::filesystem::path& name, const std::string& text) const {
        const std::filesystem::path path = path_ / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return path;
    }

  private:
    std::filesystem::path path_;
};

}  // namespace meshd
