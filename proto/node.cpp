// SPDX-License-Identifier: Apache-2.0
#include "proto/node.h"

#include <algorithm>
#include <utility>

#include "proto/base/assert.h"
#include "proto/node_impl.h"

namespace meshd {

std::string_view node_event_name(NodeEventKind kind) {
    switch (kind) {
        case NodeEventKind::Joined:
            return "node.joined";
        case NodeEventKind::Left:
            return "node.left";
        case NodeEventKind::Restarting:
            return "node.restarting";
        case NodeEventKind::Offline:
            return "node.offline";
        case NodeEventKind::Unreachable:
            return "node.unreachable";
        case NodeEventKind::Returned:
            return "node.returned";
        case NodeEventKind::Conflict:
            return "node.conflict";
        case NodeEventKind::Isolated:
            return "node.isolated";
        case NodeEventKind::Rejoined:
            return "node.rejoined";
        case NodeEventKind::Forgotten:
            return "node.forgotten";
    }
    MESHD_ASSERT(false);
}

// A member's initializer may draw from prng_, which is declared before all that do.
Node::Impl::Impl(Config config, NodeOptions options, Now start, Restored restored)
    : config_(std::move(config)),
      options_(std::move(options)),
      prng_(options_.entropy),
      self_{options_.node_id, options_.instance, StartId{prng_.next() | 1}},
      started_(start.monotonic),
      now_(start.monotonic),
      sealing_(config_.security, std::move(options_.keyring)),
      newest_key_since_(start.monotonic),
      cookies_(prng_),
      handshake_(self_, config_.mesh_name, options_.features, sealing_.ring(), prng_),
      neighbours_({config_.max_peers, config_.bridges_max, heard_for(config_), self_.node}, prng_),
      discovery_(start.monotonic,
                 {config_.broadcast_interval, config_.broadcast_interval_max, config_.bootstrap,
                  hash_key()},
                 prng_),
      volatile_stream_{prng_.next() | 1},
      durable_stream_{prng_.next() | 1},
      store_({self_.node, volatile_stream_, durable_stream_, config_.tombstone_time,
              config_.store_memory_max, restored.run, hash_key()}),
      announcer_(counters_,
                 [this](const NodeId& peer) {
                     const Link* link = find_link(peer);
                     return link != nullptr ? link->liveness.rtt().smoothed().value_or(Duration{})
                                            : Duration{};
                 }),
      topology_(self_.node),
      state_allowed_at_(start.monotonic),
      floors_published_at_(start.monotonic),
      has_disk_(restored.has_disk),
      run_(restored.run),
      restored_clock_(restored.clock),
      has_power_off_(restored.clock.mesh_ms.has_value()),
      clock_written_at_(start.monotonic),
      disk_allowed_at_(start.monotonic),
      disk_retry_at_(start.monotonic) {
    MESHD_ASSERT(!self_.node.empty() && self_.instance);
    store_.watch_embeddings(
        [this](const HeldRecord& held, bool is_added) { index_entry(held, is_added); });
    store_.restore(start.monotonic, std::move(restored));
    own_state_.document = config_.initial_state;
    publish_node(start);
    publish_state(start);
    settle(start);
}

Link* Node::Impl::find_link(const NodeId& peer) {
    const auto it = links_.find(peer);
    return it == links_.end() ? nullptr : &it->second;
}

void Node::Impl::handle_addresses(Now now, std::vector<Endpoint> addresses) {
    at(now);
    if (addresses.size() > limits::kAddressesMax) {
        addresses.resize(limits::kAddressesMax);
    }
    if (addresses == addresses_) {
        return;
    }
    const std::vector<Endpoint> before = std::exchange(addresses_, std::move(addresses));
    publish_node_soon(now.monotonic);
    if (has_left_ || leaving_) {
        settle(now);
        return;
    }
    discovery_.start(now.monotonic);
    move_links(now.monotonic, before);
    settle(now);
}

void Node::Impl::handle_bootstrap(Now now, std::vector<Endpoint> bootstrap) {
    at(now);
    discovery_.set_bootstrap(now.monotonic, std::move(bootstrap));
}

void Node::Impl::handle_timeout(Now now) {
    at(now);
    handshake_.on_timeout(now.monotonic);
    run_links(now.monotonic);
    reconciler_.on_timeout(now.monotonic, store_);
    store_.on_timeout(now.monotonic);
    announcer_.on_timeout(now.monotonic, [&](StreamId stream, std::uint64_t counter) {
        return store_.covers(stream, counter);
    });
    deliveries_.on_timeout(now.monotonic);
    notes_.on_timeout(now.monotonic);
    probes_.on_timeout(now.monotonic);
    // The own answers first: at a deadline passed by far they still count.
    run_metadata_scans(now);
    answerer_.on_timeout(now.monotonic);
    run_searches(now.monotonic);
    asker_.on_timeout(now.monotonic);
    expire_disk_waits(now.monotonic);
    if (publish_node_at_ && *publish_node_at_ <= now.monotonic) {
        publish_node(now);
    }
    if (publish_state_at_ && *publish_state_at_ <= now.monotonic) {
        publish_state(now);
    }
    if (forget_at_ && *forget_at_ <= now.monotonic) {
        if (has_node_news_) {
            refresh_topology(now.monotonic);
        }
        forget_old(now.monotonic);
    }
    topology_dirty_ =
        topology_dirty_ || (forgetting_.next_look() && *forgetting_.next_look() <= now.monotonic);
    settle(now);
    if (!has_left_ && !leaving_) {
        run_discovery(now.monotonic);
        run_neighbours(now.monotonic);
        settle(now);
    }
}

/// Carries what the machines have to say to each other until none has anything left.
void Node::Impl::settle(Now now) {
    while (const auto established = handshake_.poll_established()) {
        open_link(now.monotonic, *established);
    }
    while (const auto failed = handshake_.poll_failed()) {
        const Link* link = find_link(failed->peer);
        const HeardNode* heard = neighbours_.find(failed->peer);
        if (Link* rekeyed = find_link(failed->peer)) {
            rekeyed->is_rekeying = false;
        }
        // A detour in vain is no failure of a peer that is there.
        if (link == nullptr || heard == nullptr || heard->identity != link->peer()) {
            neighbours_.on_failed(now.monotonic, failed->peer, failed->refused);
        }
    }
    defend_own_records(now);
    // A record that is due goes out with what caused it, not a timer later.
    if (publish_node_at_ && *publish_node_at_ <= now.monotonic) {
        publish_node(now);
    }
    if (is_refresh_due(now.monotonic)) {
        refresh_topology(now.monotonic);
    }
    run_reconciler();
    run_announcer();
    while (const auto result = deliveries_.poll()) {
        RecordHeader header;
        header.author = self_.node;
        header.stream = result->stream;
        header.counter = result->counter;
        answer_raised(
            {result->request, print_alert_id(header), result->delivered, result->pending});
    }
    run_notes(now.monotonic);
    run_searches(now.monotonic);
    if (!has_left_ && !leaving_) {
        run_keys(now.monotonic);
    }
    while (const auto message = handshake_.poll_message()) {
        send_outside(message->to, message->message, message->seal);
    }
    finish_leaving(now.monotonic);
    schedule_exchanges(now.monotonic);
    schedule_disk(now.monotonic);
}

std::optional<TimePoint> Node::Impl::next_timeout() const {
    std::optional<TimePoint> next;
    const auto consider = [&next](const std::optional<TimePoint>& at) {
        if (at && (!next || *at < *next)) {
            next = at;
        }
    };
    consider(handshake_.next_deadline());
    if (sealing_.active() && !has_left_ && !leaving_) {
        consider(keys_due_);
    }
    for (const auto& [peer, link] : links_) {
        consider(link.next_deadline());
    }
    consider(reconciler_.next_deadline());
    consider(store_.next_deadline());
    consider(announcer_.next_deadline());
    if (!writing_) {
        consider(persist_at());
    }
    for (const auto& [request, wait] : durable_waits_) {
        consider(wait.is_durable ? std::nullopt : std::optional(wait.deadline));
    }
    consider(deliveries_.next_deadline());
    consider(notes_.next_deadline());
    consider(probes_.next_deadline());
    consider(asker_.next_deadline());
    consider(answerer_.next_deadline());
    consider(metadata_scans_.empty() ? std::nullopt : std::optional(now_));
    if (has_node_news_) {
        consider(topology_due_);
    }
    consider(publish_node_at_);
    consider(publish_state_at_);
    consider(forget_at_);
    consider(forgetting_.next_look());
    if (leaving_) {
        consider(leaving_->deadline);
    } else if (!has_left_) {
        consider(discovery_.next_deadline());
        consider(neighbours_.next_deadline());
    }
    return next;
}

std::optional<Transmit> Node::Impl::poll_transmit() {
    if (transmits_.empty()) {
        for (auto& [peer, link] : links_) {
            if (auto bytes = link.poll_datagram(now_)) {
                transmits_.push_back({link.endpoint(), false, std::move(*bytes)});
                break;
            }
        }
    }
    if (transmits_.empty()) {
        return std::nullopt;
    }
    Transmit transmit = std::move(transmits_.front());
    transmits_.pop_front();
    counters_.add(Counter::datagrams_sent);
    counters_.add(Counter::bytes_sent, transmit.bytes.size());
    return transmit;
}

std::optional<Output> Node::Impl::poll_output() {
    if (outputs_.empty()) {
        return std::nullopt;
    }
    Output output = std::move(outputs_.front());
    outputs_.pop_front();
    return output;
}

Node::Node(Config config, NodeOptions options, Now start, Restored restored)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(options), start,
                                   std::move(restored))) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

