// SPDX-License-Identifier: Apache-2.0
/// \file
/// Notices that interfaces or their IPv4 addresses changed (rtnetlink(7)): a cable goes out or in,
/// an address comes, an interface appears. What they are then is list_interfaces()'s to say.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "proto/base/bytes.h"
#include "proto/base/time.h"

namespace meshd {

/// Whether one read from an rtnetlink socket says that an interface or an address changed. What is
/// cut off or an error counts as a change: looking in vain costs little. Reports of the wireless
/// driver (a scan, a signal) do not.
bool has_interface_news(Bytes messages);

/// Gathers a burst of news into one look: 200 ms after the last of them, 500 ms after the first at
/// the latest.
class NewsGatherer {
  public:
    static constexpr Duration kQuiet = std::chrono::milliseconds(200);
    static constexpr Duration kDelayMax = std::chrono::milliseconds(500);

    /// When to look.
    TimePoint on_news(TimePoint now);
    /// The look was taken.
    void clear() { first_.reset(); }

  private:
    std::optional<TimePoint> first_;
};

/// An rtnetlink socket in the loop.
class LinkMonitor {
  public:
    /// `on_change` is called from the loop only, some 200 ms after a change; at once where the
    /// kernel says that it lost some of them.
    LinkMonitor(uv_loop_t* loop, std::function<void()> on_change);
    LinkMonitor(const LinkMonitor&) = delete;
    LinkMonitor& operator=(const LinkMonitor&) = delete;
    ~LinkMonitor();

    /// False where the kernel gave no such socket: then the interfaces are to be listed often.
    bool is_working() const { return poll_ != nullptr; }

  private:
    void start_polling();
    void read_all();
    void look();

    uv_loop_t* loop_;
    std::function<void()> on_change_;
    NewsGatherer gatherer_;
    int fd_ = -1;
    // On the heap because libuv closes handles later than this object ends.
    uv_poll_t* poll_ = nullptr;
    uv_timer_t* timer_ = nullptr;
};

}  // namespace meshd
