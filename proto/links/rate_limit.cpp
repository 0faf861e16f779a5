// SPDX-License-Identifier: Apache-2.0
#include "proto/links/rate_limit.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "proto/base/bytes.h"
#include "proto/base/hash.h"

namespace meshd {

bool SourceLimiter::take(TimePoint now, const Endpoint& from) {
    Source source{};
    std::copy(from.address.begin(), from.address.end(), source.begin());
    if (by_ == By::AddressAndPort) {
        store_big_endian<2>(source.data() + from.address.size(), from.port);
    }
    Place place = chains_.empty() ? kNone : chains_[chain_of(source)];
    while (place != kNone && sources_[place].source != source) {
        place = sources_[place].next;
    }
    if (place == kNone) {
        place = add(source);
    } else if (place != newest_) {
        unlink(place);
        link_newest(place);
    }
    return sources_[place].tokens.take(now);
}

std::size_t SourceLimiter::chain_of(const Source& source) const {
    return static_cast<std::size_t>(keyed_checksum64(source, key_)) & (chains_.size() - 1);
}

SourceLimiter::Place SourceLimiter::add(const Source& source) {
    Place place = static_cast<Place>(sources_.size());
    if (sources_.size() >= kSourcesMax) {
        place = oldest_;
        unchain(place);
        unlink(place);
        sources_[place].source = source;
        sources_[place].tokens = TokenBucket(rate_);
    } else {
        sources_.push_back({source, TokenBucket(rate_)});
    }
    link_newest(place);
    if (chains_.size() < sources_.size()) {
        chains_.assign(std::bit_ceil(2 * sources_.size()), kNone);
        for (std::size_t i = 0; i < sources_.size(); ++i) {
            sources_[i].next =
                std::exchange(chains_[chain_of(sources_[i].source)], static_cast<Place>(i));
        }
    } else {
        sources_[place].next = std::exchange(chains_[chain_of(source)], place);
    }
    return place;
}

void SourceLimiter::unchain(Place place) {
    Place* at = &chains_[chain_of(sources_[place].source)];
    while (*at != place) {
        at = &sources_[*at].next;
    }
    *at = sources_[place].next;
}

void SourceLimiter::unlink(Place place) {
    const Bucket& bucket = sources_[place];
    (bucket.older == kNone ? oldest_ : sources_[bucket.older].newer) = bucket.newer;
    (bucket.newer == kNone ? newest_ : sources_[bucket.newer].older) = bucket.older;
}

void SourceLimiter::link_newest(Place place) {
    sources_[place].older = newest_;
    sources_[place].newer = kNone;
    (newest_ == kNone ? oldest_ : sources_[newest_].newer) = place;
    newest_ = place;
}

}  // namespace meshd
