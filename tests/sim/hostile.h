// SPDX-License-Identifier: Apache-2.0
/// \file
/// Datagrams that no honest node sends, and changes to datagrams on their way (open mode does not
/// hide their items).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "proto/base/bytes.h"
#include "proto/base/prng.h"
#include "proto/node.h"
#include "proto/wire/message.h"
#include "proto/wire/message_kind.h"

namespace meshd::sim {

/// Random bytes, 0 to `bytes_max` of them.
Buffer garbage(Prng& prng, std::size_t bytes_max);
/// The datagram without its last bytes; at least one is missing.
Buffer truncated(const Buffer& datagram, Prng& prng);
/// The datagram with one bit changed.
Buffer bit_flipped(const Buffer& datagram, Prng& prng);

/// A datagram outside a session, well-formed and with a valid tag, holding one message.
Buffer outside_datagram(const Message& message, Prng& prng, std::size_t pad_to = 0);
/// Who never existed.
Identity stranger(Prng& prng);

/// True for a datagram of a session.
bool is_session(const Buffer& datagram);
/// Kind of an item; of a fragment, the kind of the whole message. Nothing where it does not decode.
std::optional<MessageKind> whole_kind(MessageKind kind, Bytes content);
/// The same datagram with each item `copies(kind)` times (0 = without it), and valid again. Nothing
/// where no item is left. Datagrams outside a session stay as they are.
std::optional<Buffer> with_items(const Buffer& datagram,
                                 const std::function<unsigned(MessageKind)>& copies);
/// The same datagram with one more item.
Buffer with_extra_item(const Buffer& datagram, MessageKind kind, Bytes content);

/// True for what replication uses to repair what a push missed.
bool is_repair(MessageKind kind);

}  // namespace meshd::sim
