// SPDX-License-Identifier: Apache-2.0
/// \file
/// Messages longer than a datagram: cut by the sender, put together again by the next hop
/// (PROTOCOL.md, "Fragments"). Each fragment is acknowledged and repeated by itself (selective
/// repair is that of the link's egress).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "proto/base/sequence_window.h"
#include "proto/base/time.h"
#include "proto/wire/codec.h"
#include "proto/wire/limits.h"

namespace meshd {

/// Cuts `whole` into fragments whose encoded messages have at most `bytes_max` bytes each.
/// `number` is the message's number on this link, rising by one from 0.
std::vector<EncodedMessage> split_message(const EncodedMessage& whole, std::uint32_t number,
                                          std::size_t bytes_max);

/// Memory shared by the reassemblers of all links (kReassemblyBytesMax).
struct ReassemblyBudget {
    std::size_t bytes_used = 0;
};

/// Puts the messages of one link and direction together. Invariant: memory held ≤
/// kReassemblyBytesPerLinkMax here and ≤ kReassemblyBytesMax over all; a message number is
/// delivered at most once.
class Reassembler {
  public:
    enum class Result {
        Stored,     ///< acknowledge; more to come
        Complete,   ///< acknowledge; `take` has the message
        Duplicate,  ///< acknowledge; had it
        NoRoom,     ///< do not acknowledge: the sender repeats it later
        Malformed,  ///< contradicts earlier fragments of the message: reject
    };

    explicit Reassembler(ReassemblyBudget& budget) : budget_(&budget) {}
    Reassembler(const Reassembler&) = delete;
    Reassembler& operator=(const Reassembler&) = delete;
    ~Reassembler();

    Result on_fragment(TimePoint now, const Fragment& fragment);
    /// The message completed by the last call that said Complete.
    EncodedMessage take();
    /// Gives the bytes of a message that was taken back, once they are not read any more: the next
    /// long message is put together in them.
    void recycle(Buffer&& bytes);
    /// Drops messages without a new fragment for 2 s. Returns how many.
    std::size_t on_timeout(TimePoint now);
    std::optional<TimePoint> next_deadline() const;

  private:
    /// Where a part stands in Partial::bytes; without bytes where it has not come.
    struct Part {
        std::size_t at = 0;
        std::size_t bytes = 0;
    };
    struct Partial {
        MessageKind kind = MessageKind::Fragment;
        Buffer bytes;  ///< of the parts, in the order in which they came
        std::vector<Part> parts;
        std::size_t parts_held = 0;
        bool is_in_order = true;  ///< they came as they stand in the message
        TimePoint last_progress;
    };
    static Bytes bytes_of(const Partial& partial, const Part& part) {
        return Bytes(partial.bytes).subspan(part.at, part.bytes);
    }
    void complete(Partial& partial);
    void drop(std::map<std::uint32_t, Partial>::iterator it);

    ReassemblyBudget* budget_;
    std::map<std::uint32_t, Partial> partials_;
    std::size_t bytes_ = 0;
    SequenceWindow<1024> completed_;
    EncodedMessage done_;
    Buffer spare_;  ///< empty; its room is that of one message
};

}  // namespace meshd