void Node::handle_addresses(Now now, std::vector<Endpoint> addresses) {
    impl_->handle_addresses(now, std::move(addresses));
}
void Node::handle_bootstrap(Now now, std::vector<Endpoint> bootstrap) {
    impl_->handle_bootstrap(now, std::move(bootstrap));
}
void Node::handle_security(Now now, SecurityMode mode, Keyring ring) {
    impl_->handle_security(now, mode, std::move(ring));
}
void Node::handle_config(Now now, const Config& config) {
    impl_->handle_config(now, config);
}
void Node::handle_datagram(Now now, const Endpoint& from, Bytes datagram) {
    impl_->handle_datagram(now, from, datagram);
}
void Node::handle_timeout(Now now) {
    impl_->handle_timeout(now);
}
tl::expected<RequestId, CommandError> Node::handle_command(Now now, Command command) {
    return impl_->handle_command(now, std::move(command));
}
std::optional<Transmit> Node::poll_transmit() {
    return impl_->poll_transmit();
}
std::optional<Output> Node::poll_output() {
    return impl_->poll_output();
}
bool Node::is_flushed() const {
    return impl_->is_flushed();
}
void Node::handle_flush(Now now) {
    impl_->handle_flush(now);
}
void Node::handle_persisted(Now now, PersistToken token, PersistResult result) {
    impl_->handle_persisted(now, token, result);
}
void Node::handle_scan_done(Now now, SearchTicket ticket, const NearestResult& result) {
    impl_->handle_scan_done(now, ticket, result);
}
std::optional<Persist> Node::poll_persist() {
    return impl_->poll_persist();
}
std::optional<TimePoint> Node::next_timeout() const {
    return impl_->next_timeout();
}
std::optional<AlertView> Node::alert(Now now, std::string_view id) const {
    return impl_->alert(now, id);
}
std::vector<EntryView> Node::entries(Now now, std::string_view hash) const {
    return impl_->entries(now, hash);
}
EntryPage Node::list_entries(Now now, const EntryFilter& filter) const {
    return impl_->list_entries(now, filter);
}
std::optional<SharedView> Node::shared(Now now, std::string_view key) const {
    return impl_->shared(now, key);
}
std::vector<SharedView> Node::shared(Now now) const {
    return impl_->shared(now);
}
const StoreCounts& Node::store_counts() const {
    return impl_->store().counts();
}
StatusView Node::status(Now now) const {
    return impl_->status(now);
}
std::vector<NodeView> Node::nodes(Now now) const {
    return impl_->nodes(now);
}
std::optional<NodeView> Node::node(Now now, const NodeId& id) const {
    return impl_->node(now, id);
}
DiagnosisView Node::diagnosis(Now now) const {
    return impl_->diagnosis(now);
}

std::vector<PeerView> Node::peers(Now now) const {
    return impl_->peers(now);
}
std::vector<Route> Node::routes() const {
    return impl_->routes();
}
std::vector<LinkView> Node::links() const {
    return impl_->links();
}
std::optional<StateView> Node::state(Now now, const NodeId& id) const {
    return impl_->state(now, id);
}
std::vector<AlertView> Node::alerts(Now now, const AlertFilter& filter) const {
    return impl_->alerts(now, filter);
}
std::vector<AlertView> Node::alerts_after(Now now, std::uint64_t arrival, std::size_t limit) const {
    return impl_->alerts_after(now, arrival, limit);
}
const Keyring& Node::keyring() const {
    return impl_->keyring();
}
const Counters& Node::counters() const {
    return impl_->counters();
}
std::vector<SessionId> Node::sessions() const {
    return impl_->sessions();
}
const NodeId& Node::id() const {
    return impl_->id();
}
const Config& Node::config() const {
    return impl_->config();
}

}  // namespace meshd
