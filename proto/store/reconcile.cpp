// SPDX-License-Identifier: Apache-2.0
#include "proto/store/reconcile.h"

#include <algorithm>

#include "proto/wire/codec.h"

namespace meshd {

namespace {

constexpr std::uint32_t kAllBuckets = 0xffffffff;

/// Counters in all intervals together.
std::uint64_t lacking(const std::vector<StreamIntervals>& wants) {
    std::uint64_t counters = 0;
    for (const StreamIntervals& want : wants) {
        for (const Interval& interval : want.intervals) {
            counters += interval.last - interval.first + 1;
        }
    }
    return counters;
}

}  // namespace

void Reconciler::on_link_up(TimePoint now, const NodeId& peer) {
    PeerState& state = peers_[peer];
    state = PeerState{};
    requests_.push_back(AskDigest{peer});
    state.ask_at = now + kAskInterval;
}

void Reconciler::on_link_down(const NodeId& peer) {
    peers_.erase(peer);
    if (census_ && census_->peer == peer) {
        census_.reset();
    }
}

void Reconciler::on_hashes(TimePoint now, const NodeId& peer, const DigestHashes& theirs,
                           const DigestHashes& ours) {
    const auto it = peers_.find(peer);
    if (it == peers_.end()) {
        return;
    }
    PeerState& state = it->second;
    state.differs = theirs.coverage != ours.coverage;
    if (theirs == ours) {
        state.agreed_at = now;
    }
    if (!state.differs) {
        state.ask_interval = kAskInterval;
        state.fruitless = 0;
    }
    if (theirs.live == ours.live) {
        state.live_census_interval = kLiveCensusIntervalMin;
    }
    if (state.differs || theirs.live == ours.live) {
        state.live_differs_since.reset();
    } else if (!state.live_differs_since) {
        state.live_differs_since = now;
    }
}

std::optional<TimePoint> Reconciler::agreed_at(const NodeId& peer) const {
    const auto it = peers_.find(peer);
    return it == peers_.end() ? std::nullopt : it->second.agreed_at;
}

void Reconciler::on_digest(TimePoint now, const NodeId& peer, const Digest& digest) {
    const auto it = peers_.find(peer);
    if (it == peers_.end()) {
        return;
    }
    PeerState& state = it->second;
    if (!state.held) {
        state.held = Held{{}, 0, now + (state.fresh ? Duration{} : kHold)};
    }
    auto& all = state.held->streams;
    if (all.size() + digest.streams.size() > limits::kStreamsMax) {
        return;  // no honest digest is that long
    }
    state.held->buckets |= digest.buckets;
    for (const StreamIntervals& stream : digest.streams) {
        all[stream.stream] = stream;
    }
}

void Reconciler::ask_census(TimePoint now, const NodeId& peer, bool is_behind) {
    if (!census_) {
        census_ = CensusState{peer, ++last_census_, is_behind, now + kCensusTimeout, {}, {}};
        requests_.push_back(AskCensus{peer, last_census_});
    }
}

void Reconciler::on_census(TimePoint now, const NodeId& peer, const Census& census, Store& store,
                           std::vector<Record>& dead) {
    if (!census_ || census_->peer != peer || census_->number != census.number) {
        return;
    }
    if (census_->parts.insert(census.part).second) {
        census_->deadline = now + kCensusTimeout;
        census_->streams.insert(census_->streams.end(), census.streams.begin(),
                                census.streams.end());
    }
    if (census_->parts.size() < census.parts) {
        return;
    }
    // Since it was asked, or since the peer last told its hashes, floors may have risen here or
    // there: what lives with one who is behind may be dead here, and was not lost.
    std::vector<StreamIntervals> theirs;
    for (const CensusStream& stream : census_->streams) {
        theirs.push_back(stream.covered);
    }
    const bool is_behind = census_->is_behind || store.is_behind(theirs);
    std::vector<StreamIntervals> lost;
    if (is_behind || !store.is_ahead_of(theirs, kAllBuckets)) {
        lost = store.apply_census(census_->streams, is_behind, dead);
    }
    if (is_behind) {
        store.adopt_floors(theirs);
        distrust_pulls(now, peer, store);
    }
    census_.reset();
    PeerState& state = peers_.at(peer);
    state.ask_at = now;
    if (!lost.empty() && !state.pull) {
        start_pull(now, peer, state, std::move(lost));
    }
}

/// Whom we were level with when we asked may be behind the floors that have become ours since: what
/// it is sending looks new here, and its end is known to neither of us.
void Reconciler::distrust_pulls(TimePoint now, const NodeId& except, Store& store) {
    if (!store.take_adopted()) {
        return;
    }
    for (auto& [peer, state] : peers_) {
        if (peer != except && state.pull) {
            state.pull.reset();
            state.stale_until = now + kStaleAnswerTime;
            state.ask_at = std::max(state.ask_at, *state.stale_until);
        }
    }
}

bool Reconciler::takes_keyed(TimePoint now, const NodeId& peer) const {
    const auto found = peers_.find(peer);
    return found == peers_.end() || !found->second.stale_until || *found->second.stale_until <= now;
}

void Reconciler::on_pulled(const NodeId& peer) {
    const auto found = peers_.find(peer);
    if (found != peers_.end()) {
        found->second.has_pulled = true;
    }
}

bool Reconciler::expects_delta(const NodeId& peer) const {
    const auto found = peers_.find(peer);
    return found != peers_.end() && found->second.has_pulled;
}

bool Reconciler::is_in_flight(StreamId stream, const NodeId& except) const {
    return std::any_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
        return entry.first != except && entry.second.pull &&
               std::any_of(entry.second.pull->wants.begin(), entry.second.pull->wants.end(),
                           [&](const StreamIntervals& w) { return w.stream == stream; });
    });
}

