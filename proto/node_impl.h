// SPDX-License-Identifier: Apache-2.0
/// \file
/// Inside of Node: owns the machines and carries facts between them. The rules are in the machines;
/// here is who tells whom. node.cpp dispatches; node_discovery.cpp finds others and settles names,
/// node_neighbours.cpp chooses with whom to hold links, node_links.cpp makes and ends them,
/// node_keys.cpp seals them, node_liveness.cpp watches them, node_ways.cpp moves them to other
/// addresses; node_records.cpp
/// writes, spreads and repairs records, node_routed.cpp passes on what is no record,
/// node_notes.cpp, node_search.cpp and node_answer.cpp say what it is; node_topology.cpp draws
/// conclusions from node records, node_forget.cpp drops scrapped nodes, node_registry.cpp writes
/// and shows entries and shared state, node_nearest.cpp searches them, node_disk.cpp has changes
/// written; node_commands.cpp answers local callers, node_views.cpp shows.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <set>

#include "proto/base/hash.h"
#include "proto/base/prng.h"
#include "proto/links/discovery.h"
#include "proto/links/handshake.h"
#include "proto/links/link.h"
#include "proto/links/mesh_time.h"
#include "proto/links/name_conflict.h"
#include "proto/links/neighbours.h"
#include "proto/links/sealing.h"
#include "proto/links/strangers.h"
#include "proto/node.h"
#include "proto/node_query.h"
#include "proto/routing/announce.h"
#include "proto/routing/delivery.h"
#include "proto/routing/duplicates.h"
#include "proto/routing/membership.h"
#include "proto/routing/news_rate.h"
#include "proto/routing/topology.h"
#include "proto/search/answerer.h"
#include "proto/search/asker.h"
#include "proto/search/vector_index.h"
#include "proto/store/forgetting.h"
#include "proto/store/reconcile.h"
#include "proto/store/store.h"
#include "proto/store/under_way.h"
#include "proto/wire/frame.h"

namespace meshd {

/// A node of which no beacon came for three periods is out of hearing.
inline Duration heard_for(const Config& config) {
    return 3 * config.broadcast_interval_max;
}

/// Beyond so many nodes it shows that what each of them says concerns all.
inline constexpr std::size_t kManyNodes = 64;
/// Node records taken in lately (NewsRate) beyond which a large mesh forms, or falls apart: single
/// joins and losses are a dozen each.
inline constexpr std::size_t kMuchNews = 128;

class Node::Impl {
  public:
    Impl(Config config, NodeOptions options, Now start, Restored restored);

    void handle_addresses(Now now, std::vector<Endpoint> addresses);
    void handle_bootstrap(Now now, std::vector<Endpoint> bootstrap);
    void handle_config(Now now, const Config& config);
    void handle_datagram(Now now, const Endpoint& from, Bytes datagram);
    void handle_security(Now now, SecurityMode mode, Keyring ring);
    void handle_timeout(Now now);
    tl::expected<RequestId, CommandError> handle_command(Now now, Command command);
    std::optional<Transmit> poll_transmit();
    std::optional<Output> poll_output();
    void handle_flush(Now now);
    bool is_flushed() const { return flushing_ == 0; }
    void handle_persisted(Now now, PersistToken token, PersistResult result);
    void handle_scan_done(Now now, SearchTicket ticket, const NearestResult& result);
    std::optional<Persist> poll_persist();
    std::optional<TimePoint> next_timeout() const;

    StatusView status(Now now) const;
    std::vector<NodeView> nodes(Now now) const;
    std::optional<NodeView> node(Now now, const NodeId& id) const;
    std::vector<PeerView> peers(Now now) const;
    DiagnosisView diagnosis(Now now) const;
    std::vector<Route> routes() const { return topology_.routes(); }
    std::vector<LinkView> links() const;
    std::optional<StateView> state(Now now, const NodeId& id) const;
    std::vector<AlertView> alerts(Now now, const AlertFilter& filter) const;
    const HeldRecord* held_alert(std::string_view id) const;
    std::vector<AlertView> alerts_after(Now now, std::uint64_t arrival, std::size_t limit) const;
    std::optional<AlertView> alert(Now now, std::string_view id) const;
    std::vector<EntryView> entries(Now now, std::string_view hash) const;
    EntryPage list_entries(Now now, const EntryFilter& filter) const;
    std::optional<SharedView> shared(Now now, std::string_view key) const;
    std::vector<SharedView> shared(Now now) const;
    tl::expected<NearestSearch, CommandError> prepare_nearest(Now now, const NearestQuery& query);
    const Store& store() const { return store_; }
    const Counters& counters() const { return counters_; }
    const Keyring& keyring() const { return sealing_.ring(); }
    std::vector<SessionId> sessions() const;
    const NodeId& id() const { return self_.node; }
    const Config& config() const { return config_; }

