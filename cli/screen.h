// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ipc/client/descriptor.h"

namespace meshd::cli {

/// The whole terminal: its alternate screen, single keys, its size. The terminal is as it was
/// before when this object ends, and also where a signal ends, stops or crashes the process. One
/// per process.
class Screen {
  public:
    enum class Key {
        None,
        Other,
        Up,
        Down,
        PageUp,
        PageDown,
        Home,
        End,
        Escape,
        Character,  ///< that of Input::character
    };
    struct Input {
        Key key = Key::None;
        char character = '\0';
    };
    struct Size {
        std::size_t columns = 80;
        std::size_t rows = 24;
    };
    /// What wait() ended for.
    enum class Wake { Time, Keys, Resized, Descriptor, End };

    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    /// False where standard input or output is no terminal.
    bool is_open() const { return is_open_; }
    /// As of now.
    Size size() const;
    /// Waits for a key, a new size, the descriptor (`events` as of poll; -1 = none), a signal that
    /// ends the program or the end of the terminal, or the time.
    Wake wait(int descriptor, short events, std::chrono::steady_clock::time_point until);
    /// Keys typed, in order.
    std::vector<Input> read_keys();
    /// Shows these lines from the top; more than fit are left out. False where the terminal is
    /// gone.
    bool show(std::span<const std::string> lines);

  private:
    bool write(std::string_view text);

    bool is_open_ = false;
    bool has_ended_ = false;
    ipc::Descriptor signals_;
    ipc::Descriptor signals_end_;
};

/// Keys in what a terminal sends. A lone escape at the end is Escape.
std::vector<Screen::Input> parse_keys(std::string_view bytes);

}  // namespace meshd::cli
