// SPDX-License-Identifier: Apache-2.0
/// \file
/// One mesh node as a pure state machine. It knows no socket, clock, thread or file: it is told the
/// time and what arrived, and returns what to send, what to tell, and when to be called again.
///
/// Contract with the driver. `now.monotonic` never goes back. After any handle_* call drain
/// poll_transmit, poll_output and poll_persist until they are empty, then re-arm one timer to
/// next_timeout(). Persisting never holds back a transmit: write beside the loop, and say how it
/// ended by handle_persisted.
/// Early or repeated handle_timeout calls do nothing. The same object runs in the daemon (one) and
/// in the simulator (thousands).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/endpoint.h"
#include "proto/base/time.h"
#include "proto/config.h"
#include "proto/counters.h"
#include "proto/nearest.h"
#include "proto/routing/note_sender.h"
#include "proto/routing/probes.h"
#include "proto/store/store_counts.h"
#include "proto/store/stored.h"
#include "proto/view.h"

namespace meshd {

// ---- commands: what a local process asks -------------------------------------------------------

/// Raises an alert. `alert`: compact JSON object of at most limits::kPayloadBytesMax.
struct RaiseAlert {
    std::string alert;
    Priority priority = Priority::Normal;
    /// How long the answer may wait for delivery reports; 0 = answer at once. At most 60 s.
    Duration wait{};
    /// Where an alert of this node with the same key is still held, its id is the answer and
    /// nothing is raised. Empty = none; at most limits::kDedupeKeyBytesMax.
    std::string dedupe_key{};
    /// Age at which all holders drop it; 0 = limits::kAlertAgeMsMax, and no more than that.
    std::uint64_t ttl_ms = 0;
};

/// One entry to put: this node's sighting of a hash. It replaces this node's former one.
struct EntryPut {
    std::string hash;
    std::string type;
    std::string metadata = "{}";               ///< JSON object
    std::uint64_t ttl_ms = 0;                  ///< 0 = lives until deleted
    std::optional<std::int64_t> timestamp_ms;  ///< default: the wall clock
    std::string space;                         ///< empty = without embedding
    Buffer embedding;                          ///< fp16, little-endian, normalised
};
/// Puts entries into the registry: all, or where one is refused (`index` of the error) none.
struct PutEntries {
    std::vector<EntryPut> entries;  ///< at most limits::kEntriesPerPutMax
    /// True: the answer waits until they are on disk.
    bool is_durable = false;
};

/// Deletes sightings of a hash: of `node`, or where it is empty of all nodes.
struct DeleteEntries {
    std::string hash;
    NodeId node;
};

/// Merge patch (RFC 7396) on the mesh's shared state: each member of the patch writes one shared
/// record, null deletes it.
struct UpdateShared {
    std::string patch;
};

/// Merge patch (RFC 7396) on the own state document, and the own activity. Either may be absent.
struct UpdateState {
    std::optional<std::string> patch;
    std::optional<Activity> activity;
};

/// Announces left (or restarting), waits at most 500 ms until peers have it, closes all links.
struct Leave {
    bool restarting = false;
};

/// Sends beacons now, and rejoins after Leave.
struct Discover {};

/// Forgets a scrapped node on all nodes, with its state; its entries and alerts stay. Refused for
/// a node that is alive, this one among them. A new start of it is welcome.
struct Forget {
    NodeId node;
};

/// Sends a note to one node; to this node itself too. `note`: compact JSON object of at most
/// limits::kPayloadBytesMax.
struct SendNote {
    NodeId node;
    std::string note;
    /// The answer waits until the other end has it, and the note is sent again meanwhile. Else it
    /// waits for a route only.
    bool wants_ack = true;
    Duration timeout = std::chrono::seconds(5);  ///< at most limits::kWaitMsMax
};

/// Sends a note to all other nodes alive, at most once to each.
struct BroadcastNote {
    std::string topic;  ///< may be empty; at most limits::kTopicBytesMax
    std::string note;   ///< as in SendNote
};

/// Measures the round trip to a node; of a trace, to each hop on the way too.
struct Probe {
    NodeId node;
    bool is_trace = false;
    Duration timeout = std::chrono::seconds(2);  ///< at most limits::kWaitMsMax
};

/// Asks every node alive, this one among them, or those of `nodes`. Each answers a search of type
/// "hash", "metadata" and "embedding" from its own entries; those of nodes that are not alive are
/// looked up here and marked stale. Any type is also put to the local responders of each node.
///
/// `query` of the three: {"hash": text}; {"metadata": {member: scalar to be equal to | {"min": x,
/// "max": y, either may be absent}, …}, "type": text, "max_age_ms": number}; {"embedding": {"f16":
/// base64 of the canonical form}, "space": text, "type": text, "max_age_ms": number}; type and
/// max_age_ms may be absent. Of other types: any JSON object.
struct Search {
    std::string type;   ///< name of at most limits::kSearchTypeBytesMax bytes
    std::string query;  ///< JSON object of at most limits::kPayloadBytesMax
    std::vector<NodeId> nodes;
    Duration timeout = std::chrono::seconds(2);  ///< at most limits::kWaitMsMax
    std::uint32_t limit = 10;  ///< results of each node: 1 to limits::kSearchResultsMax
};

/// From now on searches of these types are put to local responders, by SearchRequested; of others
/// not. Has no answer.
struct ServeSearches {
    std::set<std::string, std::less<>> types;
};

/// What the local responders answer to a SearchRequested, all together.
struct AnswerSearch {
    SearchTicket ticket;
    std::string results;        ///< JSON array
    std::uint32_t silent = 0;   ///< responders that did not answer in time
    std::uint32_t skipped = 0;  ///< and those not asked any more, since they never did
    bool is_truncated = false;  ///< they had more
};

using Command =
    std::variant<RaiseAlert, UpdateState, Leave, Discover, PutEntries, DeleteEntries, UpdateShared,
                 Forget, SendNote, BroadcastNote, Probe, Search, ServeSearches, AnswerSearch>;

/// Why a command was refused before any effect.
struct CommandError {
    enum class Code {
        InvalidParams,  ///< `field` says which
        Dimension,      ///< of an embedding, other than that of its type and space
        TooLarge,
        HasLeft,
        UnknownNode,    ///< `field` says which
        NodeAlive,      ///< the same
        Overloaded,     ///< try again after `retry_after`
        UnknownSearch,  ///< no such ticket, or not any more
    };
    Code code = Code::InvalidParams;
    std::string field;
    std::string message;
    Duration retry_after{};
    std::optional<std::size_t> index{};  ///< of the entry in PutEntries, of the vector in a search
};

// ---- outputs: answers and events --------------------------------------------------------------

struct AlertRaised {
    RequestId request;
    std::string id;
    std::vector<NodeId> delivered;  ///< other nodes that hold it in memory
    std::vector<NodeId> pending;    ///< other nodes alive at the asking that have not said so
    bool is_durable = false;        ///< on this node's disk
    bool is_repeated = false;       ///< an alert of this dedupe key was there: its id
};
struct EntriesPut {
    RequestId request;
    std::size_t stored = 0;
    bool is_durable = false;  ///< on this node's disk
};
struct EntriesDeleted {
    RequestId request;
    std::size_t deleted = 0;  ///< sightings
};
struct SharedUpdated {
    RequestId request;
    std::size_t changed = 0;  ///< members written or deleted
};
struct StateUpdated {
    RequestId request;
    StateView state;
};
struct HasLeft {
    RequestId request;
};
struct Discovered {
    RequestId request;
};
struct Forgotten {
    RequestId request;
    NodeId node;
};

/// A note to one node has ended.
struct NoteSent {
    RequestId request;
    NodeId node;
    NoteOutcome outcome = NoteOutcome::Sent;
    Duration took{};
};
struct NoteSpread {
    RequestId request;
    std::size_t nodes = 0;  ///< others alive at the sending
};
struct Probed {
    RequestId request;
    NodeId node;
    std::optional<Duration> rtt;  ///< nothing: no answer in time
    /// Of a trace, or where the node answered: its hops, the node last.
    std::vector<Probes::Hop> hops;
};

/// One node's answer to a Search; as soon as it is there.
struct SearchAnswered {
    RequestId request;
    NodeId node;
    std::string results = "[]";  ///< JSON array
    bool is_stale = false;       ///< the node is not alive; from this node's copy of its entries
    bool is_truncated = false;   ///< there was more, or not all was looked at in time
    std::uint32_t silent = 0;    ///< its responders that did not answer in time
    std::uint32_t skipped = 0;   ///< and those not asked any more
    std::string refused;         ///< why it does not answer: "overloaded", "query"; else empty
};
/// A Search is over; every SearchAnswered of it came before.
struct SearchDone {
    RequestId request;
    std::vector<NodeId> silent;       ///< alive, and no answer in time
    std::vector<NodeId> unreachable;  ///< not alive at the asking, or gone before they answered
};
/// A question for local responders; to be answered by AnswerSearch before `timeout`.
struct SearchRequested {
    SearchTicket ticket;
    NodeId source;
    std::string type;
    std::string query;  ///< JSON object
    Duration timeout{};
    std::uint32_t limit = 0;
};

/// A search of this node's registry for the answer to a question: run it, on a worker where it is
/// long, and hand what comes out to handle_scan_done. The answer does not wait for ever.
struct ScanWanted {
    SearchTicket ticket;
    NearestSearch search;
};

/// A note came in.
struct NoteEvent {
    NodeId source;
    bool is_broadcast = false;
    std::string topic;
    std::string note;               ///< JSON object
    std::int64_t timestamp_ms = 0;  ///< the source's wall clock at the sending
    std::uint32_t hops = 0;
    std::vector<std::string> path;  ///< node ids, the source first, this node last
};

enum class NodeEventKind {
    Joined,       ///< seen for the first time
    Left,         ///< said goodbye
    Restarting,   ///< said goodbye, will be back
    Offline,      ///< no path, and the nodes around it say it is silent
    Unreachable,  ///< cut off together with `because`
    Returned,     ///< alive again
    Conflict,     ///< another node uses this node's name; `because` is empty
    Isolated,     ///< this node: its last link is down, and it knows of others
    Rejoined,     ///< this node: after Isolated, it has a link again
    Forgotten,    ///< not shown any more: `by` had it forgotten, or it was away too long
};
/// "node.joined", "node.left", …
std::string_view node_event_name(NodeEventKind kind);

struct NodeEvent {
    NodeEventKind kind = NodeEventKind::Joined;
    NodeId node;
    NodeId because;
    /// Of a conflict: the other box, where it is known; 0 and absent where only a refusal told.
    InstanceId instance{};
    std::optional<Endpoint> address{};
    NodeId by{};  ///< of Forgotten: where a caller asked for it; empty where its time was over
};
struct LinkEvent {
    bool up = false;
    NodeId peer;
    Endpoint address;
};
struct StateEvent {
    StateView state;
};
struct AlertEvent {
    AlertView alert;
    /// Came by repair while older than a live alert could be: subscribers that want only live ones
    /// skip it.
    bool replayed = false;
};

/// An entry was put or deleted, here or elsewhere.
struct RegistryEvent {
    std::string hash;
    NodeId node;  ///< whose sighting
    std::string type;
    std::uint64_t age_ms = 0;
    bool is_deleted = false;
    NodeId by;  ///< who wrote it: another than `node` where somebody else deleted it
};
struct SharedEvent {
    SharedView member;  ///< value empty where it was deleted
};

/// A peer gave this node a key, or the time has come to seal with another: keep this ring, then
/// hand it to handle_security. Until that is done it is asked for again every ten seconds.
struct KeyringWanted {
    Keyring ring;
    /// What it was made from: where another one is kept by now, this one is out of date.
    Keyring before;
};

using Output =
    std::variant<AlertRaised, StateUpdated, HasLeft, Discovered, NodeEvent, LinkEvent, StateEvent,
                 AlertEvent, EntriesPut, EntriesDeleted, SharedUpdated, RegistryEvent, SharedEvent,
                 Forgotten, NoteSent, NoteSpread, Probed, SearchAnswered, SearchDone,
                 SearchRequested, ScanWanted, NoteEvent, KeyringWanted>;

// ---- datagrams --------------------------------------------------------------------------------

/// A datagram to send.
struct Transmit {
    /// Where to; for a beacon (`is_beacon`) the driver sends it from the interface
    /// `to.interface` to that interface's broadcast and multicast addresses instead.
    Endpoint to;
    bool is_beacon = false;
    Buffer bytes;
};

// ---- the node ---------------------------------------------------------------------------------

class Node {
  public:
    Node(Config config, NodeOptions options, Now start, Restored restored = {});
    Node(Node&&) noexcept;
    Node& operator=(Node&&) noexcept;
    ~Node();