  private:
    // node.cpp
    using Decoded = std::vector<Message>;
    Decoded& decode_items(const Datagram& datagram, bool& wants_ack);
    void on_outside(Now now, const Endpoint& from, const DatagramHeader& header, Bytes datagram);
    void on_session(Now now, const Endpoint& from, SessionId session, Bytes datagram);
    bool on_link_message(Now now, const NodeId& peer, Message& message);
    bool on_fragment(Now now, const NodeId& peer, const Fragment& fragment);
    void settle(Now now);
    void at(Now now) {
        now_ = now.monotonic;
        wall_ = now.wall;
    }

    // node_commands.cpp
    tl::expected<RequestId, CommandError> raise_alert(Now now, const RaiseAlert& command);
    tl::expected<RequestId, CommandError> update_state(Now now, const UpdateState& command);
    tl::expected<RequestId, CommandError> leave(Now now, const Leave& command);
    tl::expected<RequestId, CommandError> discover(Now now);
    bool is_congested(std::size_t backlog_max) const;
    /// Of the tables into which others choose what to write.
    std::uint64_t hash_key() const { return hash64(options_.entropy); }
    RequestId next_request() { return RequestId{++last_request_}; }

    // node_forget.cpp
    tl::expected<RequestId, CommandError> forget(Now now, const Forget& command);
    void forget_node(TimePoint now, const NodeId& node, const NodeId& by);
    void learn_forgotten(TimePoint now, const std::vector<const HeldRecord*>& records);
    bool drop_forgotten(TimePoint now);
    std::set<NodeId> claimed_of(const std::vector<ForgottenNode>& marks) const;
    void meet_forgotten(TimePoint now, const std::vector<StreamIntervals>& theirs);

    // node_registry.cpp
    tl::expected<RequestId, CommandError> put_entries(Now now, const PutEntries& command);
    std::optional<CommandError> refuse_keyed(TimePoint now, std::size_t memory);
    tl::expected<RequestId, CommandError> delete_entries(Now now, const DeleteEntries& command);
    tl::expected<RequestId, CommandError> update_shared(Now now, const UpdateShared& command);
    void tell_keyed(TimePoint now, const HeldRecord& held);
    void tell_dead(const Record& entry, const NodeId& by);
    void publish(Now now, const HeldRecord& held);

    // node_nearest.cpp
    void index_entry(const HeldRecord& held, bool is_added);

    // node_disk.cpp
    /// An answer that waits until its records are on disk.
    struct DurableWait {
        std::vector<RecordPlace> places;
        TimePoint deadline;
        std::optional<bool> is_durable;  ///< once it is known
        std::optional<Output> answer;  ///< AlertRaised or EntriesPut, once the rest of it is known
    };
    void persist_soon(TimePoint at);
    std::optional<TimePoint> persist_at() const;
    void await_disk(TimePoint now, RequestId request, std::vector<RecordPlace> places,
                    std::optional<Output> answer);
    void finish_wait(std::map<RequestId, DurableWait>::iterator wait);
    void answer_raised(AlertRaised answer);
    void schedule_disk(TimePoint now);
    void expire_disk_waits(TimePoint now);
    void learn_time(Now now);
    StoreClock store_clock(Now now) const;
    Now stamp(Now now) const;
    WallTime bounded_wall(Now now) const { return mesh_time_.bounded(now); }

