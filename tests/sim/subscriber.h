// SPDX-License-Identifier: Apache-2.0
/// \file
/// A local process that wants each alert once: it takes events while it is connected, remembers the
/// place of the last one, and on its return asks for what arrived since.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "proto/view.h"

namespace meshd::sim {

class Subscriber {
  public:
    /// A new process of the node, or the subscriber itself, is back; `held`: alerts of the node,
    /// those behind the cursor at least.
    void connect(const std::vector<AlertView>& held);
    void disconnect() { is_connected_ = false; }
    /// Another disk: places of alerts begin anew, which the daemon can tell by its cursor.
    void forget_place() { cursor_ = 0; }
    void on_alert(const AlertView& alert);

    bool is_connected() const { return is_connected_; }
    /// Place of the last alert it took.
    std::uint64_t cursor() const { return cursor_; }
    bool has(const std::string& id) const { return ids_.contains(id); }
    /// Alerts got again, and dropped by their id.
    std::uint64_t repeated() const { return repeated_; }

  private:
    void take(const AlertView& alert);

    bool is_connected_ = false;
    std::uint64_t cursor_ = 0;
    std::set<std::string> ids_;
    std::uint64_t repeated_ = 0;
};

}  // namespace meshd::sim
