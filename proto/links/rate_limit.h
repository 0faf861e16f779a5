// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/time.h"

namespace meshd {

/// `per_second` on average, `burst` at once.
struct Rate {
    double per_second;
    double burst;
};

class TokenBucket {
  public:
    explicit TokenBucket(Rate rate) : rate_(rate), tokens_(rate.burst) {}

    bool take(TimePoint now) {
        if (now > last_) {
            const double seconds = std::chrono::duration<double>(now - last_).count();
            tokens_ = std::min(rate_.burst, tokens_ + seconds * rate_.per_second);
            last_ = now;
        }
        if (tokens_ < 1) {
            return false;
        }
        tokens_ -= 1;
        return true;
    }

  private:
    Rate rate_;
    double tokens_;
    TimePoint last_{};
};

/// A token bucket for each source, in bounded memory: where the table is full the source that was
/// silent longest makes room. A flood of made-up sources meets a full table with each datagram, so
/// that this must not cost a search through it: buckets are found in chains by a hash of their
/// source, under a key, so that nobody can make up sources of one chain.
class SourceLimiter {
  public:
    enum class By : std::uint8_t { Address, AddressAndPort };
    static constexpr std::size_t kSourcesMax = 1024;

    /// `key`: of the hash; drawn at random where sources may be hostile.
    SourceLimiter(Rate rate, By by, std::uint64_t key = 0) : rate_(rate), by_(by), key_(key) {}

    bool take(TimePoint now, const Endpoint& from);

    std::size_t size() const { return sources_.size(); }

  private:
    using Place = std::uint16_t;
    static constexpr Place kNone = UINT16_MAX;
    using Source = std::array<std::uint8_t, 18>;  ///< address and port
    struct Bucket {
        Source source;
        TokenBucket tokens;
        Place next = kNone;   ///< in the chain
        Place older = kNone;  ///< silent longer
        Place newer = kNone;
    };

    std::size_t chain_of(const Source& source) const;
    Place add(const Source& source);
    void unchain(Place place);
    void unlink(Place place);
    void link_newest(Place place);

    Rate rate_;
    By by_;
    std::uint64_t key_;
    std::vector<Bucket> sources_;
    std::vector<Place> chains_;  ///< a power of two of them, no less than sources
    Place oldest_ = kNone;
    Place newest_ = kNone;
};

/// What may come in of messages that anyone can send: limited for each address and port, for each
/// address (several nodes may share a host), and in all. In this order, so that whoever exceeds its
/// own share takes nothing of what others share with it.
class ArrivalLimiter {
  public:
    ArrivalLimiter(Rate per_source, Rate per_address, Rate in_all, std::uint64_t key = 0)
        : per_source_(per_source, SourceLimiter::By::AddressAndPort, key),
          per_address_(per_address, SourceLimiter::By::Address, key),
          in_all_(in_all) {}

    bool take(TimePoint now, const Endpoint& from) {
        return per_source_.take(now, from) && per_address_.take(now, from) && in_all_.take(now);
    }

  private:
    SourceLimiter per_source_;
    SourceLimiter per_address_;
    TokenBucket in_all_;
};

/// What of the datagrams outside any session is looked into: whoever does not know the mesh key can
/// cause one failed decryption with each, at most so often: in all 2 % of a core, at 4 µs each.
/// Before it is opened nobody knows who has sent a datagram: a limit on what comes from an address
/// would keep out a node in whose name somebody else sends. So one half of what is looked into is
/// anybody's, and the other is kept for sources within their share, so that whoever floods from
/// one address takes that half from nobody.
class OutsideGate {
  public:
    /// Four times what a node sends that starts among many, which is 8 HELLOs by two ways each and
    /// some OFFERs, REQs and ACCs in a second.
    static constexpr Rate kPerSource{40, 80};
    /// Eight nodes on one host.
    static constexpr Rate kPerAddress{320, 640};
    static constexpr Rate kWithinShare{2500, 500};
    static constexpr Rate kOfAnybody{2500, 500};
    /// REQs with a valid cookie, which proves their source: each is a handshake, and has a node ask
    /// its neighbours anew. A node asks another by five at most, in three seconds.
    static constexpr Rate kReqsPerSource{5, 10};
    static constexpr Rate kReqsPerAddress{40, 40};
    static constexpr Rate kReqsInAll{200, 200};

    explicit OutsideGate(std::uint64_t key = 0)
        : within_share_(kPerSource, kPerAddress, kWithinShare, key),
          of_anybody_(kOfAnybody),
          reqs_(kReqsPerSource, kReqsPerAddress, kReqsInAll, key) {}

    /// Before the datagram is opened.
    bool admit(TimePoint now, const Endpoint& from) {
        return within_share_.take(now, from) || of_anybody_.take(now);
    }
    /// After its cookie was found valid.
    bool admit_req(TimePoint now, const Endpoint& from) { return reqs_.take(now, from); }

  private:
    ArrivalLimiter within_share_;
    TokenBucket of_anybody_;
    ArrivalLimiter reqs_;
};

}  // namespace meshd