    // node_links.cpp
    enum class NameClaim { Free, Asked, Taken };
    NameClaim name_claim(TimePoint now, const Identity& who);
    bool is_version_spoken(std::uint8_t version_min, std::uint8_t version_max);
    void on_name_conflict(TimePoint now, NameConflict::Action action);
    void on_same_name(TimePoint now, const Identity& from, const Endpoint& endpoint);
    void ask_same_name(TimePoint now, const Endpoint& endpoint, KeyId seal);
    void answer_same_name(const Endpoint& endpoint, const Offer& offer, KeyId seal);
    void on_outwritten(TimePoint now, const NodeData& other);
    void yield_name(TimePoint now);
    void on_hello(TimePoint now, const Endpoint& from, const Hello& hello,
                  std::uint64_t fingerprint, KeyId seal);
    void on_offer(TimePoint now, const Endpoint& from, const Offer& offer, KeyId seal);
    void on_req(TimePoint now, const Endpoint& from, const Req& req, KeyId seal);
    void on_acc(TimePoint now, const Endpoint& from, const Acc& acc, KeyId seal);
    void send_outside(const Endpoint& to, const Message& message, KeyId seal,
                      bool is_beacon = false);
    void ask_all(const Endpoint& to, const Hello& hello, bool is_beacon);
    void open_link(TimePoint now, const Established& established);
    enum class LinkEnd { Lost, GivenUp };
    void close_link(TimePoint now, const NodeId& peer, LinkEnd end = LinkEnd::Lost);
    Duration link_publish_delay(TimePoint now) const;
    void on_discovered(TimePoint now);
    void run_discovery(TimePoint now);
    void run_neighbours(TimePoint now);
    void make_room_for(TimePoint now, const NodeId& peer);
    Neighbours::Facts neighbour_facts() const;
    void drop_link(TimePoint now, const NodeId& peer);
    void on_prune(TimePoint now, const NodeId& peer);
    void finish_leaving(TimePoint now);

    // node_keys.cpp
    void note_seal(TimePoint now, const NodeId& node, KeyId seal);
    KeyId seal_for(const NodeId& node) const;
    bool is_known_sealed(TimePoint now, const Identity& who) const;
    SecurityClaim security_claim() const;
    SecurityView security_view(TimePoint now) const;
    void run_keys(TimePoint now);
    void grant_keys(TimePoint now, Link& link);
    bool is_key_everywhere(KeyId key) const;
    void activate_newest(TimePoint now);
    bool rekey(TimePoint now, Link& link);
    void want_ring(TimePoint now, Keyring ring);
    void on_key_grant(TimePoint now, const Link& link, const KeyGrant& grant);

    // node_ways.cpp
    std::vector<Endpoint> ways_to(const NodeId& peer) const;
    void ask_ways(TimePoint now, const Link& link, std::vector<Endpoint> ways);
    void failover(TimePoint now, const NodeId& peer);
    bool may_move(const Link& link) const;
    void move_links(TimePoint now, const std::vector<Endpoint>& before);

    // node_liveness.cpp
    void run_links(TimePoint now);
    void check_self(TimePoint now, bool is_down);
    void send_notices(const NodeId& suspect);
    void on_notice(TimePoint now, Link& from, Notice notice);
    void check_link(TimePoint now, Link& link);
    NodeId node_of(std::uint32_t short_id) const;
    void check_withdrawn(TimePoint now);
    void check_all_after_losses(TimePoint now);
    void schedule_exchanges(TimePoint now);
    void look_at_costs(TimePoint now);
    void update_isolation(TimePoint now, bool is_out);
    SharedMessage share_heartbeat(const Heartbeat& heartbeat);
    void send_heartbeat(Link& link, bool is_reply, std::uint32_t seq,
                        const std::optional<DigestHashes>& theirs);
    void on_heartbeat(TimePoint now, Link& link, const Heartbeat& heartbeat);

    // node_records.cpp
    void publish_node_soon(TimePoint at);
    void publish_node(Now now);
    void publish_floors_soon();
    void publish_state(Now now);
    void push(TimePoint now, const HeldRecord& held, std::uint32_t graph, const NodeId& except);
    void on_push(Now now, const NodeId& peer, const Push& push);
    void on_delta(Now now, const NodeId& peer, Delta& delta);
    void on_census(Now now, const NodeId& peer, const Census& census);
    void send_census(TimePoint now, Link& link, std::uint32_t number);
    void run_announcer();
    bool is_flooded(const HeldRecord& held) const;
    bool is_forming(TimePoint now) const;
    std::uint32_t tree_hash(TimePoint now, const HeldRecord& held) const;
    void on_pull(TimePoint now, Link& link, const Pull& pull);
    void send_digest(Link& link, const std::optional<BucketHashes>& theirs);
    void count_applied(RecordKind kind, Applied outcome);
    void on_new_record(TimePoint now, const NodeId& peer, const HeldRecord& held,
                       std::optional<std::uint32_t> graph);
    void reopen_streams(Now now);
    void push_own_records(Now now);
    void defend_own_records(Now now);
    void run_reconciler();

    // node_routed.cpp
    bool send_routed(const NodeId& destination, RoutedPayload payload,
                     const NodeId& fallback = NodeId());
    void spread(RoutedPayload payload);
    void on_routed(Now now, const NodeId& peer, const Routed& routed);
    void deliver(Now now, const Routed& routed);
    bool forward(const Routed& routed, const NodeId& fallback);
    void forward_to_all(const Routed& routed, const NodeId& except);
    std::vector<Link*> spread_targets(const NodeId& origin, const std::vector<std::uint32_t>& path,
                                      std::uint32_t graph, const NodeId& except, bool is_flooded);
    std::vector<std::string> path_names(const NodeId& source,
                                        const std::vector<std::uint32_t>& path) const;
    Duration rtt_to(const NodeId& node) const;

