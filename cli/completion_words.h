// SPDX-License-Identifier: Apache-2.0
/// \file
/// What may come next on a command line of meshctl, from the rows of verbs: the one source of the
/// completions of all shells.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace meshd::cli {

struct Candidate {
    std::string word;
    std::string help = {};  ///< may be empty
};

struct Completion {
    std::vector<Candidate> words;
    /// The word may be a file's name besides.
    bool wants_files = false;
};

/// Names that only the daemon knows; asked for where they are needed alone.
using AskNodes = std::function<std::vector<std::string>()>;

/// What `words.back()` may become; the words before it, without the program's name, are as typed.
/// Words that cannot be are passed over: while somebody types, most lines are wrong.
Completion complete_words(std::span<const std::string> words, const AskNodes& ask_nodes);

/// The value of --socket among the words; empty where there is none.
std::string socket_of(std::span<const std::string> words);

}  // namespace meshd::cli
