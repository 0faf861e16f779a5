// SPDX-License-Identifier: Apache-2.0
#include "proto/routing/announce.h"

#include <algorithm>

#include "proto/base/assert.h"
#include "proto/base/batching.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace meshd {
namespace {

/// Items, rising by stream and counter, as the streams of messages: what goes over a message's
/// intervals per stream begins another list.
std::vector<std::vector<StreamIntervals>> gather(const std::vector<Announcer::Item>& items) {
    std::vector<std::vector<StreamIntervals>> lists(1);
    for (const Announcer::Item& item : items) {
        if (lists.back().empty() || lists.back().back().stream != item.stream) {
            lists.back().push_back({item.stream, item.author, {}});
        }
        std::vector<Interval>* intervals = &lists.back().back().intervals;
        if (!intervals->empty() && intervals->back().last + 1 == item.counter) {
            intervals->back().last = item.counter;
            continue;
        }
        if (intervals->size() >= limits::kMessageIntervalsMax) {
            lists.push_back({{item.stream, item.author, {}}});
            intervals = &lists.back().back().intervals;
        }
        intervals->push_back({item.counter, item.counter});
    }
    return lists;
}

}  // namespace

void Announcer::on_new(TimePoint now, Prng& prng, const Item& item, Haste haste,
                       const std::vector<NodeId>& targets) {
    on_taken(item.stream, item.counter);
    const auto delay = [&]() -> Duration {
        switch (haste) {
            case Haste::Later:
                return kDelay;
            case Haste::Urgent:
                return prng.between(kUrgentDelayMin, kUrgentDelayMax);
            case Haste::Together:
                return kTogether - now.time_since_epoch() % kTogether;
        }
        MESHD_ASSERT(false);
    };
    for (const NodeId& peer : targets) {
        const TimePoint at = now + delay() + batch_interval(rtt_to_(peer));
        const auto known = waiting_.find(peer);
        if (known == waiting_.end() ? waiting_.size() >= kPeersMax
                                    : known->second.due.size() >= kDuePerPeerMax) {
            counters_->add(Counter::drop_announcements_full);
            continue;
        }
        Waiting& waiting = waiting_[peer];
        waiting.next = waiting.due.empty() ? at : std::min(waiting.next, at);
        waiting.due.emplace(Version{item.stream, item.counter}, Due{at, item.author});
    }
}

void Announcer::on_taken(StreamId stream, std::uint64_t counter) {
    asked_.erase({stream, counter});
}

void Announcer::on_known(const NodeId& peer, StreamId stream, const Interval& range) {
    const auto waiting = waiting_.find(peer);
    if (waiting == waiting_.end()) {
        return;
    }
    auto& due = waiting->second.due;
    const auto first = due.lower_bound({stream, range.first});
    auto last = first;
    while (last != due.end() && last->first <= Version{stream, range.last}) {
        ++last;
    }
    due.erase(first, last);
    if (due.empty()) {
        waiting_.erase(waiting);
    }
}

void Announcer::on_announce(TimePoint now, const NodeId& peer, const Announce& announce,
                            const Covered& covered) {
    counters_->add(Counter::announcements_received);
    std::size_t left = kDuePerPeerMax;  // no honest message names more
    Wanted wanted;
    const Duration timeout = pull_timeout(peer);
    for (const StreamIntervals& stream : announce.streams) {
        for (const Interval& range : stream.intervals) {
            on_known(peer, stream.stream, range);
            for (std::uint64_t counter = range.first; counter <= range.last; ++counter) {
                if (left == 0) {
                    counters_->add(Counter::drop_announcements_full);
                    ask(wanted);
                    return;
                }
                left -= 1;
                if (covered(stream.stream, counter)) {
                    continue;
                }
                const Version version{stream.stream, counter};
                if (const auto asked = asked_.find(version); asked != asked_.end()) {
                    auto& sources = asked->second.sources;
                    if (sources.size() < kSourcesMax) {
                        sources.push_back(peer);
                    }
                } else if (asked_.size() < kPullsMax) {
                    const TimePoint until = now + timeout;
                    asked_next_ = asked_.empty() ? until : std::min(asked_next_, until);
                    asked_.emplace(version, Asked{stream.author, until, {}});
                    wanted[peer].push_back({stream.author, stream.stream, counter});
                } else {
                    counters_->add(Counter::drop_announcements_full);
                }
            }
        }
    }
    ask(wanted);
}

