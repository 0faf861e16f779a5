// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshd {

/// Entries with fields for the journal of systemd, by its native protocol
/// (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). Never waits: where the journal takes nothing at
/// the moment the entry is lost, counted, and the next one says so. sd_journal_sendv() would wait,
/// and a journal that hangs would take the mesh down with it.
class Journal {
  public:
    using Field = std::pair<std::string_view, std::string_view>;  ///< name and value

    static constexpr const char* kSocket = "/run/systemd/journal/socket";

    /// Empty where stderr does not lead to the journal ($JOURNAL_STREAM), or nothing listens at
    /// `socket`.
    static std::optional<Journal> behind_stderr(const char* socket = kSocket);

    Journal(Journal&& other) noexcept;
    Journal& operator=(Journal&&) = delete;
    ~Journal();

    /// `priority` is of syslog(3). Values may hold any bytes.
    void write(int priority, std::string_view line, const std::vector<Field>& fields);
    std::uint64_t lost() const { return lost_; }

  private:
    explicit Journal(int fd) : fd_(fd) {}

    int fd_;
    std::uint64_t lost_ = 0;
    std::uint64_t told_ = 0;  ///< of `lost_`
};

/// One entry as the protocol has it.
std::string encode_journal_entry(const std::vector<Journal::Field>& fields);

}  // namespace meshd
