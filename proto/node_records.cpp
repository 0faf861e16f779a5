// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/hash.h"
#include "proto/node_impl.h"

namespace meshd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// An alert that comes by repair and is older is no live alert any more.
constexpr std::uint64_t kLiveAlertAgeMsMax = 10'000;
/// Own records are written again against others' claims at most this often.
constexpr Duration kDefendInterval = seconds(1);
/// Messages waiting on a link beyond which its peer's pulls and digest requests are not answered:
/// it repeats them by itself, and an answer is up to 448 KiB long.
constexpr std::size_t kAnswerBacklogMax = 512;
/// The same pull within this time is the same message twice: whoever asks again waits longer.
constexpr Duration kPullRepeated = milliseconds(90);
/// A peer's census is answered this often at most.
constexpr Duration kCensusInterval = seconds(1);
/// What is pushed with it is flooded: the hash of no graph.
constexpr std::uint32_t kNoGraph = 0;
/// State documents spread at most this often, and at most at this many bytes per second.
constexpr Duration kStateInterval = milliseconds(200);
constexpr std::size_t kStateBytesPerSecond = 64 * 1024;
/// Floors of the own alerts move with every alert once the store is full; holders that learn of
/// them late only keep a little more.
constexpr Duration kFloorsInterval = seconds(30);

/// Node records come first: they are what routes are made of.
TrafficClass traffic_class_of(const Record& record) {
    if (record.alert) {
        switch (record.alert->priority) {
            case Priority::Low:
                return TrafficClass::Low;
            case Priority::Normal:
                return TrafficClass::Normal;
            case Priority::High:
                return TrafficClass::High;
            case Priority::Critical:
                return TrafficClass::Critical;
        }
    }
    if (record.registry) {
        return TrafficClass::Low;  // many at a time, and nobody waits for a single one
    }
    return record.header.kind == RecordKind::Node ? TrafficClass::High : TrafficClass::Normal;
}

/// How a record came, without the detour: what a node repairs after a restart may have passed it
/// before.
Provenance without_loop(Provenance provenance, const NodeId& self) {
    auto& path = provenance.path;
    path.erase(std::find(path.begin(), path.end(), self.short_id()), path.end());
    return provenance;
}

bool is_critical(const Record& record) {
    return record.alert && record.alert->priority == Priority::Critical;
}

}  // namespace

void Node::Impl::publish_node_soon(TimePoint at) {
    publish_node_at_ = publish_node_at_ ? std::min(*publish_node_at_, at) : at;
}

void Node::Impl::publish_node(Now now) {
    publish_node_at_.reset();
    NodeData data;
    data.instance = self_.instance;
    data.start = self_.start;
    data.version = options_.version;
    data.volatile_stream = volatile_stream_;
    data.durable_stream = durable_stream_;
    std::tie(data.alert_floor, data.critical_floor) = store_.own_alert_floors();
    data.addresses = addresses_;
    data.presence = presence_;
    data.forgotten = forgetting_.own();
    data.security = security_claim();
    for (const auto& [peer, link] : links_) {
        data.links.push_back({peer, link.cost_class});
    }
    const HeldRecord* old = store_.node_record(self_.node);
    if (old != nullptr && *old->record.node == data) {
        return;
    }
    const HeldRecord& held = store_.write_node(stamp(now), std::move(data));
    counters_.add(Counter::records_written);
    floors_published_at_ = now.monotonic;
    topology_dirty_ = true;
    refresh_topology(now.monotonic);
    push(now.monotonic, held, tree_hash(now.monotonic, held), NodeId());
}

/// Tells holders which own alerts they may drop, when the oldest have made room for new ones.
void Node::Impl::publish_floors_soon() {
    const NodeData& published = *store_.node_record(self_.node)->record.node;
    if (store_.own_alert_floors() != std::pair(published.alert_floor, published.critical_floor)) {
        publish_node_soon(floors_published_at_ + kFloorsInterval);
    }
}

void Node::Impl::publish_state(Now now) {
    publish_state_at_.reset();
    const HeldRecord& held = store_.write_state(stamp(now), own_state_);
    counters_.add(Counter::records_written);
    const auto bytes = held.record.bytes.size();
    state_allowed_at_ =
        now.monotonic +
        std::max<Duration>(kStateInterval,
                           std::chrono::microseconds(bytes * 1'000'000 / kStateBytesPerSecond));
    push(now.monotonic, held, topology_.graph().hash(), NodeId());
}