void Reconciler::start_pull(TimePoint now, const NodeId& peer, PeerState& state,
                            std::vector<StreamIntervals> wants) {
    // Bounded by what one message may list; the rest follows when these have come.
    constexpr std::size_t kWantsMax = 256;
    if (wants.size() > kWantsMax) {
        wants.resize(kWantsMax);
    }
    wants = std::move(split_streams(std::move(wants)).front());
    requests_.push_back(SendPull{peer, Pull{wants}});
    const std::uint64_t lacking_before = lacking(wants);
    state.pull = PullState{std::move(wants), now + kPullTimeout, 0, 0, lacking_before};
}

void Reconciler::compare(TimePoint now, const NodeId& peer, PeerState& state, Store& store) {
    std::vector<StreamIntervals> theirs;
    for (auto& [id, stream] : state.held->streams) {
        theirs.push_back(std::move(stream));
    }
    const bool is_behind = store.is_behind(theirs);
    distrust_pulls(now, peer, store);
    const bool may_take_keyed =
        !is_behind && takes_keyed(now, peer) && !store.is_ahead_of(theirs, state.held->buckets);
    std::vector<StreamIntervals> wants = store.missing(theirs);
    const bool lacked_nothing = wants.empty();
    if (is_behind) {
        ask_census(now, peer, true);
    }
    if (!may_take_keyed) {
        std::set<StreamId> keyed;
        for (const StreamIntervals& their : theirs) {
            if (their.floor) {
                keyed.insert(their.stream);
            }
        }
        std::erase_if(wants, [&](const StreamIntervals& w) { return keyed.contains(w.stream); });
    }
    std::erase_if(wants, [&](const StreamIntervals& w) { return is_in_flight(w.stream, peer); });
    state.held.reset();
    state.fresh = false;
    if (lacked_nothing) {
        // It is the peer that lacks something: it will ask us.
        state.fruitless = std::min(state.fruitless + 1, kFruitlessMax);
        state.ask_interval =
            std::min(state.ask_interval * 2,
                     state.fruitless < kFruitlessMax ? kAskIntervalMax : kAskIntervalBarrenMax);
    } else if (state.last_pull_brought) {
        state.ask_interval = kAskInterval;
    }
    state.fruitless = lacked_nothing ? state.fruitless : 0;
    if (!wants.empty() && !state.pull) {
        start_pull(now, peer, state, std::move(wants));
    }
}