    // node_notes.cpp
    tl::expected<RequestId, CommandError> send_note(Now now, const SendNote& command);
    tl::expected<RequestId, CommandError> broadcast_note(Now now, const BroadcastNote& command);
    tl::expected<RequestId, CommandError> probe(Now now, const Probe& command);
    void on_note(Now now, const Routed& routed, const Note& note);
    void on_ping(const Routed& routed, const Ping& ping);
    void on_pong(TimePoint now, const NodeId& from, const Pong& pong);
    void run_notes(TimePoint now);
    void tell_note(const NodeId& source, const Note& note, bool is_broadcast,
                   std::int64_t timestamp_ms, const std::vector<std::uint32_t>& path);

    // node_search.cpp
    /// A search of this node, to be sent again as it was.
    struct AskedSearch {
        std::string type;
        std::string query;
        std::uint32_t limit = 0;
    };
    tl::expected<RequestId, CommandError> search(Now now, const Search& command);
    void on_answer(TimePoint now, const NodeId& from, const SearchAnswer& answer);
    void run_searches(TimePoint now);
    void tell_own_answer(TimePoint now, const SearchAnswerer::Finished& finished);

    // node_answer.cpp
    /// A search over the metadata of all entries of some owners, a slice at a time.
    struct MetadataScan {
        SearchTicket ticket;
        MetadataQuery query;
        std::set<NodeId> owners;
        std::string after_hash;
        NodeId after_owner;
    };
    tl::expected<RequestId, CommandError> serve_searches(const ServeSearches& command);
    tl::expected<RequestId, CommandError> answer_search(Now now, const AnswerSearch& command);
    void ask_self(Now now, const SearchQuery& query, const OwnQuery& own,
                  const std::set<NodeId>& owners);
    void on_query(Now now, const NodeId& source, StartId start, const SearchQuery& query);
    void work_on(Now now, SearchTicket ticket, const NodeId& source, const SearchQuery& query,
                 const OwnQuery& own, const std::set<NodeId>& owners);
    void look_up(Now now, SearchTicket ticket, const OwnQuery& query, std::size_t limit,
                 const std::set<NodeId>& owners);
    ResultList* results_of(SearchTicket ticket, const NodeId& owner);
    void add_result(SearchTicket ticket, const EntryView& entry, std::optional<double> score);
    void run_metadata_scans(Now now);
    bool run_slice(Now now, MetadataScan& scan);

    // node_topology.cpp
    void refresh_topology(TimePoint now);
    bool take_claims(const std::vector<const HeldRecord*>& records);
    bool update_members(TimePoint now, const std::vector<const HeldRecord*>& records, bool is_out);
    void update_expendable();
    void update_forget_time(TimePoint now);
    bool is_refresh_due(TimePoint now) const {
        return topology_dirty_ || (has_node_news_ && topology_due_ <= now);
    }
    void forget_old(TimePoint now);
    TimePoint forget_time(TimePoint now, const NodeId& node,
                          const Membership::Member& member) const;

    // node_views.cpp
    NodeView view_of(Now now, const NodeId& id) const;
    AlertView alert_view(TimePoint now, const HeldRecord& held) const;
    StateView own_state_view() const;
    std::string node_name(std::uint32_t short_id) const;

    Link* find_link(const NodeId& peer);

    Config config_;
    NodeOptions options_;
    Prng prng_;
    Identity self_;
    TimePoint started_;
    TimePoint now_;  ///< of the latest call, for polls
    WallTime wall_;
    Counters counters_;
    std::vector<Endpoint> addresses_;

