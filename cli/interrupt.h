// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include "ipc/client/descriptor.h"

namespace meshd::cli {

/// Makes SIGINT and SIGTERM a readable descriptor, from its construction on. A second signal kills,
/// as it would without this. One per process.
class Interrupt {
  public:
    Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    int descriptor() const { return read_end_.get(); }
    /// True where a signal came before, or comes within the time.
    bool wait(std::chrono::milliseconds time) const;
    bool has_come() const { return wait(std::chrono::milliseconds(0)); }

  private:
    ipc::Descriptor read_end_;
    ipc::Descriptor write_end_;
};

}  // namespace meshd::cli
