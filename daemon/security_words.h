// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an operator has to know about keys, in words.
#pragma once

#include <string>
#include <vector>

#include "proto/view.h"

namespace meshd {

/// What keeps the mesh from being sealed, and what to do about it: for mesh.status. Empty where all
/// is as it should be.
std::vector<std::string> security_warnings(const SecurityView& view);

/// For the line that says that the daemon is ready: "sealed with key 1a098fca".
std::string security_words(SecurityMode mode, KeyId active);

}  // namespace meshd
