// SPDX-License-Identifier: Apache-2.0
/// \file
/// A command of meshctl as a plain row: the parser, the help and the checks of values are made
/// from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cli/exit_code.h"

namespace meshd::cli {

class Arguments;
class Context;

enum class ValueKind {
    Flag,
    Text,      ///< UTF-8, not empty
    Path,      ///< name of a file: any bytes, not empty
    Any,       ///< whatever it is
    Number,    ///< whole, `min` to `max`
    Choice,    ///< one of `choices`
    Duration,  ///< `3`, `500ms`, `3s`, `10m`, `2h`; `min` to `max` milliseconds
};

struct Option {
    std::string_view name;        ///< without dashes
    std::string_view value = {};  ///< how the help calls the value; empty for a flag
    std::string_view help = {};
    ValueKind kind = ValueKind::Flag;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::string_view choices = {};  ///< separated by `|`
    char letter = '\0';             ///< short form, as -c; none where 0
    bool is_many = false;           ///< may be given several times; else the last one counts
};

struct Argument {
    std::string_view name;  ///< in capitals
    std::string_view help;
    bool is_required = true;
    bool is_many = false;              ///< takes all that follow; only the last may
    ValueKind kind = ValueKind::Text;  ///< Text, Path or Any
};

using Run = ExitCode (*)(Context&, const Arguments&);

struct Verb {
    /// One word, or group and word: "state get".
    std::string_view name;
    std::string_view summary;  ///< one line, no full stop
    std::span<const Argument> arguments;
    std::span<const Option> options;
    /// Command lines, one per line.
    std::string_view example;
    Run run = nullptr;
    /// Paragraphs below the options; may be empty.
    std::string_view notes = {};
    /// Answers --help where the first argument is given too; none: the help of the row.
    Run run_help = nullptr;
};

/// Accepted before and after every verb.
struct GlobalOption {
    static constexpr std::string_view kSocket = "socket";
    static constexpr std::string_view kJson = "json";
    static constexpr std::string_view kTimeout = "timeout";
    static constexpr std::string_view kNoColor = "no-color";
    static constexpr std::string_view kQuiet = "quiet";
};
std::span<const Option> global_options();

}  // namespace meshd::cli