    /// The local addresses to speak from, one per usable interface (`interface` set, `port` the one
    /// advertised). Beacons go out on each; call again whenever they change.
    void handle_addresses(Now now, std::vector<Endpoint> addresses);
    /// Other addresses of nodes than those of the configuration to be asked by unicast for ever:
    /// what host names mean by now. At most Discovery::kBootstrapsMax count.
    void handle_bootstrap(Now now, std::vector<Endpoint> bootstrap);
    /// With whom to speak from now on, and the mesh keys as they are kept by now. Links that may
    /// not go on under them end; those that may move to the active key one by one.
    void handle_security(Now now, SecurityMode mode, Keyring ring);
    /// Takes over what may change while it runs, and nothing else of `config`: max_peers, both
    /// broadcast intervals, heartbeat_interval, both patiences, forget_after, own_entries_max, both
    /// persist intervals. Fewer peers than links are reached by dropping one after another.
    void handle_config(Now now, const Config& config);
    /// A datagram from `from` (its `interface` set to the one it came in by). Whatever it holds,
    /// the worst that happens is a counter.
    void handle_datagram(Now now, const Endpoint& from, Bytes datagram);
    void handle_timeout(Now now);
    /// Asks for all that is not written yet, without waiting for its time.
    void handle_flush(Now now);
    /// True where all that was to be flushed has been written, or could not be.
    bool is_flushed() const;
    /// What polled Persist with that token came to.
    void handle_persisted(Now now, PersistToken token, PersistResult result);
    /// What ScanWanted came to.
    void handle_scan_done(Now now, SearchTicket ticket, const NearestResult& result);
    /// The answer comes as an output with the returned id, possibly much later.
    tl::expected<RequestId, CommandError> handle_command(Now now, Command command);

