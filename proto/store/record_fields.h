// SPDX-License-Identifier: Apache-2.0
/// \file
/// Members that records of more than one kind have.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/base/json.h"
#include "proto/store/record.h"

namespace meshd {

/// Nothing where it is no string of lower-case hexadecimal digits.
inline std::optional<std::uint64_t> read_hex(json::Value value) {
    const auto text = value.as_string();
    return text ? parse_hex(*text) : std::nullopt;
}

inline bool read_clock(json::Value value, HybridTime& clock) {
    const auto number = read_hex(value);
    clock.value = number.value_or(0);
    return number && *number <= kHybridTimeMax.value;
}

/// A random id; 0 means none and is refused.
template <class IdType>
bool read_id(json::Value value, IdType& id) {
    const auto number = read_hex(value);
    id.value = number.value_or(0);
    return id.value != 0;
}

}  // namespace meshd
