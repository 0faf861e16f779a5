// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace meshd::ipc {

/// The method table as an OpenRPC 1.2.6 document (https://spec.open-rpc.org), compact JSON.
std::string print_openrpc(std::string_view version);

}  // namespace meshd::ipc
