// SPDX-License-Identifier: Apache-2.0
#include "daemon/call_audit.h"

namespace meshd {

std::optional<std::string> CallAudit::note(std::uint64_t now_ms, const Caller& caller,
                                           const ipc::Method& method, bool is_permitted) {
    if (method.access == ipc::Access::Read) {
        return std::nullopt;
    }
    const std::tuple key(caller.uid, method.id, is_permitted);
    if (entries_.size() >= kEntriesMax && entries_.count(key) == 0) {
        entries_.clear();
    }
    const auto [found, is_new] = entries_.try_emplace(key, Entry{now_ms, 0});
    Entry& entry = found->second;
    const bool is_always_told = is_permitted && method.access == ipc::Access::Admin;
    if (!is_new && !is_always_told && now_ms - entry.told_ms < kIntervalMs) {
        ++entry.untold;
        return std::nullopt;
    }
    std::string line = std::string(method.name) + " by user " + std::to_string(caller.uid) +
                       ", process " + std::to_string(caller.pid);
    line += is_permitted ? "" : ": not permitted, the user is not in group meshd-admin";
    if (entry.untold > 0) {
        line += " (and " + std::to_string(entry.untold) + " times more since the last such line)";
    }
    entry = Entry{now_ms, 0};
    return line;
}

}  // namespace meshd
