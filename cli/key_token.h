// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "cli/exit_code.h"

namespace meshd::cli {

/// Said instead of repeating a token that was given on the command line.
inline constexpr std::string_view kNoTokenHere =
    "a token must not stand on a command line, where every user of this box can read it and the "
    "shell remembers it: leave it away and type it when asked, pipe it in, or put it into a file "
    "(--file)";

/// Whether the word may be a mesh key's token, or a part of one. Such words are never repeated.
bool looks_like_token(std::string_view word);

/// The text of a token: of the file, where one is named; else typed, without showing it, where
/// standard input is a terminal; else all of standard input. A failure has been told to the user
/// already.
tl::expected<std::string, ExitCode> read_token(const std::string& file);

}  // namespace meshd::cli
