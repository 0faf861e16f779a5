// SPDX-License-Identifier: Apache-2.0
/// \file
/// Params, results and errors of the methods of the registry, for the method table alone.
#pragma once

#include "ipc/method_table.h"

namespace meshd::ipc::rows {

using enum ErrorCode;

/// Ten years; like the following ones, as the core has it.
inline constexpr std::int64_t kTtlMsMax = std::int64_t{10} * 366 * 86'400'000;
inline constexpr std::int64_t kHashBytesMax = 128;
inline constexpr std::int64_t kSpaceBytesMax = 64;
inline constexpr std::int64_t kEntriesPerPutMax = 1'000;
/// The largest integer that every JSON reader keeps.
inline constexpr std::int64_t kTimestampMsMax = (std::int64_t{1} << 53) - 1;
inline constexpr std::int64_t kEntriesPerPageMax = 1'000;

inline constexpr Param kHashParam = {.name = "hash",
                                     .type = ParamType::Name,
                                     .doc = "which",
                                     .is_required = true,
                                     .max = kHashBytesMax};

/// Members of one entry in `entries` of registry.put.
inline constexpr Param kEntryMembers[] = {
    {.name = "hash",
     .type = ParamType::Name,
     .doc = "what was seen, as the application names it",
     .is_required = true,
     .max = kHashBytesMax},
    {.name = "type",
     .type = ParamType::Name,
     .doc = "kind of thing, as the application names it",
     .is_required = true,
     .max = kTypeBytesMax},
    {.name = "embedding",
     .type = ParamType::Embedding,
     .doc = "at most 4096 values, not all zero; normalised to length 1 and kept as fp16"},
    {.name = "space",
     .type = ParamType::Name,
     .doc = "model that made the embedding; required with one, refused without",
     .max = kSpaceBytesMax},
    {.name = "metadata",
     .type = ParamType::Object,
     .doc = "whatever belongs to it, at most 8 KiB as compact JSON",
     .default_json = "{}"},
    {.name = "ttl_ms",
     .type = ParamType::Integer,
     .doc = "age at which every node drops it; never where not given",
     .min = 1,
     .max = kTtlMsMax},
    {.name = "timestamp_ms",
     .type = ParamType::Integer,
     .doc = "when it was seen; now where not given",
     .min = 0,
     .max = kTimestampMsMax},
};
inline constexpr Param kPutParams[] = {
    {.name = "hash",
     .type = ParamType::Name,
     .doc = "what was seen, as the application names it; required without `entries`",
     .max = kHashBytesMax},
    {.name = "type",
     .type = ParamType::Name,
     .doc = "kind of thing, as the application names it; required without `entries`",
     .max = kTypeBytesMax},
    kEntryMembers[2],
    kEntryMembers[3],
    kEntryMembers[4],
    kEntryMembers[5],
    kEntryMembers[6],
    {.name = "durable",
     .type = ParamType::Boolean,
     .doc = "the reply waits until it is on this node's disk",
     .default_json = "false"},
    {.name = "entries",
     .type = ParamType::Entries,
     .doc = "many at once, each with the members above (`hash` to `timestamp_ms`), instead of one",
     .min = 1,
     .max = kEntriesPerPutMax,
     .members = kEntryMembers},
};
inline constexpr Field kPutResult[] = {
    {"stored", "integer", "entries"},
    {"durable", "boolean", "on this node's disk; false where it was not asked for"},
};
inline constexpr ErrorCode kPutErrors[] = {EntryTooLarge, DimensionMismatch, Overloaded};

inline constexpr Param kGetParams[] = {
    kHashParam,
    {.name = "embedding",
     .type = ParamType::Boolean,
     .doc = "with the embeddings",
     .default_json = "false"},
    {.name = "after",
     .type = ParamType::EntryKey,
     .doc = "continues behind this entry: the `next` of the reply before"},
};
inline constexpr Field kGetResult[] = {
    {"entries", "array", "all sightings of the hash, newest first"},
    {"next", "string|null", "what to continue after; null at the end"},
};
inline constexpr ErrorCode kGetErrors[] = {UnknownEntry};

inline constexpr Param kDeleteParams[] = {
    kHashParam,
    {.name = "node",
     .type = ParamType::NodeName,
     .doc = "whose sighting; those of all nodes where not given"},
};
inline constexpr Field kDeleteResult[] = {{"deleted", "integer", "sightings"}};
inline constexpr ErrorCode kDeleteErrors[] = {Overloaded};

inline constexpr Param kEntriesParams[] = {
    {.name = "type",
     .type = ParamType::Name,
     .doc = "only entries of this type",
     .max = kTypeBytesMax},
    {.name = "node", .type = ParamType::NodeName, .doc = "only sightings of this node"},
    {.name = "prefix",
     .type = ParamType::Name,
     .doc = "only hashes that begin so",
     .max = kHashBytesMax},
    {.name = "max_age_ms",
     .type = ParamType::Integer,
     .doc = "only entries of at most this age",
     .min = 0,
     .max = kTtlMsMax},
    {.name = "limit",
     .type = ParamType::Integer,
     .doc = "entries in one reply (a reply ends early beyond 8 MiB)",
     .default_json = "100",
     .min = 1,
     .max = kEntriesPerPageMax},
    {.name = "after",
     .type = ParamType::EntryKey,
     .doc = "continues behind this entry: the `next` of the reply before"},
    {.name = "embedding",
     .type = ParamType::Boolean,
     .doc = "with the embeddings",
     .default_json = "false"},
};
inline constexpr Field kEntriesResult[] = {
    {"entries", "array", "by hash, then node"},
    {"next", "string|null", "what to continue after; null at the end"},
};

/// As the core has them.
inline constexpr std::int64_t kVectorsMax = 64;
inline constexpr std::int64_t kMatchesMax = 1'000;

inline constexpr Param kNearestParams[] = {
    {.name = "space",
     .type = ParamType::Name,
     .doc = "model that made them; entries of others are not compared",
     .is_required = true,
     .max = kSpaceBytesMax},
    {.name = "embedding",
     .type = ParamType::Embedding,
     .doc = "what the entries are to be like; required without `embeddings`"},
    {.name = "embeddings",
     .type = ParamType::Embeddings,
     .doc = "several at once, of one dimension, instead of one",
     .min = 1,
     .max = kVectorsMax},
    {.name = "k",
     .type = ParamType::Integer,
     .doc = "matches of each embedding; of all embeddings together at most 10 000",
     .default_json = "10",
     .min = 1,
     .max = kMatchesMax},
    {.name = "type",
     .type = ParamType::Name,
     .doc = "only entries of this type",
     .max = kTypeBytesMax},
    {.name = "node", .type = ParamType::NodeName, .doc = "only sightings of this node"},
    {.name = "nodes",
     .type = ParamType::NodeNames,
     .doc = "only sightings of these nodes",
     .min = 1,
     .max = kNodesNamedMax},
    {.name = "max_age_ms",
     .type = ParamType::Integer,
     .doc = "only entries of at most this age",
     .min = 0,
     .max = kTtlMsMax},
    {.name = "with_embedding",
     .type = ParamType::Boolean,
     .doc = "with the embeddings of the matches",
     .default_json = "false"},
};
inline constexpr Field kNearestResult[] = {
    {"matches", "array", "entries with their score, best first", false},
    {"results", "array", "of several embeddings: the matches of each", false},
    {"scanned", "integer", "entries looked at"},
    {"truncated", "boolean", "the reply would have passed 8 MiB; the last matches are missing"},
};
inline constexpr ErrorCode kNearestErrors[] = {DimensionMismatch, Overloaded};

}  // namespace meshd::ipc::rows