Duration Announcer::pull_timeout(const NodeId& peer) const {
    const Duration rtt = rtt_to_(peer);
    return rtt < kBatchRttMin ? kPullTimeout : kPullTimeout + rtt;
}

void Announcer::ask(const Wanted& wanted) {
    for (const auto& [peer, items] : wanted) {
        for (auto& list : gather(items)) {
            for (auto& part : split_streams(std::move(list))) {
                requests_.push_back(SendPull{peer, {std::move(part)}});
                counters_->add(Counter::announcements_pulled);
            }
        }
    }
}

void Announcer::on_peer_gone(const NodeId& peer) {
    waiting_.erase(peer);
    for (auto& [version, asked] : asked_) {
        auto& sources = asked.sources;
        sources.erase(std::remove(sources.begin(), sources.end(), peer), sources.end());
    }
}

void Announcer::on_timeout(TimePoint now, const Covered& covered) {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        const NodeId& peer = it->first;
        Waiting& waiting = it->second;
        if (waiting.next > now) {
            ++it;
            continue;
        }
        std::vector<Item> items;
        const bool is_due =
            std::any_of(waiting.due.begin(), waiting.due.end(),
                        [now](const auto& entry) { return entry.second.at <= now; });
        const TimePoint until = now + std::max<Duration>(kBatch, batch_interval(rtt_to_(peer)) / 4);
        waiting.next = TimePoint::max();
        for (auto due = waiting.due.begin(); due != waiting.due.end();) {
            if (is_due && due->second.at <= until) {
                items.push_back({due->second.author, due->first.first, due->first.second});
                due = waiting.due.erase(due);
            } else {
                waiting.next = std::min(waiting.next, due->second.at);
                ++due;
            }
        }
        if (!items.empty()) {
            for (auto& list : gather(items)) {
                for (auto& part : split_streams(std::move(list))) {
                    requests_.push_back(SendAnnounce{peer, {std::move(part)}});
                    counters_->add(Counter::announcements_sent);
                }
            }
        }
        it = waiting.due.empty() ? waiting_.erase(it) : std::next(it);
    }

    if (asked_.empty() || asked_next_ > now) {
        return;
    }
    Wanted wanted;
    asked_next_ = TimePoint::max();
    for (auto it = asked_.begin(); it != asked_.end();) {
        Asked& asked = it->second;
        if (asked.until > now) {
            asked_next_ = std::min(asked_next_, asked.until);
            ++it;
        } else if (asked.sources.empty() || covered(it->first.first, it->first.second)) {
            it = asked_.erase(it);
        } else {
            const NodeId peer = asked.sources.front();
            wanted[peer].push_back({asked.author, it->first.first, it->first.second});
            asked.sources.erase(asked.sources.begin());
            asked.until = now + pull_timeout(peer);
            asked_next_ = std::min(asked_next_, asked.until);
            ++it;
        }
    }
    ask(wanted);
}

std::optional<TimePoint> Announcer::next_deadline() const {
    std::optional<TimePoint> next;
    const auto consider = [&next](TimePoint at) { next = next ? std::min(*next, at) : at; };
    for (const auto& [peer, waiting] : waiting_) {
        consider(waiting.next);
    }
    if (!asked_.empty()) {
        consider(asked_next_);
    }
    return next;
}

std::optional<Announcer::Request> Announcer::poll() {
    if (requests_.empty()) {
        return std::nullopt;
    }
    Request request = std::move(requests_.front());
    requests_.pop_front();
    return request;
}

std::size_t Announcer::pending() const {
    std::size_t count = asked_.size();
    for (const auto& [peer, waiting] : waiting_) {
        count += waiting.due.size();
    }
    return count;
}

}  // namespace meshd
