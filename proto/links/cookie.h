// SPDX-License-Identifier: Apache-2.0
/// \file
/// Proof that a REQ comes from where its HELLO came from, without any state: a keyed hash of source
/// address, initiator's start id and 10-second epoch (as in RFC 7296, section 2.6).
#pragma once

#include <array>

#include "proto/base/endpoint.h"
#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/wire/message.h"

namespace meshd {

class CookieJar {
  public:
    static constexpr Duration kEpoch = std::chrono::seconds(10);

    explicit CookieJar(Prng& prng) { prng.fill(secret_.data(), secret_.size()); }

    Cookie bake(TimePoint now, const Endpoint& from, StartId initiator) const;
    /// True for a cookie baked in this epoch or the one before.
    bool check(TimePoint now, const Endpoint& from, StartId initiator, const Cookie& cookie) const;

  private:
    Cookie bake_for(std::uint64_t epoch, const Endpoint& from, StartId initiator) const;
    std::array<std::uint8_t, 32> secret_{};
};

}  // namespace meshd
