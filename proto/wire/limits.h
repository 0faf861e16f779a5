// SPDX-License-Identifier: Apache-2.0
/// \file
/// Every limit of the wire, with its reason. What exceeds one is dropped and counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/base/json.h"

namespace meshd::limits {

/// Protocol versions this build speaks.
inline constexpr std::uint8_t kVersionMin = 1;
inline constexpr std::uint8_t kVersionMax = 1;

/// Datagram header, and the tag behind the items (AEAD tag; in open mode an unkeyed BLAKE2b-128).
inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kTagBytes = 16;
/// Random bytes between header and items of a datagram outside any session (XChaCha20 nonce).
inline constexpr std::size_t kNonceBytes = 24;
/// {u8 kind, u24 length} before each item, and u24 JSON length at the start of a message item.
inline constexpr std::size_t kItemHeaderBytes = 4;
inline constexpr std::size_t kJsonLengthBytes = 3;

/// UDP payload: what fits an Ethernet frame behind IPv6, with room for a tunnel.
inline constexpr std::size_t kDatagramBytesDefault = 1400;
inline constexpr std::size_t kDatagramBytesMin = 600;
/// Longest datagram accepted; more cannot come from a node of any configuration.
inline constexpr std::size_t kDatagramBytesMax = 9000;
/// A HELLO is padded to this length and no answer to it is longer: no amplification.
inline constexpr std::size_t kHelloBytes = 384;
/// Items in one datagram: each costs at least 7 bytes, so that more is nonsense.
inline constexpr std::size_t kItemsMax = 256;

/// One message, JSON and body together.
inline constexpr std::size_t kMessageBytesMax = 72 * 1024;
/// Application payload inside a message: alert, state document, note, shared value.
inline constexpr std::size_t kPayloadBytesMax = 64 * 1024;
/// Depth and values of JSON inside a message. Application payload may be 32 deep (checked where it
/// enters); wrappers add less than 8. A value takes two bytes of text at least.
inline constexpr unsigned kPayloadDepthMax = 32;
inline constexpr json::Limits kMessageJson{kMessageBytesMax, 40, kMessageBytesMax / 2};

/// Hops a message may make, and node ids in its path.
inline constexpr unsigned kHopsMax = 32;
/// Peers a node record may list; a bridge may exceed max_peers, but not this.
inline constexpr std::size_t kLinksMax = 64;
/// Addresses a node record may list.
inline constexpr std::size_t kAddressesMax = 8;
/// Forgotten nodes a node record may list: boxes are scrapped one at a time, and each is listed for
/// a day.
inline constexpr std::size_t kForgottenMax = 32;
inline constexpr std::size_t kMeshNameBytesMax = 32;
inline constexpr std::size_t kVersionTextBytesMax = 32;

/// Counters are JSON numbers and stay exact in every JSON reader.
inline constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << 53) - 1;

/// Nodes a store remembers: the ambition of 1 000, with room for forgotten and renamed ones.
inline constexpr std::size_t kNodesMax = 2048;
/// Streams a digest may list: two per node, and durable ones of earlier starts.
inline constexpr std::size_t kStreamsMax = 8192;
/// Of these, keyed ones without live records, kept for what they cover: one for each start of a
/// node that wrote entries, so that ten boxes that restart daily fill them in a year.
inline constexpr std::size_t kClosedStreamsMax = 4096;
/// Intervals kept per stream, above its floor: 32 gaps. Beyond it the lowest are fetched again.
inline constexpr std::size_t kIntervalsMax = 33;
/// Intervals of one stream in one message: what two nodes hold, cut by the gaps of both, and again
/// by what was asked for.
inline constexpr std::size_t kMessageIntervalsMax = 4 * kIntervalsMax;
/// Parts of one census: 8192 streams of 33 intervals take 150, two million live counters with gaps
/// between them 100 more.
inline constexpr std::size_t kCensusPartsMax = 512;
/// Records in one delta: with paths of usual length their JSON takes at most a quarter of it.
inline constexpr std::size_t kDeltaRecordsMax = 256;
/// Sum of encoded_bytes_max() over the records and covers of one delta. A record that is longer
/// goes alone, and fits kMessageBytesMax all the same.
inline constexpr std::size_t kDeltaBytesMax = 64 * 1024;

/// Ack ranges in one ack message.
inline constexpr std::size_t kAckRangesMax = 64;

/// Hop-by-hop reassembly: messages at once and bytes per link, bytes over all links.
inline constexpr std::size_t kReassembliesPerLinkMax = 8;
inline constexpr std::size_t kReassemblyBytesPerLinkMax = 512 * 1024;
inline constexpr std::size_t kReassemblyBytesMax = 8 * 1024 * 1024;
/// Fragments of one message: 72 KiB in datagrams of the smallest size.
inline constexpr std::size_t kFragmentsMax = 160;

/// Registry entry: a SHA-512 in hex is 128 long; type and space are names; metadata is for a person
/// to read. The embedding of the largest models in use has 4096 values.
inline constexpr std::size_t kHashBytesMax = 128;
inline constexpr std::size_t kTypeBytesMax = 64;
inline constexpr std::size_t kSpaceBytesMax = 64;
inline constexpr std::size_t kMetadataBytesMax = 8 * 1024;
inline constexpr std::size_t kDimensionMax = 4096;
/// Entries in one call: more than a request line of 1 MiB holds with embeddings.
inline constexpr std::size_t kEntriesPerPutMax = 1000;
/// Shared state: a member's name. Its value is a payload.
inline constexpr std::size_t kSharedKeyBytesMax = 128;
/// A ttl beyond ten years is a mistake of units.
inline constexpr std::uint64_t kTtlMsMax = std::uint64_t{10} * 366 * 24 * 3600 * 1000;
inline constexpr std::size_t kDedupeKeyBytesMax = 128;

/// Topic of a note and type of a search: names.
inline constexpr std::size_t kTopicBytesMax = 128;
inline constexpr std::size_t kSearchTypeBytesMax = 64;
/// A caller waits no longer for answers, acknowledgements and routes.
inline constexpr std::uint32_t kWaitMsMax = 60'000;
/// Results of one node: beyond it their bytes are the limit.
inline constexpr std::uint32_t kSearchResultsMax = 1000;
/// Local processes that answer searches of one node.
inline constexpr std::uint32_t kRespondersMax = 256;

/// Alert records kept per author and class (critical, other), and their longest age.
inline constexpr std::size_t kAlertsPerAuthorMax = 1000;
inline constexpr std::int64_t kAlertAgeMsMax = 24 * 3600 * 1000;

}  // namespace meshd::limits
