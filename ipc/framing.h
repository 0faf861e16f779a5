// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lines out of a byte stream: the only framing of the local API.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace meshd::ipc {

/// Longest request line a server takes: the largest payload is 64 KiB, a batch may hold some.
inline constexpr std::size_t kRequestBytesMax = std::size_t{1} << 20;
/// Longest line a client must be ready to take: a batch of large results.
inline constexpr std::size_t kReplyBytesMax = std::size_t{64} << 20;

/// Collects bytes and gives out whole lines, without newline and surrounding white space. Lines of
/// white space alone are skipped. Holds at most one limit and one append of bytes.
class LineSplitter {
  public:
    explicit LineSplitter(std::size_t line_bytes_max = kRequestBytesMax)
        : line_bytes_max_(line_bytes_max) {}

    /// Takes the next bytes of the stream. Invalidates lines given out before. Does nothing after a
    /// line was too long.
    void append(std::string_view bytes);
    /// The next whole line; valid until the next call of append or next_line. Nothing where more
    /// bytes are needed, or where the line that follows is too long.
    std::optional<std::string_view> next_line();
    /// The end of the stream came: bytes after the last newline count as a line.
    std::optional<std::string_view> last_line();
    /// Bytes held and not yet given out.
    std::size_t held() const { return buffer_.size() - begin_; }
    /// A line, complete or not, is beyond the limit and all before it were given out: the stream
    /// cannot be read on.
    bool is_too_long() const { return is_too_long_; }

  private:
    void release_when_idle();

    std::string buffer_;
    std::size_t begin_ = 0;    ///< first byte not yet given out
    std::size_t scanned_ = 0;  ///< bytes before it hold no newline after begin_
    std::size_t line_bytes_max_;
    bool is_too_long_ = false;
};

}  // namespace meshd::ipc
