// SPDX-License-Identifier: Apache-2.0
#include "proto/links/link.h"

#include <algorithm>

namespace meshd {

Link::Link(TimePoint now, const Established& session, const Config& config, Counters& counters,
           ReassemblyBudget& budget, Prng& prng)
    : session_(session),
      egress(session_.peer_session, config.datagram_bytes, counters, BulkWindow::kMaxDefault,
             session_.keys ? &session_.keys->send : nullptr),
      liveness(now, {config.link_patience, config.link_patience_max}, prng),
      reassembler(budget),
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

Liveness::Due Link::on_timeout(TimePoint now) {
    egress.on_timeout(now);
    if (conf_at_ && *conf_at_ <= now) {
        egress.send(share_message(Conf{}), TrafficClass::Control, false);
        conf_at_ = now + conf_delay_;
        conf_delay_ *= 2;
    }
    Liveness::Due due;
    if (egress.is_stalled(now)) {
        due.down = true;
        return due;
    }
    return liveness.on_timeout(now);
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
