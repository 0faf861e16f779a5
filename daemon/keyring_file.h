// SPDX-License-Identifier: Apache-2.0
/// \file
/// The file `keyring` in the state directory: the mesh keys of this node, one line each:
/// `active TOKEN created` or `held TOKEN received`. Whoever reads it is a member of the mesh.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "daemon/kept_keys.h"

namespace meshd {

std::string print_keyring(const KeptKeys& keys);
/// The reverse of print_keyring; empty lines and those that begin with # are skipped. The error is
/// "3: why" with the number of the line, and holds nothing of it.
tl::expected<KeptKeys, std::string> parse_keyring(std::string_view text);

/// No keys where there is no such file. Refused, with what was found and the command that mends it:
/// a file that others than its owner may read or write, that belongs to another user than this
/// process has, that is no regular file or a symbolic link, and one that is damaged.
tl::expected<KeptKeys, std::string> load_keyring(const std::filesystem::path& path);

/// Puts the file in the place of the old one with mode 0600: whenever the power goes, the old one
/// or the new one is there, whole. Empty, or why it could not.
std::string store_keyring(const std::filesystem::path& path, const KeptKeys& keys);

}  // namespace meshd
