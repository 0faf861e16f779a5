// SPDX-License-Identifier: Apache-2.0
/// \file
/// One link: a session with a peer, what leaves over it, what comes in, and whether it lives.
#pragma once

#include <optional>
#include <vector>

#include "proto/base/sequence_window.h"
#include "proto/config.h"
#include "proto/counters.h"
#include "proto/links/egress.h"
#include "proto/links/handshake.h"
#include "proto/links/liveness.h"
#include "proto/links/rate_limit.h"
#include "proto/wire/fragment.h"

namespace meshd {

class Link {
    Established session_;

  public:
    /// The window of a receiver that drops replays: datagrams reordered by more are lost.
    static constexpr std::size_t kReplayWindow = 1024;

    Link(TimePoint now, const Established& session, const Config& config, Counters& counters,
         ReassemblyBudget& budget, Prng& prng);

    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    const Identity& peer() const { return session_.peer; }
    const Endpoint& endpoint() const { return session_.endpoint; }
    SessionId own_session() const { return session_.own_session; }
    SessionId peer_session() const { return session_.peer_session; }
    TimePoint up_since() const { return up_since_; }
    /// The mesh key of the handshake; 0 = the link is open.
    KeyId seal() const { return session_.seal; }
    /// What opens the peer's datagrams; nullptr where the link is open.
    const SealKey* receive_key() const { return session_.keys ? &session_.keys->receive : nullptr; }
    bool has_feature(std::uint32_t feature) const { return (session_.features & feature) != 0; }

    /// False for a replay. Otherwise the peer is there.
    bool on_datagram(TimePoint now, std::uint64_t counter);
    Liveness::Due on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;
    std::optional<Buffer> poll_datagram(TimePoint now) { return egress.poll(now, liveness.rtt()); }

    /// Another start of the peer's installation wants this link; the start that has it is asked
    /// since then whether it still lives, and has shown so where the claim is refuted. Each is kept
    /// as long as the link: asked in turn for ever, two would each begin anew.
    struct Claim {
        StartId start;
        TimePoint since;
        bool is_refuted = false;
    };
    /// Who restarts more often while a link to it lives waits for the link's end.
    static constexpr std::size_t kClaimsMax = 8;
    std::vector<Claim> claims;
    /// The local address it was made from is gone: any other way is better.
    bool is_uprooted = false;
    /// A new handshake is to give it another key.
    bool is_rekeying = false;
    /// When mesh keys were last given to the peer.
    std::optional<TimePoint> keys_granted_at;
    /// The pull answered last.
    struct Answered {
        std::uint64_t fingerprint = 0;
        TimePoint at;
    };
    std::optional<Answered> answered;
    /// Cost class told in the own node record, and since when the measured one is another.
    std::uint8_t cost_class = 0;
    std::optional<TimePoint> cost_differs_since;
    TimePoint census_at{};  ///< the next one is answered no earlier
    TimePoint clock_due;    ///< when the next request carries a sample of the wall clock

    /// Notices taken from the peer: three rounds of a node with the most links, and they travel in
    /// the class that nothing overtakes.
    static constexpr Rate kNoticeRate{200, 200};
    TokenBucket notices{kNoticeRate};

    Egress egress;
    Liveness liveness;
    Reassembler reassembler;

  private:
    TimePoint up_since_;
    SequenceWindow<kReplayWindow> replay_;
    /// While nothing of the session has come in: when to repeat CONF.
    std::optional<TimePoint> conf_at_;
    Duration conf_delay_ = std::chrono::milliseconds(50);
};

}  // namespace meshd
