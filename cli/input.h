// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "ipc/client/descriptor.h"

namespace meshd::cli {

/// The whole file, or standard input for "-". Fails, with a sentence without full stop, where it
/// cannot be read or is longer than `bytes_max`.
tl::expected<std::string, std::string> read_whole(const std::string& path, std::size_t bytes_max);

/// Lines of a file, or of standard input for "-", each with its number.
class LineReader {
  public:
    /// Longer lines are given out empty and with is_too_long: the daemon takes no longer request.
    static constexpr std::size_t kLineBytesMax = std::size_t{1} << 20;

    struct Line {
        std::uint64_t number = 0;  ///< from 1
        std::string_view text;     ///< without newline; valid until the next call
        bool is_too_long = false;
    };

    static tl::expected<LineReader, std::string> open(const std::string& path);

    /// How the user knows it: the path, or "standard input".
    const std::string& name() const { return name_; }
    /// Bytes in all; nothing where it is no regular file.
    std::optional<std::uint64_t> bytes() const { return bytes_; }
    /// Bytes given out as lines so far.
    std::uint64_t bytes_taken() const { return bytes_taken_; }

    /// The next line; nothing at the end, and where `interrupt` (a descriptor, -1 = none) became
    /// readable while waiting for more. Fails where reading does.
    tl::expected<std::optional<Line>, std::string> next(int interrupt);

  private:
    LineReader(ipc::Descriptor file, std::string name);

    ipc::Descriptor file_;
    std::string name_;
    std::optional<std::uint64_t> bytes_;
    std::uint64_t bytes_taken_ = 0;
    std::uint64_t lines_ = 0;
    std::string buffer_;
    std::size_t begin_ = 0;
    std::size_t searched_ = 0;  ///< bytes of buffer_ known to hold no newline after begin_
    bool is_skipping_ = false;  ///< within a line that is too long
    bool is_at_end_ = false;
};

}  // namespace meshd::cli
