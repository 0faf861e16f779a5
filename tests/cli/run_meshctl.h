// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "ipc/client/descriptor.h"

namespace meshd::cli {

struct Finished {
    int exit_code = -1;  ///< 128 + the signal where one ended it
    std::string out;
    std::string err;
};

/// The real program, started with standard output in a pipe, in a clean environment.
class Meshctl {
  public:
    explicit Meshctl(std::vector<std::string> words, const std::string& input = "",
                     std::vector<std::string> environment = {});
    ~Meshctl();
    Meshctl(const Meshctl&) = delete;
    Meshctl& operator=(const Meshctl&) = delete;

    /// The next line of standard output; empty at the end.
    std::string read_line();
    /// Calls `cause`, then waits until something stands on standard error.
    void wait_for_error(const std::function<void()>& cause) const;
    void send_signal(int signal) const;
    /// As a reader that goes away.
    void close_output() { out_ = ipc::Descriptor(); }
    /// Reads the rest and waits for the end.
    Finished finish();

  private:
    pid_t process_ = -1;
    ipc::Descriptor out_;
    ipc::Descriptor err_;  ///< a memory file
    std::string read_;
    std::size_t taken_ = 0;
};

Finished run_meshctl(std::vector<std::string> words, const std::string& input = "",
                     std::vector<std::string> environment = {});

}  // namespace meshd::cli
