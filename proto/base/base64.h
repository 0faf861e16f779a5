// SPDX-License-Identifier: Apache-2.0
/// \file
/// Base64 (RFC 4648, section 4): how bytes stand in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/base/bytes.h"

namespace meshd {

/// With padding, without line breaks.
std::string print_base64(Bytes bytes);
/// The reverse of print_base64, and of nothing else: each byte string has exactly one text. Fails
/// on other characters, missing padding, and bits set behind the last byte.
std::optional<Buffer> parse_base64(std::string_view text);

}  // namespace meshd
