// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace meshd::cli {
namespace {

/// Alternate screen, no cursor, no wrapping of lines; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

constexpr std::array kEndSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr std::array kCrashSignals = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

// What signal handlers need; they may use nothing else.
termios terminal_before{};
volatile std::sig_atomic_t is_entered = 0;
int signal_pipe = -1;

void restore_terminal() {
    if (is_entered != 0) {
        is_entered = 0;
        [[maybe_unused]] const ssize_t written =
            ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
        // At once: what waits to be shown belongs to the screen that is gone.
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    }
}

void enter_terminal() {
    termios raw = terminal_before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    is_entered = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, kEnter.data(), kEnter.size());
}

void tell(char what) {
    const int saved = errno;
    [[maybe_unused]] const ssize_t written = ::write(signal_pipe, &what, 1);
    errno = saved;
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(signal, &action, nullptr);
}

/// Restores, then dies of the signal as it would have.
void on_crash(int signal) {
    restore_terminal();
    handle(signal, SIG_DFL, 0);
    raise(signal);
}

/// The second one kills, should the program hang.
void on_end(int signal) {
    tell('e');
    handle(signal, on_crash, 0);
}

void on_stop(int signal) {
    restore_terminal();
    handle(signal, SIG_DFL, 0);
    sigset_t set{};
    sigset_t before{};
    sigemptyset(&set);
    sigaddset(&set, signal);
    raise(signal);
    // It stops here, and goes on here.
    sigprocmask(SIG_UNBLOCK, &set, &before);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    handle(signal, on_stop, SA_RESTART);
    enter_terminal();
    tell('w');
}

}  // namespace

Screen::Screen() {
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0 ||
        tcgetattr(STDIN_FILENO, &terminal_before) != 0) {
        return;
    }
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return;
    }
    signals_ = ipc::Descriptor(ends[0]);
    signals_end_ = ipc::Descriptor(ends[1]);
    signal_pipe = ends[1];
    for (const int signal : kEndSignals) {
        handle(signal, on_end, 0);
    }
    for (const int signal : kCrashSignals) {
        handle(signal, on_crash, 0);
    }
    handle(SIGTSTP, on_stop, SA_RESTART);
    handle(
        SIGWINCH, [](int) { tell('w'); }, SA_RESTART);
    enter_terminal();
    is_open_ = true;
}

Screen::~Screen() {
    if (is_open_) {
        restore_terminal();
        handle(SIGTSTP, SIG_DFL, 0);
        handle(SIGWINCH, SIG_DFL, 0);
    }
}

Screen::Size Screen::size() const {
    winsize window{};
    Size size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0) {
        size = {window.ws_col, window.ws_row};
    }
    return size;
}

Screen::Wake Screen::wait(int descriptor, short events,
                          std::chrono::steady_clock::time_point until) {
    if (has_ended_) {
        return Wake::End;
    }
    std::array<pollfd, 3> polled = {
        {{STDIN_FILENO, POLLIN, 0}, {signals_.get(), POLLIN, 0}, {descriptor, events, 0}}};
    const auto rest =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const int ready = poll(polled.data(), polled.size(),
                           static_cast<int>(std::max<std::int64_t>(rest.count(), 0)));
    if (ready < 0 && errno == EINTR) {
        polled[1].revents = POLLIN;
    }
    if (polled[1].revents != 0) {
        std::array<char, 64> told{};
        const ssize_t length = read(signals_.get(), told.data(), told.size());
        const std::string_view what(told.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
        has_ended_ = what.find('e') != std::string_view::npos;
        return has_ended_ ? Wake::End : Wake::Resized;
    }
    if ((polled[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
        has_ended_ = true;
        return Wake::End;
    }
    return polled[0].revents != 0   ? Wake::Keys
           : polled[2].revents != 0 ? Wake::Descriptor
                                    : Wake::Time;
}

std::vector<Screen::Input> Screen::read_keys() {
    std::array<char, 256> bytes{};
    const ssize_t length = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN)) {
        has_ended_ = true;
    }
    return parse_keys({bytes.data(), length > 0 ? static_cast<std::size_t>(length) : 0});
}

bool Screen::show(std::span<const std::string> lines) {
    // Each line is wiped behind its text, so that nothing flickers.
    std::string text = "\x1b[H";
    const std::size_t rows = size().rows;
    for (std::size_t i = 0; i < std::min(rows, lines.size()); ++i) {
        text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[0m\x1b[K";
    }
    return write(text + "\x1b[J");
}

bool Screen::write(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written > 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) {
            pollfd polled{STDOUT_FILENO, POLLOUT, 0};
            poll(&polled, 1, -1);
        } else if (errno != EINTR) {
            has_ended_ = true;
            return false;
        }
    }
    return true;
}

std::vector<Screen::Input> parse_keys(std::string_view bytes) {
    using Key = Screen::Key;
    std::vector<Screen::Input> out;
    while (!bytes.empty()) {
        if (bytes[0] != '\x1b') {
            out.push_back({Key::Character, bytes[0]});
            bytes.remove_prefix(1);
            continue;
        }
        if (bytes.size() < 2 || (bytes[1] != '[' && bytes[1] != 'O')) {
            out.push_back({Key::Escape, '\0'});
            bytes.remove_prefix(1);
            continue;
        }
        // ESC [ parameters, then one byte from @ to ~ (ECMA-48, 5.4).
        std::size_t end = 2;
        while (end < bytes.size() && (bytes[end] < '@' || bytes[end] > '~')) {
            ++end;
        }
        const std::string_view parameters = bytes.substr(2, end - 2);
        const char last = end < bytes.size() ? bytes[end] : '\0';
        Key key = Key::Other;
        switch (last) {
            case 'A':
                key = Key::Up;
                break;
            case 'B':
                key = Key::Down;
                break;
            case 'H':
                key = Key::Home;
                break;
            case 'F':
                key = Key::End;
                break;
            case '~':
                key = parameters == "5"                        ? Key::PageUp
                      : parameters == "6"                      ? Key::PageDown
                      : parameters == "1" || parameters == "7" ? Key::Home
                      : parameters == "4" || parameters == "8" ? Key::End
                                                               : Key::Other;
                break;
            default:
                break;
        }
        out.push_back({key, '\0'});
        bytes.remove_prefix(std::min(end + 1, bytes.size()));
    }
    return out;
}

}  // namespace meshd::cli
