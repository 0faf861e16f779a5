// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace meshd {

struct BoundSocket {
    int fd = -1;
    /// "0660, group meshd" or "0600".
    std::string access_text;
};

/// Makes the directory of the default places, replaces a socket file nobody answers at, binds and
/// listens. Fails with what was found and what to do.
tl::expected<BoundSocket, std::string> bind_ipc_socket(const std::string& path);

}  // namespace meshd
