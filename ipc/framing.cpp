// SPDX-License-Identifier: Apache-2.0
#include "ipc/framing.h"

namespace meshd::ipc {

namespace {

/// Room that is kept where nothing is held: thousands of idle connections must cost little.
constexpr std::size_t kIdleBytes = 1024;

std::string_view trimmed(std::string_view line) {
    constexpr std::string_view kWhiteSpace = " \t\r";
    const std::size_t first = line.find_first_not_of(kWhiteSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return line.substr(first, line.find_last_not_of(kWhiteSpace) - first + 1);
}

}  // namespace

void LineSplitter::append(std::string_view bytes) {
    if (is_too_long_) {
        return;
    }
    if (begin_ > 0) {
        buffer_.erase(0, begin_);
        scanned_ -= begin_;
        begin_ = 0;
    }
    buffer_.append(bytes);
}

void LineSplitter::release_when_idle() {
    if (begin_ == buffer_.size() && buffer_.capacity() > kIdleBytes) {
        buffer_ = {};
        begin_ = scanned_ = 0;
    }
}

std::optional<std::string_view> LineSplitter::next_line() {
    while (!is_too_long_) {
        const std::size_t newline = buffer_.find('\n', scanned_);
        const std::size_t end = newline == std::string::npos ? buffer_.size() : newline;
        if (end - begin_ > line_bytes_max_) {
            // Nothing of it is of use any more: the peer may send gigabytes before it notices.
            is_too_long_ = true;
            buffer_ = {};
            begin_ = scanned_ = 0;
            break;
        }
        if (newline == std::string::npos) {
            scanned_ = buffer_.size();
            release_when_idle();
            break;
        }
        const std::string_view line =
            trimmed(std::string_view(buffer_).substr(begin_, newline - begin_));
        begin_ = scanned_ = newline + 1;
        if (!line.empty()) {
            return line;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> LineSplitter::last_line() {
    if (is_too_long_) {
        return std::nullopt;
    }
    const std::string_view line = trimmed(std::string_view(buffer_).substr(begin_));
    begin_ = scanned_ = buffer_.size();
    return line.empty() ? std::nullopt : std::optional(line);
}

}  // namespace meshd::ipc