/// What must not depend on a tree: critical alerts, and a goodbye, which takes its links out of the
/// graph.
bool Node::Impl::is_flooded(const HeldRecord& held) const {
    return is_critical(held.record) ||
           (held.record.header.author == self_.node && presence_ != Presence::Here);
}

bool Node::Impl::is_forming(TimePoint now) const {
    return membership_.members().size() > kManyNodes && node_news_.recent(now) > kMuchNews;
}

/// Of the tree along which a record goes that comes by no push. While a large mesh forms nobody
/// else knows the graph known here.
std::uint32_t Node::Impl::tree_hash(TimePoint now, const HeldRecord& held) const {
    return held.record.node && is_forming(now) ? kNoGraph : topology_.graph().hash();
}

void Node::Impl::push(TimePoint now, const HeldRecord& held, std::uint32_t graph,
                      const NodeId& except) {
    if (held.record.header.kind == kOtherKind) {
        return;  // a later version's: a push cannot name its kind, deltas carry it
    }
    if (held.provenance.path.size() >= limits::kHopsMax) {
        counters_.add(Counter::drop_hops);
        return;
    }
    const RecordHeader& header = held.record.header;
    const std::vector<Link*> targets =
        spread_targets(header.author, held.provenance.path, graph, except, is_flooded(held));
    // To flood node records by the thousand costs each node several copies of each. To tell peers
    // of many at once, and to be asked for what they miss, costs one, and some time for each hop.
    const bool is_offered = held.record.node && header.author != self_.node && is_forming(now) &&
                            !topology_.children_of(header.author, graph);
    std::vector<NodeId> told;
    if (is_offered) {
        for (const Link* link : targets) {
            told.push_back(link->peer().node);
        }
    } else if (!is_flooded(held)) {
        told = topology_.repairs_of(header.author, graph);
    }
    announcer_.on_new(now, prng_, {header.author, header.stream, header.counter},
                      is_offered                              ? Announcer::Haste::Together
                      : held.record.node || held.record.alert ? Announcer::Haste::Urgent
                                                              : Announcer::Haste::Later,
                      told);
    if (targets.empty() || is_offered) {
        return;
    }
    Push message;
    message.kind = held.record.header.kind;
    message.record = held.record.bytes;
    // Of an own record, what it said when it was written: another may have been written since.
    message.covers_after = held.record.header.author == self_.node
                               ? held.covers_after()
                               : store_.covers_after(held.record.header);
    message.graph = graph;
    message.provenance = held.provenance;
    message.provenance.age_ms = held.age_ms(now);
    message.provenance.path.push_back(self_.node.short_id());
    const SharedMessage shared = share_message(message);
    for (Link* link : targets) {
        link->egress.send(shared, traffic_class_of(held.record), true);
        counters_.add(Counter::pushes_sent);
    }
}

void Node::Impl::on_push(Now now, const NodeId& peer, const Push& push) {
    const ApplyResult result = store_.apply(now.monotonic, push.record, push.covers_after,
                                            without_loop(push.provenance, self_.node));
    count_applied(push.kind, result.outcome);
    if (result.outcome == Applied::New) {
        on_new_record(now.monotonic, peer, *result.held, push.graph);
    }
    if (result.place.counter != 0) {
        announcer_.on_known(peer, result.place.stream,
                            {result.place.counter, result.place.counter});
    }
}

void Node::Impl::on_delta(Now now, const NodeId& peer, Delta& delta) {
    if (!reconciler_.expects_delta(peer)) {
        counters_.add(Counter::drop_not_allowed_here);
        return;
    }
    for (DeltaRecord& entry : delta.records) {
        entry.provenance = without_loop(std::move(entry.provenance), self_.node);
    }
    std::vector<RecordPlace> news;
    store_.apply_delta(
        now.monotonic, delta,
        [&](const DeltaRecord&, const ApplyResult& result, RecordKind kind) {
            count_applied(kind, result.outcome);
            if (result.place.counter != 0) {
                announcer_.on_known(peer, result.place.stream,
                                    {result.place.counter, result.place.counter});
                announcer_.on_taken(result.place.stream, result.place.counter);
            }
            if (result.outcome == Applied::New) {
                counters_.add(Counter::records_repaired);
                news.push_back(result.place);
            }
        },
        reconciler_.takes_keyed(now.monotonic, peer));
    // Told and passed on only now: what a record may say it covers is known once all are in.
    for (const RecordPlace& place : news) {
        if (const HeldRecord* held = store_.record(place.stream, place.counter)) {
            on_new_record(now.monotonic, peer, *held, std::nullopt);
        }
    }
    reconciler_.on_delta(now.monotonic, peer, store_);
}

