// SPDX-License-Identifier: Apache-2.0
/// \file
/// Names, instants and addresses in short, for the tests of links.
#pragma once

#include <chrono>
#include <string_view>

#include "proto/base/endpoint.h"
#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/wire/message.h"

namespace meshd::test {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

inline NodeId id(std::string_view name) {
    return NodeId::parse(name).value();
}

/// Well after zero, so that nothing that happens early looks like "never".
inline TimePoint at(std::int64_t ms) {
    return TimePoint(seconds(1000)) + milliseconds(ms);
}

inline Prng prng(std::uint8_t seed = 1) {
    Entropy entropy{};
    entropy[0] = seed;
    return Prng(entropy);
}

inline Endpoint box(std::uint8_t number, std::uint16_t port = 9999, std::uint32_t interface = 1) {
    return ipv4_endpoint({10, 0, 0, number}, port, interface);
}

inline Identity identity(std::string_view name, std::uint64_t instance, std::uint64_t start) {
    return {id(name), InstanceId{instance}, StartId{start}};
}

}  // namespace meshd::test
