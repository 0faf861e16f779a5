// SPDX-License-Identifier: Apache-2.0
/// \file
/// Registry entries out of a call's params.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "ipc/error.h"
#include "ipc/params.h"
#include "proto/node.h"

namespace meshd {

/// The canonical embedding of an `embedding` param: array of numbers, {"f16": base64} or
/// {"f32": base64}, little-endian. What is canonical already (registry.get gave it) stays as it is,
/// bit by bit; all else is normalised. Fails with that field.
tl::expected<Buffer, ipc::Error> read_embedding(const json::Value& value,
                                                std::string_view field = "embedding");
/// The values of such a param as they are, for a search; whether they are finite and not all zero
/// is for the search to say.
tl::expected<std::vector<float>, ipc::Error> read_vector(const json::Value& value,
                                                         const std::string& field);

/// The command of a registry.put: one entry, or all of `entries`. Errors name the entry's member:
/// "entries[3].embedding".
tl::expected<PutEntries, ipc::Error> read_put(const ipc::Params& params);

/// The member of a put that the core's field is: "entries[3].embedding" where `is_many`.
std::string entry_field(bool is_many, std::optional<std::size_t> index, const std::string& field);

}  // namespace meshd
