// SPDX-License-Identifier: Apache-2.0
/// \file
/// When to beacon, whom to ask by unicast, whom to answer (PROTOCOL.md, "Discovery").
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "proto/base/endpoint.h"
#include "proto/base/prng.h"
#include "proto/base/time.h"
#include "proto/crypto/mesh_key.h"
#include "proto/links/rate_limit.h"
#include "proto/wire/message.h"

namespace meshd {

class Discovery {
  public:
    struct Options {
        Duration interval;      ///< between beacons after the fast start
        Duration interval_max;  ///< backing off ends here while nothing changes
        std::vector<Endpoint> bootstrap;
        std::uint64_t sources_key = 0;  ///< SourceLimiter's
    };
    /// What pacing needs to know of the rest of the node.
    struct Facts {
        std::size_t heard = 0;
        /// Without any link the beacons do not become rarer: nobody else is disturbed by them, and
        /// whoever is near is to be found.
        bool is_alone = false;
        /// A known node is offline or unreachable; since when.
        std::optional<TimePoint> missing_since;
        /// Bootstrap endpoints with which a link is up need no HELLO.
        std::vector<Endpoint> linked;
        /// An address of a random missing node, to be asked.
        std::optional<Endpoint> missing_address;
    };
    /// Who sent a HELLO.
    struct Asker {
        Endpoint from;
        StartId start;
        KeyId seal;              ///< the mesh key it was sealed with; 0 = open
        std::uint64_t echo = 0;  ///< of its random bytes, for the OFFER
        friend bool operator==(const Asker&, const Asker&) = default;
    };
    struct Due {
        bool beacon = false;
        bool is_suppressed = false;  ///< a beacon was due and left out
        std::vector<Endpoint> hellos;
        std::vector<Asker> offers;
        std::size_t offers_dropped = 0;  ///< due, but beyond kOffersPerSecond
    };
    enum class Admission { Accept, Duplicate, Limited };

    /// Offers in all and HELLOs per source and in all: discovery must never become a load.
    static constexpr double kOffersPerSecond = 20;
    static constexpr Rate kHellosPerSource{5, 10};
    /// While beacons follow each other fast, one due is left out, by chance, where more than this
    /// many HELLOs were heard since the last: about this many are sent in a step by all together
    /// (in the manner of Trickle, RFC 6206). Never the first, by which the others know this node.
    static constexpr std::size_t kCrowd = 25;
    /// In a large mesh the beacons of all together come this far apart.
    static constexpr Duration kBeaconSpacing = std::chrono::milliseconds(250);
    /// Eight nodes on one host, each at its full rate.
    static constexpr Rate kHellosPerAddress{40, 40};
    static constexpr Rate kHellosInAll{500, 500};
    static constexpr std::size_t kOffersWaitingMax = 64;
    /// An OFFER comes within 50 ms and a round trip of a bad uplink; later ones were not asked for.
    static constexpr Duration kOfferExpectedFor = std::chrono::seconds(3);
    /// HELLOs that may be unanswered at once; the oldest are forgotten beyond it. All bootstrap
    /// addresses under five seals each at a start, and as many others.
    static constexpr std::size_t kAskedMax = 512;
    /// Asked once a minute each, they cost 400 bytes a second; one or two per network are enough.
    static constexpr std::size_t kBootstrapsMax = 64;

    Discovery(TimePoint now, Options options, Prng& prng);

    /// Before anything else is done for a HELLO. The same datagram comes twice where broadcast and
    /// multicast both work; `fingerprint` (of its random bytes) tells.
    Admission admit(TimePoint now, const Endpoint& from, std::uint64_t fingerprint);
    /// Plans an OFFER: to a beacon after 0–50 ms, by unicast at once. False where too many wait.
    bool on_hello(TimePoint now, const Asker& asker, bool is_beacon, std::size_t heard,
                  std::size_t max_peers);
    /// A HELLO was sent, by whatever part of the node: to one endpoint, or as a beacon. `nonce`:
    /// the first of its random bytes.
    void on_asked(TimePoint now, const std::optional<Endpoint>& to, std::uint64_t nonce);
    /// Whether an OFFER from there is the answer to a HELLO of ours, which it has to echo: none
    /// that was recorded earlier is.
    bool expects_offer(TimePoint now, const Endpoint& from, std::uint64_t echo) const;
    /// Before anything else is done for an OFFER: limited like HELLOs, by a budget of its own.
    bool admit_offer(TimePoint now, const Endpoint& from) { return offers_heard_.take(now, from); }
    /// Something changed (a node came or went): beacon fast again.
    void on_change(TimePoint now);
    /// Replaces the bootstrap addresses: new ones are asked at once, those that stay when it is
    /// their time.
    void set_bootstrap(TimePoint now, std::vector<Endpoint> bootstrap);
    /// Other periods of beacons: the next one comes after the new one at the latest.
    void set_intervals(TimePoint now, Duration interval, Duration interval_max);
    /// Stops (leaving) and starts again.
    void stop();
    void start(TimePoint now);

    Due on_timeout(TimePoint now, const Facts& facts);
    std::optional<TimePoint> next_deadline() const;

  private:
    struct Waiting {
        TimePoint at;
        Asker asker;
    };
    struct Bootstrap {
        Endpoint endpoint;
        TimePoint next_at;
        Duration backoff;
    };

    Options options_;
    Prng* prng_;
    bool stopped_ = false;
    TimePoint started_;          ///< of the current fast phase
    std::size_t fast_step_ = 0;  ///< next of kFastStart
    Duration interval_;
    TimePoint beacon_at_;
    TimePoint last_beacon_;
    std::size_t hellos_since_beacon_ = 0;
    TimePoint probe_at_;
    bool is_eager_ = false;  ///< as of the last on_timeout
    std::vector<Bootstrap> bootstrap_;
    std::vector<Waiting> waiting_;
    TokenBucket offers_;
    ArrivalLimiter hellos_;
    ArrivalLimiter offers_heard_;
    struct Asked {
        TimePoint at;
        std::optional<Endpoint> to;  ///< absent: a beacon
        std::uint64_t nonce;
    };
    std::deque<Asked> asked_;                ///< oldest first
    std::array<std::uint64_t, 256> seen_{};  ///< fingerprints of the last HELLOs
    std::size_t seen_next_ = 0;
};

}  // namespace meshd
