// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace meshd::ipc {

/// The name nearest to `wrong` by edit distance, or empty where none is near: more than a third of
/// it would have to change. The first of several equally near.
std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> names);

}  // namespace meshd::ipc