void Node::Impl::count_applied(RecordKind kind, Applied outcome) {
    counters_.add(Counter::record_copies_received);
    if (kind == RecordKind::Alert && outcome != Applied::Refused) {
        counters_.add(Counter::alert_copies_received);
    }
    switch (outcome) {
        case Applied::New:
            counters_.add(Counter::records_received);
            return;
        case Applied::Duplicate:
            return;
        case Applied::Stale:
            counters_.add(Counter::drop_record_stale);
            return;
        case Applied::Refused:
            counters_.add(Counter::drop_record);
            return;
    }
}

/// `graph`: of the push it came by; nothing where it came by repair.
void Node::Impl::on_new_record(TimePoint now, const NodeId& peer, const HeldRecord& held,
                               std::optional<std::uint32_t> graph) {
    const Record& record = held.record;
    if (record.node) {
        has_node_news_ = true;
        node_news_.add(now);
    } else if (record.state) {
        outputs_.push_back(StateEvent{{record.header.author, record.state->activity,
                                       record.state->document, held.age_ms(now)}});
    } else if (record.alert) {
        counters_.add(Counter::alerts_received);
        outputs_.push_back(
            AlertEvent{alert_view(now, held), held.age_ms(now) > kLiveAlertAgeMsMax});
        if (held.provenance.report_ms > 0 && record.header.author != self_.node) {
            send_routed(record.header.author,
                        DeliveryReport{record.header.stream, record.header.counter}, peer);
        }
    } else {
        tell_keyed(now, held);
    }
    if (graph) {
        push(now, held, *graph, peer);
    } else if (held.age_ms(now) <= kLiveAlertAgeMsMax || record.node) {
        // A repaired record that is news may be so for others; history they fetch by themselves.
        push(now, held, tree_hash(now, held), peer);
    }
    if (!record.alert) {
        store_.forget_path(place_of(record.header));  // shown for alerts only
    }
}

void Node::Impl::on_census(Now now, const NodeId& peer, const Census& census) {
    std::vector<Record> dead;
    reconciler_.on_census(now.monotonic, peer, census, store_, dead);
    for (const Record& record : dead) {
        tell_dead(record, peer);
    }
}

void Node::Impl::send_census(TimePoint now, Link& link, std::uint32_t number) {
    // It looks at every record: not for each that asks again and again.
    if (link.egress.pending() > kAnswerBacklogMax || now < link.census_at) {
        counters_.add(Counter::drop_rate);
        return;
    }
    link.census_at = now + kCensusInterval;
    for (Census& part : split_census(store_.census())) {
        part.number = number;
        link.egress.send(share_message(part), TrafficClass::Normal, true);
        counters_.add(Counter::censuses_sent);
    }
}

void Node::Impl::run_announcer() {
    while (const auto request = announcer_.poll()) {
        if (const auto* announce = std::get_if<Announcer::SendAnnounce>(&*request)) {
            if (Link* link = find_link(announce->peer)) {
                link->egress.send(share_message(announce->announce), TrafficClass::Normal, true);
            }
        } else if (const auto* pull = std::get_if<Announcer::SendPull>(&*request)) {
            if (Link* link = find_link(pull->peer)) {
                link->egress.send(share_message(pull->pull), TrafficClass::Normal, true);
                reconciler_.on_pulled(pull->peer);
                counters_.add(Counter::pulls_sent);
            }
        }
    }
}

void Node::Impl::reopen_streams(Now now) {
    counters_.add(Counter::streams_reopened);
    volatile_stream_ = StreamId{prng_.next() | 1};
    durable_stream_ = StreamId{prng_.next() | 1};
    store_.reopen_streams(stamp(now), volatile_stream_, durable_stream_);
    push_own_records(now);
}

void Node::Impl::push_own_records(Now now) {
    topology_dirty_ = true;
    for (const HeldRecord* own :
         {store_.node_record(self_.node), store_.state_record(self_.node)}) {
        push(now.monotonic, *own, topology_.graph().hash(), NodeId());
    }
}

