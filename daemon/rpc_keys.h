// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the methods of the mesh keys come to: each call is planned on the keys as they are, and
/// what changes them is written before it is answered. Errors never hold a token.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "daemon/keys_access.h"
#include "ipc/error.h"
#include "ipc/method_table.h"
#include "ipc/params.h"

namespace meshd {

/// A call that is permitted: the reply, and the ring that must be kept before it is given.
struct KeyPlan {
    std::string reply;
    Keyring ring;
    KeyOrigin origin = KeyOrigin::Created;
    bool is_change = false;  ///< else the ring does not matter
};

/// Plans a call of one of the `keys.` methods.
tl::expected<KeyPlan, ipc::Error> plan_keys(KeysAccess& keys, ipc::MethodId method,
                                            const ipc::Params& params);

}  // namespace meshd
