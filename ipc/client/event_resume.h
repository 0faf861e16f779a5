// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "ipc/client/client.h"

namespace meshd::ipc {

/// What a subscriber keeps so that it can go on after the end of a connection, or of the daemon,
/// and have each alert exactly once. Resumed delivery of alerts is at least once: one may be told
/// again under another cursor. Cursors are opaque: they are compared for equality alone.
class EventResume {
  public:
    /// Alerts whose ids are kept, the latest ones: more than a daemon holds of a few authors, and a
    /// few MiB at most.
    static constexpr std::size_t kAlertsKeptMax = 16'384;

    /// `cursor`: where a former subscriber was; empty = begins with what comes.
    explicit EventResume(std::string cursor = {});

    /// For `since` of the next subscription; empty = none yet.
    const std::string& cursor() const { return cursor_; }
    /// Takes the cursor of the first subscription's reply where there is none yet, so that nothing
    /// is missed where the connection ends before the first event.
    void start_at(std::string_view cursor);
    /// False for a repeat, which is to be dropped. Call it once for each event, in order.
    bool is_new(const Event& event);

  private:
    bool remember(std::string_view alert);

    std::string cursor_;
    std::set<std::string, std::less<>> alerts_;
    std::deque<std::string> alerts_by_age_;
};

}  // namespace meshd::ipc
