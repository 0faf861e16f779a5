// SPDX-License-Identifier: Apache-2.0
#include "proto/links/link.h"

#include <algorithm>

namespace meshd {

Link::Link(TimePoint now, const Established& session, const Config& config, Counters& counters,
           ReassemblyBudget& budget, Prng& prng)
    : egress(session.peer_session, config.datagram_bytes, counters),
      liveness(now, {config.heartbeat_interval / 10, std::chrono::seconds(2)}, prng),
      reassembler(budget),
      session_(session),
      up_since_(now) {
    if (session.initiator) {
        conf_at_ = now;
    }
}

bool Link::on_datagram(TimePoint now, std::uint64_t counter) {
    if (!replay_.accept(counter)) {
        return false;
    }
    conf_at_.reset();
    liveness.on_heard(now);
    egress.on_time(now);
    return true;
}

Link::Due Link::on_timeout(TimePoint now, Prng& prng) {
    egress.on_timeout(now);
    if (conf_at_ && *conf_at_ <= now) {
        egress.send(std::make_shared<const EncodedMessage>(encode_message(Conf{})),
                    TrafficClass::Control, false);
        conf_at_ = now + conf_delay_;
        conf_delay_ *= 2;
    }
    if (egress.is_stalled(now)) {
        return Due::Down;
    }
    switch (liveness.on_timeout(now, prng)) {
        case Liveness::Verdict::Wait:
            return Due::Nothing;
        case Liveness::Verdict::SendRequest:
            return Due::Heartbeat;
        case Liveness::Verdict::Down:
            return Due::Down;
    }
    return Due::Nothing;
}

std::optional<TimePoint> Link::next_deadline() const {
    TimePoint next = liveness.next_deadline();
    for (const auto& other : {egress.next_deadline(), reassembler.next_deadline(), conf_at_}) {
        if (other) {
            next = std::min(next, *other);
        }
    }
    return next;
}

}  // namespace meshd
