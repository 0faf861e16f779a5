// SPDX-License-Identifier: Apache-2.0
#include "daemon/journal.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace meshd {
namespace {

/// "device:inode" of the stream that the service manager made of stderr: a program that has put
/// stderr elsewhere since wants its lines there (systemd.exec(5)).
bool is_stderr_journal() {
    const char* const stream = std::getenv("JOURNAL_STREAM");
    struct stat info {};
    return stream != nullptr && fstat(STDERR_FILENO, &info) == 0 &&
           std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino) == stream;
}

}  // namespace

std::optional<Journal> Journal::behind_stderr(const char* socket_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (!is_stderr_journal() || std::strlen(socket_path) >= sizeof address.sun_path) {
        return std::nullopt;
    }
    std::strcpy(address.sun_path, socket_path);
    Journal journal(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (journal.fd_ < 0 ||
        connect(journal.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::nullopt;
    }
    return journal;
}

Journal::Journal(Journal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), lost_(other.lost_), told_(other.told_) {}

Journal::~Journal() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

void Journal::write(int priority, std::string_view line, const std::vector<Field>& fields) {
    std::string message(line);
    if (lost_ != told_) {
        message += " (" + std::to_string(lost_ - told_) + " lines before this one are lost)";
    }
    const std::string level = std::to_string(priority);
    std::vector<Field> all = {
        {"PRIORITY", level}, {"SYSLOG_IDENTIFIER", "meshd"}, {"MESSAGE", message}};
    all.insert(all.end(), fields.begin(), fields.end());
    const std::string entry = encode_journal_entry(all);
    if (send(fd_, entry.data(), entry.size(), MSG_NOSIGNAL) < 0) {
        ++lost_;
    } else {
        told_ = lost_;
    }
}

std::string encode_journal_entry(const std::vector<Journal::Field>& fields) {
    std::string entry;
    for (const auto& [name, value] : fields) {
        entry += name;
        if (value.find('\n') == std::string_view::npos) {
            entry += "=";
        } else {
            entry += "\n";
            for (unsigned shift = 0; shift < 64; shift += 8) {
                entry += static_cast<char>(std::uint64_t{value.size()} >> shift & 0xff);
            }
        }
        entry += value;
        entry += "\n";
    }
    return entry;
}

}  // namespace meshd
