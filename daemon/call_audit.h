// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "ipc/method_table.h"

namespace meshd {

/// Which process of which user changed something by the local API, or was not permitted to: for
/// the log. Of one user's calls of one method only the first in a minute is told, with the number
/// of those before that were not; a permitted call that harms the whole node is always told.
class CallAudit {
  public:
    static constexpr std::uint64_t kIntervalMs = 60'000;
    /// Users and methods that are told apart: beyond it all are forgotten, and told anew.
    static constexpr std::size_t kEntriesMax = 1024;

    struct Caller {
        uid_t uid = 0;
        pid_t pid = 0;
    };

    /// The line to log at `now_ms` (monotonic); nothing for calls that only read, and for those
    /// beyond the rate.
    std::optional<std::string> note(std::uint64_t now_ms, const Caller& caller,
                                    const ipc::Method& method, bool is_permitted);

  private:
    struct Entry {
        std::uint64_t told_ms = 0;
        std::uint64_t untold = 0;
    };
    std::map<std::tuple<uid_t, ipc::MethodId, bool>, Entry> entries_;
};

}  // namespace meshd
