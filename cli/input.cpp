// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/format.h"

namespace meshd::cli {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

std::string name_of(const std::string& path) {
    return path == "-" ? "standard input" : printable(path);
}

std::string reading_failed(const std::string& name, int error) {
    return "cannot read " + name + ": " + std::strerror(error);
}

tl::expected<ipc::Descriptor, std::string> open_input(const std::string& path) {
    ipc::Descriptor file(path == "-" ? dup(STDIN_FILENO)
                                     : open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        return tl::unexpected(reading_failed(name_of(path), errno));
    }
    struct stat info {};
    if (fstat(file.get(), &info) == 0 && S_ISDIR(info.st_mode)) {
        return tl::unexpected(reading_failed(name_of(path), EISDIR));
    }
    return file;
}

}  // namespace

tl::expected<std::string, std::string> read_whole(const std::string& path, std::size_t bytes_max) {
    const auto file = open_input(path);
    if (!file) {
        return tl::unexpected(file.error());
    }
    std::string text;
    std::array<char, 4096> piece{};
    while (text.size() <= bytes_max) {
        const ssize_t got = read(file->get(), piece.data(), piece.size());
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            return tl::unexpected(reading_failed(name_of(path), errno));
        }
        text.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return tl::unexpected(name_of(path) + " is longer than " +
                          print_size(static_cast<double>(bytes_max)));
}

LineReader::LineReader(ipc::Descriptor file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
    struct stat info {};
    if (fstat(file_.get(), &info) == 0 && S_ISREG(info.st_mode)) {
        bytes_ = static_cast<std::uint64_t>(info.st_size);
    }
}

tl::expected<LineReader, std::string> LineReader::open(const std::string& path) {
    auto file = open_input(path);
    if (!file) {
        return tl::unexpected(file.error());
    }
    return LineReader(std::move(*file), name_of(path));
}

tl::expected<std::optional<LineReader::Line>, std::string> LineReader::next(int interrupt) {
    while (true) {
        const std::size_t newline = buffer_.find('\n', searched_);
        const bool is_last = newline == std::string::npos && is_at_end_ && begin_ < buffer_.size();
        if (newline != std::string::npos || is_last) {
            const std::size_t end = is_last ? buffer_.size() : newline;
            const std::string_view text = std::string_view(buffer_).substr(begin_, end - begin_);
            begin_ = std::min(end + 1, buffer_.size());
            searched_ = begin_;
            bytes_taken_ += text.size() + (is_last ? 0 : 1);
            const bool is_too_long =
                std::exchange(is_skipping_, false) || text.size() > kLineBytesMax;
            return Line{++lines_, is_too_long ? std::string_view() : text, is_too_long};
        }
        if (is_at_end_) {
            // A line too long may end with the file.
            return std::exchange(is_skipping_, false) ? std::optional(Line{++lines_, {}, true})
                                                      : std::nullopt;
        }
        buffer_.erase(0, begin_);
        begin_ = 0;
        if (buffer_.size() > kLineBytesMax) {
            bytes_taken_ += buffer_.size();
            buffer_.clear();
            is_skipping_ = true;
        }
        searched_ = buffer_.size();
        std::array<pollfd, 2> polled{{{file_.get(), POLLIN, 0}, {interrupt, POLLIN, 0}}};
        if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
            return tl::unexpected(reading_failed(name_, errno));
        }
        if (polled[1].revents != 0) {
            return std::nullopt;
        }
        if (polled[0].revents == 0) {
            continue;
        }
        const std::size_t had = buffer_.size();
        buffer_.resize(had + kReadBytes);
        const ssize_t got = read(file_.get(), buffer_.data() + had, kReadBytes);
        const int why = errno;
        buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && why != EINTR && why != EAGAIN) {
            return tl::unexpected(reading_failed(name_, why));
        }
        is_at_end_ = got == 0;
    }
}

}  // namespace meshd::cli
