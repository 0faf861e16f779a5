// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

namespace meshd {

/// Failures in a row, as the runtime directory keeps them between two starts of a service.
struct FailedStarts {
    unsigned count = 0;
    std::chrono::seconds last{};  ///< start of the last one, since the boot
};

/// A box is never given up, but one that fails at each start must not wear its card and fill its
/// journal: none after the first failure, then 1 s, doubled by each further one, 60 s at most. A
/// start that lasted 10 minutes ends the row.
std::chrono::seconds delay_of_start(const FailedStarts& failed, std::chrono::seconds now);

/// Counts starts of a service that did not end as asked. systemd's own RestartSteps= came with
/// version 254.
class StartDelay {
  public:
    /// Of a service's runtime directory, which outlives a restart of the service only.
    explicit StartDelay(const std::filesystem::path& directory) : file_(directory / "starts") {}

    /// What to wait before this start; counts it as failed until clear() is called.
    std::chrono::seconds begin(std::chrono::seconds now);
    /// This start ended as asked.
    void clear();

  private:
    FailedStarts read() const;

    std::filesystem::path file_;
};

/// The start of this process, where a service manager runs it; else every call does nothing.
class ServiceStart {
  public:
    ServiceStart();
    /// Waits as long as StartDelay says, and tells the service manager why. False where a signal
    /// asked to end in the meantime.
    bool wait();
    /// The run ended as asked.
    void end_cleanly();

  private:
    std::optional<StartDelay> delay_;
};

}  // namespace meshd
