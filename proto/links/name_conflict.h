// SPDX-License-Identifier: Apache-2.0
/// \file
/// Two boxes of one name (PROTOCOL.md, "Names", has the table): who stays, who gives way, when it
/// is told and when it is over. Nobody is renamed.
///
/// Who has links stays; where both have, the greater instance id yields, of equal ones (copies of
/// one disk image) the greater start id. The one that yields closes its links, serves its local
/// API, goes on asking for links, and is in again when a member accepts it: members refuse the name
/// while its other holder has links, so that a link is the proof that it is free.
///
/// A record in the own name of another start proves nothing by itself: a former start of this box
/// leaves one behind too, sometimes several versions of it. It is taken as another box's where that
/// start was heard itself, or wrote past this node's own records kRoundsMax times: the dead do not
/// answer.
///
/// Invariants: of two members of one name that see each other's records exactly one yields; one
/// conflict is told once; who yields has no links until a member accepts it.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/base/endpoint.h"
#include "proto/base/time.h"
#include "proto/wire/message.h"

namespace meshd {

class NameConflict {
  public:
    enum class State : std::uint8_t {
        Clear,    ///< nobody else is known under the name
        Noticed,  ///< somebody is; the name is ours, or nobody's yet
        Refused,  ///< without links, and told that the name is another's
        Yielded,  ///< gave it up
    };
    enum class Input : std::uint8_t {
        Heard,      ///< the other is there
        Refused,    ///< a member said that the name is another's, and there is no link
        Overruled,  ///< the other has links and the better right
        Admitted,   ///< a link was made, where there was none
        Quiet,      ///< no sign of the other for kForgottenAfter
    };
    enum class Action : std::uint8_t { Nothing, Tell, Yield, TellAndYield };
    struct Step {
        State next;
        Action action;
    };
    /// The whole table.
    static Step step(State state, Input input);

    /// The other box, as far as it is known: no instance, start or address where only a refusal
    /// told of it.
    struct Other {
        InstanceId instance;
        StartId start;
        std::optional<Endpoint> address;
    };

    /// Longer than beacons are apart, three times over.
    static constexpr Duration kForgottenAfter = std::chrono::minutes(3);
    /// A conflict that begins anew is not told more often.
    static constexpr Duration kTellInterval = std::chrono::minutes(1);
    /// Refusals count after this time of nothing else: so long members may believe in a former
    /// start that has died.
    static constexpr Duration kRefusedFor = std::chrono::milliseconds(2500);
    /// Own records were written past so often, each time within kRoundWithin of the time before:
    /// the first two may be what a former start left with different members.
    static constexpr unsigned kRoundsMax = 3;
    static constexpr Duration kRoundWithin = std::chrono::seconds(10);
    /// After yielding, no link is made: the other's records reach all members meanwhile.
    static constexpr Duration kHold = std::chrono::seconds(3);

    explicit NameConflict(const Identity& self) : instance_(self.instance), start_(self.start) {}

    /// A datagram in the own name, of another start.
    Action on_heard(TimePoint now, const Identity& from, const Endpoint& endpoint);
    /// A member refused a link for the name's sake.
    Action on_refused(TimePoint now, bool has_links);
    /// A node record in the own name came, of another start, that beats the own one: once for each
    /// time that the own records are written past it.
    Action on_outwritten(TimePoint now, const Other& other, bool other_has_links, bool has_links);
    /// A link was made where there was none.
    void on_admitted(TimePoint now);

    State state(TimePoint now) const;
    /// Neither asks for a link nor accepts one.
    bool is_holding(TimePoint now) const { return hold_until_ && now < *hold_until_; }
    const Other& other() const { return other_; }

    /// Whether the greater (instance, start) is here.
    bool is_greater_than(const Other& other) const;

  private:
    Action apply(TimePoint now, Input input);

    InstanceId instance_;
    StartId start_;
    State state_ = State::Clear;
    Other other_;
    TimePoint seen_;                          ///< the last sign of the other
    StartId heard_start_;                     ///< heard itself, since the last admission
    std::optional<TimePoint> refused_since_;  ///< of an unbroken row of refusals
    TimePoint refused_last_;
    unsigned rounds_ = 0;
    TimePoint round_at_;
    std::optional<TimePoint> told_at_;
    std::optional<TimePoint> hold_until_;
};

}  // namespace meshd
