// SPDX-License-Identifier: Apache-2.0
/// \file
/// The messages of the wire as plain structs, one each; PROTOCOL.md has a table for each. Byte
/// spans point into the buffer they were decoded from.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/base/bytes.h"
#include "proto/base/endpoint.h"
#include "proto/base/ids.h"
#include "proto/base/node_id.h"
#include "proto/crypto/noise.h"
#include "proto/wire/message_kind.h"

namespace meshd {

using Cookie = std::array<std::uint8_t, 16>;

/// Who speaks: a clone, a restart and a second node of one name are told apart.
struct Identity {
    NodeId node;
    InstanceId instance;
    StartId start;
    friend bool operator==(const Identity&, const Identity&) = default;
};

/// Beacon, or the same by unicast: "I am here; who wants a link?". Padded to kHelloBytes.
struct Hello {
    std::uint8_t version_min = 1;
    std::uint8_t version_max = 1;
    std::uint32_t features = 0;
    std::string mesh;
    Identity from;
    /// Where the sender believes it sends from; absent in a unicast HELLO (which may cross NAT).
    std::optional<Endpoint> address;
};

/// Answer to a HELLO, with a cookie that proves the address in the REQ. Leaves no state behind.
struct Offer {
    std::uint8_t version_min = 1;
    std::uint8_t version_max = 1;
    Identity from;
    StartId to;  ///< start id of the HELLO
    Cookie cookie{};
    std::uint64_t echo = 0;  ///< first 8 random bytes of the HELLO's datagram
};

enum class LinkReason : std::uint8_t { Fill, Ring, Bridge };

/// Asks for a link.
struct Req {
    std::uint8_t version = 1;
    std::string mesh;
    Identity from;
    StartId to;  ///< start id of the OFFER
    Cookie cookie{};
    SessionId session;  ///< the initiator receives under this id
    LinkReason reason = LinkReason::Fill;
    /// Others have refused the sender of late: a bridge for it may exceed max_peers.
    bool is_forced = false;
    std::uint32_t features = 0;
    std::optional<NoiseMessage> noise{};  ///< message 1, where sealed
};

/// Answers a REQ: with a session, or with the reason why not.
struct Acc {
    Identity from;
    StartId to;
    SessionId asked;      ///< session of the REQ
    SessionId session;    ///< the responder receives under this id; 0 = refused
    std::string refused;  ///< "full", "name" or "leaving"; empty where accepted
    std::uint32_t features = 0;
    std::optional<NoiseMessage> noise{};  ///< message 2, where accepted and sealed
};

/// First datagram of a session from the initiator; the responder's slot becomes a link.
struct Conf {};

enum class CloseReason : std::uint8_t {
    Leaving,
    Restarting,
    Replaced,
    Pruned,  ///< one link too many, or its place is needed
    Silent,  ///< the sender heard nothing for as long as it was patient
};
/// The sender ends the link.
struct Close {
    CloseReason reason = CloseReason::Leaving;
};

/// Asks to end the link, which neither end needs: agreed to with Close{Pruned}, else not answered.
struct Prune {};

/// The sender's probes of its link with `about` go unanswered; the last of `path` holds a link with
/// it too and is to check it now. Not acknowledged: it is repeated while the silence lasts.
struct Notice {
    std::uint32_t about = 0;  ///< short id
    /// Short ids of the nodes from the receiver's successor to the addressee; empty: the receiver.
    std::vector<std::uint32_t> path;
};

/// Two hashes over what a store holds.
struct DigestHashes {
    std::uint64_t coverage = 0;  ///< over streams and the versions held of each
    std::uint64_t live = 0;  ///< XOR of the hashes of live records (no alerts, nothing with ttl)
    friend bool operator==(const DigestHashes&, const DigestHashes&) = default;
};

/// Exchange on a link: a request carries hashes; the reply only where they differ from its own.
struct Heartbeat {
    bool is_reply = false;
    std::uint32_t seq = 0;  ///< of the request, repeated in the reply
    std::optional<DigestHashes> hashes;
    std::optional<std::int64_t> wall_ms;  ///< sample of the sender's wall clock, every 30 s
};

/// What stands beside a record on its way: how old it is, how it came.
struct Provenance {
    std::uint64_t age_ms = 0;
    /// Short ids of the nodes passed, the author first; its length is the number of hops so far.
    std::vector<std::uint32_t> path;
    /// Remaining time for which the author wants delivery reports; 0 = none.
    std::uint32_t report_ms = 0;
};

/// A new record, spread along a tree or by flooding.
struct Push {
    RecordKind kind = RecordKind::Node;
    Bytes record;  ///< as its author wrote it
    /// The record covers (covers_after, its counter]: what was between is superseded.
    std::uint64_t covers_after = 0;
    /// Hash of the graph whose tree (rooted at the author) it follows; 0 = flooded.
    std::uint32_t graph = 0;
    Provenance provenance;
};

/// Counters of datagrams received that asked for acknowledgement: closed ranges, rising.
struct Ack {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
};

/// Closed range of counters of one stream.
struct Interval {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    friend bool operator==(const Interval&, const Interval&) = default;
};

struct StreamIntervals {
    StreamId stream;
    NodeId author;
    std::vector<Interval> intervals;  ///< rising, disjoint, not adjacent
    /// Set for a keyed stream, one that carries or carried registry or shared records: its highest
    /// counter whose tombstone or stub was purged; 0 = none. Never set in a Pull.
    std::optional<std::uint64_t> floor{};
};

/// Buckets of a digest: a stream is in the one that the highest bits of its id say.
inline constexpr std::size_t kDigestBuckets = 32;
constexpr std::size_t digest_bucket(StreamId stream) {
    return static_cast<std::size_t>(stream.value >> 59);
}
using BucketHashes = std::array<std::uint64_t, kDigestBuckets>;

/// What a node holds; as a request, the wish to be told it.
struct Digest {
    bool is_request = false;
    /// Of a request: the asker's coverage hash of each bucket. The answer then leaves out the
    /// buckets that are equal. Absent: all are wanted.
    std::optional<BucketHashes> hashes;
    /// Of an answer: bit b is set where `streams` (over all parts of the answer) lists all that the
    /// sender holds in bucket b.
    std::uint32_t buckets = 0xffffffff;
    std::vector<StreamIntervals> streams;
};

/// One keyed stream in a census: what is covered in a range of counters, and which of that is live.
struct CensusStream {
    StreamIntervals covered;     ///< with its floor
    std::vector<Interval> live;  ///< rising, disjoint, not adjacent; within `covered`
};

/// All keyed streams of a node with their live counters, in numbered parts; as a request, the wish
/// to be told them.
struct Census {
    bool is_request = false;
    std::uint32_t part = 0;   ///< from 0
    std::uint32_t parts = 1;  ///< of this answer
    std::vector<CensusStream> streams{};
    std::uint32_t number = 0;  ///< of the request, repeated in the answer; 0 = none
};

/// "I hold these new records": from a neighbour off the tree, for whom its parent failed.
struct Announce {
    std::vector<StreamIntervals> streams;
};

/// Asks for records of these ranges.
struct Pull {
    std::vector<StreamIntervals> wants;
    /// Datagrams of the answer that may be on their way at once: what the asker's receive buffer
    /// has room for. 0 = not said.
    std::uint16_t window = 0;
};

struct DeltaRecord {
    Bytes record;
    Provenance provenance;
};

/// Answers a pull: all live records the sender has in `covers`. Any subset of deltas, in any order,
/// twice or not at all, is safe.
struct Delta {
    std::vector<StreamIntervals> covers;
    std::vector<DeltaRecord> records;
};

/// A mesh key that the receiver has not got. Only ever over a sealed link.
struct KeyGrant {
    std::uint32_t generation = 0;
    std::array<std::uint8_t, 32> secret{};
};

/// Part of a message that outgrew a datagram.
struct Fragment {
    std::uint32_t message = 0;  ///< number of the whole message on this link and direction
    std::uint16_t index = 0;
    std::uint16_t count = 0;
    MessageKind kind = MessageKind::Fragment;  ///< of the whole message
    Bytes bytes;
};

/// "These nodes hold that record", told to its author while somebody waits.
struct DeliveryReport {
    StreamId stream;
    std::uint64_t counter = 0;
};

/// Application payload, not stored.
struct Note {
    std::uint64_t number = 0;  ///< of its source's start, from 1; a repetition keeps it
    bool wants_ack = false;    ///< only to one node
    std::string topic;         ///< only to everyone, and may be empty there
    Bytes note;                ///< JSON, at most kPayloadBytesMax
};

/// "I have your note": from end to end.
struct NoteAck {
    std::uint64_t number = 0;
};

/// Asks for a Pong; of a trace, from each node that passes it on too.
struct Ping {
    std::uint64_t number = 0;  ///< of its source's start, from 1
    bool is_trace = false;
};

struct Pong {
    std::uint64_t number = 0;  ///< of the Ping
    /// Short ids of the nodes that the Ping had passed, its source first.
    std::vector<std::uint32_t> passed;
};

/// A question, to one node or to everyone.
struct SearchQuery {
    std::uint64_t number = 0;      ///< of its source's start, from 1; asked again it keeps it
    std::string type;              ///< 1 to kSearchTypeBytesMax bytes
    std::uint32_t timeout_ms = 0;  ///< how long the asker waits from now on
    std::uint32_t limit = 0;       ///< results wanted of each node
    Bytes query;                   ///< JSON object, at most kPayloadBytesMax
};

/// A node's answer to a question.
struct SearchAnswer {
    std::uint64_t number = 0;  ///< of the question
    /// The question is worked on; an answer is to come. Carries no results.
    bool is_pending = false;
    bool is_truncated = false;  ///< there was more than the limits let through
    std::uint32_t silent = 0;   ///< local responders that did not answer in time
    std::uint32_t skipped = 0;  ///< and those not asked any more, since they never did
    std::string refused;        ///< why the node does not answer: "overloaded", "query"; else empty
    Bytes results;              ///< JSON array; empty where pending or refused
};

using RoutedPayload =
    std::variant<DeliveryReport, Note, NoteAck, Ping, Pong, SearchQuery, SearchAnswer>;

/// A message passed on along the shortest path to one node, or along its source's tree to everyone.
struct Routed {
    NodeId source;
    StartId start;
    std::uint64_t seq = 0;
    std::int64_t timestamp_ms = 0;
    NodeId destination;       ///< empty: everyone
    std::uint32_t graph = 0;  ///< to everyone: hash of the graph whose tree it follows; 0 = flooded
    std::vector<std::uint32_t> path;
    RoutedPayload payload;
};

using Message =
    std::variant<Hello, Offer, Req, Acc, Conf, Close, Heartbeat, Push, Ack, Digest, Pull, Delta,
                 Fragment, Routed, Census, Announce, Prune, Notice, KeyGrant>;

}  // namespace meshd
