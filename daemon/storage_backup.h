// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "daemon/storage_types.h"

namespace meshd {

namespace sqlite {
class Connection;
}

/// Copies a database that stays in use, part by part: "<target>.part" (mode 0600), renamed to the
/// target once it is whole and on the disk. Commits of the same connection between two steps go
/// into the copy too, so that it is the database as it is at the last step. Whatever goes wrong,
/// nothing is left behind.
class BackupCopy {
  public:
    /// One step copies at most so many pages: 1 MiB, so that a commit never waits long for it.
    static constexpr int kPagesPerStep = 512;

    enum class IfThere { Refuse, Replace };

    /// `source` must outlive the copy. `target` must be an absolute path; of a file that is there
    /// already `if_there` decides.
    static tl::expected<BackupCopy, std::string> start(sqlite::Connection& source,
                                                       const std::filesystem::path& target,
                                                       IfThere if_there);
    BackupCopy(BackupCopy&&) noexcept;
    BackupCopy& operator=(BackupCopy&&) noexcept;
    ~BackupCopy();

    /// True: the last step is done, and finish() may be called.
    tl::expected<bool, std::string> step();
    /// Bytes of the finished copy, which then is at its target.
    tl::expected<std::uint64_t, std::string> finish();

  private:
    struct State;
    explicit BackupCopy(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace meshd