void Reconciler::on_delta(TimePoint now, const NodeId& peer, Store& store) {
    const auto it = peers_.find(peer);
    if (it == peers_.end() || !it->second.pull) {
        return;
    }
    PullState& pull = *it->second.pull;
    const std::uint64_t lacking_before = lacking(pull.wants);
    pull.wants = store.missing(pull.wants);
    pull.deltas += 1;
    if (lacking(pull.wants) == lacking_before) {
        return;  // the answer to a pull that came twice: the rest of this one's is on its way
    }
    pull.useful += 1;
    pull.deadline = now + kPullTimeout;
    if (pull.wants.empty()) {
        it->second.pull.reset();
        it->second.last_pull_brought = true;
        // More may lie beyond the bound of one pull: ask again as soon as hashes still differ.
        it->second.ask_at = now;
    } else if (pull.useful >= kDeltasToAskOn) {
        continue_pull(now, peer, it->second);
    }
}

/// Pulls what is still lacking, if the last pull brought anything. Records refused here for want of
/// room would otherwise be fetched for ever.
void Reconciler::continue_pull(TimePoint now, const NodeId& peer, PeerState& state) {
    PullState last = std::move(*state.pull);
    state.pull.reset();
    state.last_pull_brought = lacking(last.wants) < last.lacking_before;
    if (state.last_pull_brought) {
        state.ask_interval = kAskInterval;
        if (!last.wants.empty()) {
            start_pull(now, peer, state, std::move(last.wants));
        }
        return;
    }
    // No answer at all may be a slow link's, and costs little to ask for again.
    const Duration longest = last.deltas > 0 ? kAskIntervalBarrenMax : kAskIntervalMax;
    state.ask_interval = std::min(state.ask_interval * 2, longest);
}

void Reconciler::on_timeout(TimePoint now, Store& store) {
    if (census_ && census_->deadline <= now) {
        census_.reset();
    }
    for (auto& [peer, state] : peers_) {
        if (state.live_differs_since && *state.live_differs_since + kLiveDiffersTime <= now &&
            state.live_census_at <= now) {
            state.live_census_at = now + state.live_census_interval;
            state.live_census_interval =
                std::min(2 * state.live_census_interval, kLiveCensusIntervalMax);
            ask_census(now, peer, false);
        }
        if (state.held && state.held->compare_at <= now) {
            compare(now, peer, state, store);
        }
        if (state.pull && state.pull->deadline <= now) {
            state.pull->wants = store.missing(state.pull->wants);
            continue_pull(now, peer, state);
        }
        if (state.differs && !state.held && !state.pull && state.ask_at <= now &&
            next_ask_ <= now) {
            requests_.push_back(AskDigest{peer});
            state.ask_at = now + state.ask_interval;
            next_ask_ = now + kAskInterval;
        }
    }
}

std::optional<TimePoint> Reconciler::next_deadline() const {
    std::optional<TimePoint> next;
    const auto consider = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
    if (census_) {
        consider(census_->deadline);
    }
    for (const auto& [peer, state] : peers_) {
        if (state.live_differs_since) {
            consider(std::max(*state.live_differs_since + kLiveDiffersTime, state.live_census_at));
        }
        if (state.held) {
            consider(state.held->compare_at);
        }
        if (state.pull) {
            consider(state.pull->deadline);
        }
        if (state.differs && !state.held && !state.pull) {
            consider(std::max(state.ask_at, next_ask_));
        }
    }
    return next;
}

std::size_t Reconciler::pulls() const {
    return static_cast<std::size_t>(
        std::count_if(peers_.begin(), peers_.end(),
                      [](const auto& entry) { return entry.second.pull.has_value(); }));
}

std::optional<Reconciler::Request> Reconciler::poll() {
    if (requests_.empty()) {
        return std::nullopt;
    }
    Request request = std::move(requests_.front());
    requests_.erase(requests_.begin());
    return request;
}

}  // namespace meshd
