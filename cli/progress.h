// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace meshd::cli {

/// One line of a long work's progress: "imported 12000 of about 100000 [####------] 5800/s, 15 s
/// left". `share` 0 to 1; nothing where the end is not known: then without bar and rest.
std::string progress_line(std::string_view what, std::uint64_t done, std::optional<double> share,
                          std::chrono::milliseconds elapsed);

/// Shows it on standard error, in place, where that is a terminal; nothing otherwise.
class Progress {
  public:
    /// `what`: what is done to the entries, as "imported".
    explicit Progress(std::string_view what);
    /// Wipes the line.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// Standard error is a terminal.
    bool is_shown() const { return is_terminal_; }
    /// At most ten times a second it shows.
    void update(std::uint64_t done, std::optional<double> share);
    /// Makes room for words on standard error.
    void wipe();

  private:
    using Clock = std::chrono::steady_clock;
    std::string_view what_;
    bool is_terminal_;
    bool has_line_ = false;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point shown_at_{};
};

}  // namespace meshd::cli
