// SPDX-License-Identifier: Apache-2.0
/// \file
/// The "data" object of a node record, as JSON.
#pragma once

#include "proto/base/json.h"
#include "proto/store/record.h"

namespace meshd {

/// False where a member is missing, malformed or beyond its limit, or where the streams that it
/// names are not the one it stands in (`header`). What is then in `data` means nothing.
bool read_node_data(json::Value value, const RecordHeader& header, NodeData& data);

/// Writes the members of the object that `writer` is in.
void write_node_data(json::Writer& writer, const NodeData& data);

}  // namespace meshd