/// Sets right what others hold of this node and this node did not write in this start.
void Node::Impl::defend_own_records(Now now) {
    const bool attacked = store_.own_stream_overtaken() || store_.own_records_outdated();
    if (!attacked || (defended_at_ && now.monotonic - *defended_at_ < kDefendInterval)) {
        return;
    }
    defended_at_ = now.monotonic;
    if (const NodeData* other = store_.own_name_claimed()) {
        on_outwritten(now.monotonic, *other);
    }
    if (store_.own_stream_overtaken()) {
        reopen_streams(now);
    }
    if (store_.own_records_outdated()) {
        store_.rewrite_own_records(stamp(now));
        push_own_records(now);
    }
}

void Node::Impl::on_pull(TimePoint now, Link& link, const Pull& pull) {
    if (link.egress.pending() > kAnswerBacklogMax) {
        counters_.add(Counter::drop_rate);
        return;
    }
    // A pull whose acknowledgement was late comes twice; half a megabyte need not go twice for
    // that.
    const std::uint64_t fingerprint = hash64(encode_message(pull).bytes);
    if (link.answered && link.answered->fingerprint == fingerprint &&
        now - link.answered->at < kPullRepeated) {
        counters_.add(Counter::drop_duplicate);
        return;
    }
    link.answered = Link::Answered{fingerprint, now};
    if (pull.window != 0) {
        link.egress.set_bulk_window_max(pull.window);
    }
    Pull wanted = pull;
    UnderWay& under_way = under_way_[link.peer().node];
    const std::size_t waiting = link.egress.bulk_bytes();
    under_way.leave_out(now, waiting == 0, wanted.wants);
    const std::size_t deltas_max =
        Reconciler::kDeltasPerPull -
        std::min(Reconciler::kDeltasPerPull - 1, waiting / limits::kDeltaBytesMax);
    std::vector<Delta> deltas = store_.deltas(now, wanted, deltas_max);
    for (Delta& delta : deltas) {
        for (DeltaRecord& record : delta.records) {
            auto& path = record.provenance.path;
            if (path.size() < limits::kHopsMax) {
                path.push_back(self_.node.short_id());
            }
        }
        if (link.egress.send(share_message(delta), TrafficClass::Bulk, true)) {
            under_way.add(delta);
            counters_.add(Counter::deltas_sent);
        }
    }
}

void Node::Impl::send_digest(Link& link, const std::optional<BucketHashes>& theirs) {
    if (link.egress.pending() > kAnswerBacklogMax) {
        counters_.add(Counter::drop_rate);
        return;
    }
    auto [buckets, streams] = store_.digest(theirs);
    for (auto& part : split_streams(std::move(streams))) {
        Digest digest;
        digest.buckets = buckets;
        digest.streams = std::move(part);
        link.egress.send(share_message(digest), TrafficClass::Normal, true);
        counters_.add(Counter::digests_sent);
    }
}

void Node::Impl::run_reconciler() {
    while (const auto request = reconciler_.poll()) {
        if (const auto* ask = std::get_if<Reconciler::AskDigest>(&*request)) {
            if (Link* link = find_link(ask->peer)) {
                Digest digest;
                digest.is_request = true;
                digest.hashes = store_.bucket_hashes();
                link->egress.send(share_message(digest), TrafficClass::Normal, true);
            }
        } else if (const auto* pull = std::get_if<Reconciler::SendPull>(&*request)) {
            if (Link* link = find_link(pull->peer)) {
                Pull asked = pull->pull;
                asked.window = static_cast<std::uint16_t>(std::clamp<std::size_t>(
                    config_.receive_window / std::max<std::size_t>(1, reconciler_.pulls()), 1,
                    UINT16_MAX));
                link->egress.send(share_message(asked), TrafficClass::Normal, true);
                reconciler_.on_pulled(pull->peer);
                counters_.add(Counter::pulls_sent);
            }
        } else if (const auto* census = std::get_if<Reconciler::AskCensus>(&*request)) {
            if (Link* link = find_link(census->peer)) {
                Census asked;
                asked.is_request = true;
                asked.number = census->number;
                link->egress.send(share_message(asked), TrafficClass::Normal, true);
            }
        }
    }
}

}  // namespace meshd
