// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proto/view.h"

namespace meshd {

/// What the service manager (systemd, Type=notify) is told: sd_notify(3). Where none listens every
/// call does nothing.
class ServiceManager {
  public:
    /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of the environment.
    ServiceManager();

    bool is_listening() const { return is_listening_; }
    /// Within this time it wants to be fed again; empty: it does not watch.
    std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

    void tell_ready(std::string_view status);
    /// The start may last so long from now on, whatever TimeoutStartSec= of the unit says.
    void ask_for_start_time(std::chrono::seconds time);
    void tell_reload(bool is_reloading);
    void tell_stopping(std::string_view status);
    /// Sends what differs from the last text only.
    void show_status(std::string_view status);
    void feed_watchdog();

  private:
    void send(const std::string& state);

    bool is_listening_;
    std::optional<std::chrono::microseconds> watchdog_;
    std::string shown_;
};

/// One line on how the node is doing: "3 of 4 nodes alive, 2 links, 120 records, sealed". A node
/// that wants a key and has none says which command gives one.
std::string service_status(const StatusView& status);

/// Whether a core that asked to be called at `deadline` is left waiting, by its driver or by
/// itself: a wedged core keeps a deadline in the past. Late by `patience` is no sign of that, the
/// machine may be busy.
bool is_core_stuck(TimePoint now, std::optional<TimePoint> deadline, Duration patience);

}  // namespace meshd
