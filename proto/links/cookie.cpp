// SPDX-License-Identifier: Apache-2.0
#include "proto/links/cookie.h"

#include <sodium/utils.h>

#include "proto/base/hash.h"

namespace meshd {
namespace {

std::uint64_t epoch_of(TimePoint now) {
    return static_cast<std::uint64_t>(now.time_since_epoch() / CookieJar::kEpoch);
}

}  // namespace

Cookie CookieJar::bake_for(std::uint64_t epoch, const Endpoint& from, StartId initiator) const {
    Buffer input;
    append(input, Bytes(from.address));
    append_big_endian<2>(input, from.port);
    append_big_endian<8>(input, initiator.value);
    append_big_endian<8>(input, epoch);
    return hash128(input, secret_);
}

Cookie CookieJar::bake(TimePoint now, const Endpoint& from, StartId initiator) const {
    return bake_for(epoch_of(now), from, initiator);
}

bool CookieJar::check(TimePoint now, const Endpoint& from, StartId initiator,
                      const Cookie& cookie) const {
    const std::uint64_t epoch = epoch_of(now);
    for (const std::uint64_t candidate : {epoch, epoch == 0 ? epoch : epoch - 1}) {
        const Cookie expected = bake_for(candidate, from, initiator);
        if (sodium_memcmp(expected.data(), cookie.data(), cookie.size()) == 0) {
            return true;
        }
    }
    return false;
}

}  // namespace meshd
