// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/verb.h"

namespace meshd::cli {

/// "meshctl nodes [NODE] [--state]".
std::string usage_line(const Verb& verb);
/// Full help of one verb: usage, what it does, arguments, options, example.
std::string verb_help(const Verb& verb);
/// Help of all verbs "GROUP …".
std::string group_help(std::string_view group);
/// What `meshctl --help` prints.
std::string overview_help();

}  // namespace meshd::cli