    Sealing sealing_;
    Buffer plain_;     ///< of the datagram being read
    Decoded decoded_;  ///< what is in it; kept for its room
    /// Heartbeats on their way out, to be written anew once they are gone.
    std::array<std::shared_ptr<EncodedMessage>, 4> heartbeats_;
    std::string heartbeat_text_;            ///< kept for its room
    std::vector<TimePoint> exchanges_due_;  ///< kept for its room
    TimePoint keys_due_;                    ///< when to look after keys and the links' seals
    TimePoint newest_key_since_;
    std::optional<TimePoint> ring_wanted_at_;
    CookieJar cookies_;
    OutsideGate outside_gate_{hash_key()};
    Handshake handshake_;
    Neighbours neighbours_;
    Strangers strangers_;
    Discovery discovery_;
    MeshTime mesh_time_;
    ReassemblyBudget reassembly_budget_;
    std::map<NodeId, Link> links_;
    std::map<NodeId, UnderWay> under_way_;  ///< by link
    std::map<SessionId, NodeId> sessions_;
    std::optional<TimePoint> link_lost_at_;  ///< the last that went silent
    std::optional<TimePoint> node_lost_at_;  ///< the last of all nodes
    std::optional<TimePoint> all_checked_at_;
    TimePoint costs_due_;         ///< to be compared with those told
    TimePoint costs_allowed_at_;  ///< to be told no earlier
    bool has_had_links_ = false;
    std::optional<TimePoint> isolated_since_;

    StreamId volatile_stream_;
    StreamId durable_stream_;
    Store store_;
    VectorIndex vectors_;  ///< of the embeddings in store_
    Reconciler reconciler_;
    Announcer announcer_;
    Topology topology_;
    NewsRate node_news_;   ///< node records taken in as new
    NewsRate heard_news_;  ///< nodes heard for the first time
    Membership membership_;
    Duplicates duplicates_;
    DeliveryTracker deliveries_;
    mutable std::map<std::uint32_t, NodeId> short_ids_;  ///< empty: to be made anew
    std::uint64_t next_routed_seq_ = 1;

    /// Conversations with other nodes: notes, probes and searches, numbered alike from a random
    /// number, so that a late answer to a former start is none to this one.
    std::uint64_t next_number_ = (prng_.next() >> 12) | 1;
    NoteSender notes_;
    Duplicates notes_seen_;  ///< by number: a note sent again has another seq
    Probes probes_;
    SearchAsker asker_;
    SearchAnswerer answerer_;
    /// What was asked here and may be asked again.
    std::map<std::uint64_t, AskedSearch> asked_;
    std::set<std::string, std::less<>> served_types_;
    std::deque<MetadataScan> metadata_scans_;

    StateData own_state_;
    Presence presence_ = Presence::Here;
    bool topology_dirty_ = true;  ///< conclusions are to be drawn at once
    bool has_node_news_ = false;  ///< the same at topology_due_
    TimePoint topology_due_;
    /// The node record of each of topology_.names() that conclusions were drawn from.
    std::vector<std::pair<StreamId, std::uint64_t>> seen_;
    std::optional<TimePoint> publish_node_at_;
    std::optional<TimePoint> publish_state_at_;
    TimePoint state_allowed_at_;  ///< spread no earlier
    TimePoint floors_published_at_;
    std::optional<TimePoint> forget_at_;
    Forgetting forgetting_{self_.node, config_.tombstone_time};

    struct Leaving {
        RequestId request;
        TimePoint deadline;
    };
    std::optional<Leaving> leaving_;
    bool has_left_ = false;
    bool is_rejoining_ = false;  ///< after has_left_, until it sees anybody alive
    NameConflict name_conflict_{self_};
    std::optional<TimePoint> same_name_asked_;
    std::optional<TimePoint> defended_at_;  ///< own records against what others claim

    /// Of the disk: whether there is one, what it remembered of time, what is being written.
    bool has_disk_ = false;
    std::uint32_t run_ = 1;
    StoreClock restored_clock_;
    bool has_power_off_ = false;  ///< the time without power is still to be added
    /// Mesh time less the own monotonic clock, when most clocks last agreed.
    std::optional<std::int64_t> agreed_offset_ms_;
    std::size_t flushing_ = 0;  ///< changes to write without waiting for their time
    PersistToken last_token_ = 0;
    std::optional<Store::Changes> writing_;
    std::optional<TimePoint> callers_write_at_;  ///< of what callers wait for
    std::optional<TimePoint> rest_write_at_;     ///< of all that is not written
    bool wrote_for_callers_ = false;             ///< the last write was theirs alone
    TimePoint clock_written_at_;
    TimePoint disk_allowed_at_;  ///< not before, after a failure, where somebody waits
    TimePoint disk_retry_at_;    ///< the same where nobody does
    Duration disk_backoff_{};
    std::map<RequestId, DurableWait> durable_waits_;

    std::deque<Transmit> transmits_;
    std::deque<Output> outputs_;
    std::uint64_t last_request_ = 0;
};

/// What is shown of a registry record that lives.
EntryView entry_view(const Record& record, std::uint64_t age_ms, bool with_embedding);

}  // namespace meshd
