// SPDX-License-Identifier: Apache-2.0
#include "cli/key_token.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/context.h"
#include "cli/input.h"
#include "cli/interrupt.h"
#include "proto/base/json.h"

namespace meshd::cli {
namespace {

/// Many times a token, with line ends and blanks.
constexpr std::size_t kTextBytesMax = 4096;

/// No echo while it lives. What is typed before counts.
class HiddenTyping {
  public:
    HiddenTyping() : is_changed_(tcgetattr(STDIN_FILENO, &before_) == 0) {
        termios hidden = before_;
        hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        is_changed_ = is_changed_ && tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden) == 0;
    }
    HiddenTyping(const HiddenTyping&) = delete;
    HiddenTyping& operator=(const HiddenTyping&) = delete;
    ~HiddenTyping() {
        if (is_changed_) {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
        }
    }
    bool is_hidden() const { return is_changed_; }

  private:
    termios before_{};
    bool is_changed_;
};

tl::expected<std::string, ExitCode> typed_token() {
    // Before the echo goes: a signal must bring it back.
    const Interrupt interrupt;
    const HiddenTyping hidden;
    if (!hidden.is_hidden()) {
        return tl::unexpected(Context::fail(ExitCode::Refused,
                                            "cannot keep the terminal from showing what is typed"));
    }
    std::fputs("token (not shown): ", stderr);
    std::string text;
    while (text.find('\n') == std::string::npos && text.size() <= kTextBytesMax) {
        std::array<pollfd, 2> polled{
            {{STDIN_FILENO, POLLIN, 0}, {interrupt.descriptor(), POLLIN, 0}}};
        if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) {
            break;
        }
        if (polled[1].revents != 0) {
            std::fputs("\n", stderr);
            return tl::unexpected(Context::fail(ExitCode::Refused, "nothing has changed"));
        }
        if (polled[0].revents == 0) {
            continue;
        }
        std::array<char, 512> piece{};
        const ssize_t got = read(STDIN_FILENO, piece.data(), piece.size());
        if (got <= 0) {
            break;
        }
        text.append(piece.data(), static_cast<std::size_t>(got));
    }
    std::fputs("\n", stderr);
    return text;
}

}  // namespace

bool looks_like_token(std::string_view word) {
    constexpr std::string_view kPrefix = "mesh1";
    constexpr std::size_t kLettersMin = 10;
    std::string letters;
    for (char c : word) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            letters += c == 'l' || c == 'i' ? '1' : c;
        }
    }
    return letters.starts_with(kPrefix) && letters.size() >= kLettersMin;
}

tl::expected<std::string, ExitCode> read_token(const std::string& file) {
    if (looks_like_token(file)) {
        return tl::unexpected(Context::fail(ExitCode::Usage, kNoTokenHere));
    }
    std::string text;
    if (file.empty() && isatty(STDIN_FILENO) != 0) {
        auto typed = typed_token();
        if (!typed) {
            return typed;
        }
        text = std::move(*typed);
    } else {
        auto read = read_whole(file.empty() ? "-" : file, kTextBytesMax);
        if (!read) {
            return tl::unexpected(Context::fail(ExitCode::Refused, read.error()));
        }
        text = std::move(*read);
    }
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
        return tl::unexpected(Context::fail(ExitCode::Usage, "no token was given"));
    }
    if (text.size() > kTextBytesMax || !json::is_utf8(text)) {
        return tl::unexpected(Context::fail(ExitCode::Usage, "what was given is no token"));
    }
    return text;
}

}  // namespace meshd::cli
