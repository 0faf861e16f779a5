// SPDX-License-Identifier: Apache-2.0
/// \file
/// Messages and datagrams that the tests share: the same as structs and as golden bytes.
#pragma once

#include <string>
#include <vector>

#include "proto/wire/codec.h"

namespace meshd::test {

struct Sample {
    std::string name;  ///< as in tests/vectors/messages.tsv
    Message message;
};
/// At least one of each message; spans in them live as long as the program.
const std::vector<Sample>& samples();

/// A row of tests/vectors/messages.tsv.
struct MessageVector {
    std::string name;
    EncodedMessage encoded;
};
const std::vector<MessageVector>& message_vectors();
const EncodedMessage& message_vector(const std::string& name);

/// A row of tests/vectors/datagrams.tsv.
struct DatagramVector {
    std::string name;
    std::vector<std::string> items;
    Buffer bytes;
};
const std::vector<DatagramVector>& datagram_vectors();

/// An answer that lists all of those buckets.
Digest digest(std::uint32_t buckets, std::vector<StreamIntervals> streams);

/// The content of an item: u24 length of `json`, `json`, `body`.
Buffer content(std::string_view json, std::string_view body = {});

}  // namespace meshd::test