    std::optional<Transmit> poll_transmit();
    std::optional<Output> poll_output();
    /// The next changes to write; none while one is under way.
    std::optional<Persist> poll_persist();
    std::optional<TimePoint> next_timeout() const;

    // Views. `now` makes ages and durations; nothing changes by asking.
    StatusView status(Now now) const;
    /// By node id, itself included.
    std::vector<NodeView> nodes(Now now) const;
    std::optional<NodeView> node(Now now, const NodeId& id) const;
    std::vector<PeerView> peers(Now now) const;
    DiagnosisView diagnosis(Now now) const;
    std::vector<Route> routes() const;
    /// Confirmed links of the whole known mesh.
    std::vector<LinkView> links() const;
    std::optional<StateView> state(Now now, const NodeId& id) const;
    /// Newest first.
    std::vector<AlertView> alerts(Now now, const AlertFilter& filter = {}) const;
    /// Those that arrived here behind a place (AlertView::arrival), in that order, so many at most.
    std::vector<AlertView> alerts_after(Now now, std::uint64_t arrival, std::size_t limit) const;
    std::optional<AlertView> alert(Now now, std::string_view id) const;
    /// All sightings of a hash, newest first.
    std::vector<EntryView> entries(Now now, std::string_view hash) const;
    /// By (hash, node).
    EntryPage list_entries(Now now, const EntryFilter& filter) const;
    /// A search over what is held now; its run() asks nothing of this node, so that a worker may do
    /// it. Refused: InvalidParams (`embedding`, `space`, `type`, `k`), Dimension (`embedding`)
    /// where the entries of that space and type all have another one. Without such entries, nothing
    /// is found. `index` of the error: of the query vector. Not const: the first search of a space
    /// and type makes the index keep 8-bit codes of its entries from now on.
    tl::expected<NearestSearch, CommandError> prepare_nearest(Now now, const NearestQuery& query);
    std::optional<SharedView> shared(Now now, std::string_view key) const;
    /// By key.
    std::vector<SharedView> shared(Now now) const;
    const Counters& counters() const;
    /// The mesh keys in use. Secrets: not to be shown.
    const Keyring& keyring() const;
    /// The sessions in which datagrams may come, half-open ones too. Before the first datagram of a
    /// new one can come, this node transmits.
    std::vector<SessionId> sessions() const;
    /// What the store refused, dropped, purged and found.
    const StoreCounts& store_counts() const;
    const NodeId& id() const;
    const Config& config() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshd
