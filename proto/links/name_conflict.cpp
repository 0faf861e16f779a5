// SPDX-License-Identifier: Apache-2.0
#include "proto/links/name_conflict.h"

#include <tuple>

#include "proto/base/assert.h"

namespace meshd {

NameConflict::Step NameConflict::step(State state, Input input) {
    switch (state) {
        case State::Clear:
            switch (input) {
                case Input::Heard:
                    return {State::Noticed, Action::Tell};
                case Input::Refused:
                    return {State::Refused, Action::Tell};
                case Input::Overruled:
                    return {State::Yielded, Action::TellAndYield};
                case Input::Admitted:
                    return {State::Clear, Action::Nothing};
                case Input::Quiet:
                    return {State::Clear, Action::Nothing};
            }
            break;
        case State::Noticed:
            switch (input) {
                case Input::Heard:
                    return {State::Noticed, Action::Nothing};
                case Input::Refused:
                    return {State::Refused, Action::Nothing};
                case Input::Overruled:
                    return {State::Yielded, Action::Yield};
                case Input::Admitted:
                    return {State::Noticed, Action::Nothing};
                case Input::Quiet:
                    return {State::Clear, Action::Nothing};
            }
            break;
        case State::Refused:
            switch (input) {
                case Input::Heard:
                    return {State::Refused, Action::Nothing};
                case Input::Refused:
                    return {State::Refused, Action::Nothing};
                case Input::Overruled:
                    return {State::Yielded, Action::Yield};
                case Input::Admitted:
                    return {State::Clear, Action::Nothing};
                case Input::Quiet:
                    return {State::Clear, Action::Nothing};
            }
            break;
        case State::Yielded:
            switch (input) {
                case Input::Heard:
                    return {State::Yielded, Action::Nothing};
                case Input::Refused:
                    return {State::Yielded, Action::Nothing};
                case Input::Overruled:
                    return {State::Yielded, Action::Nothing};
                case Input::Admitted:
                    return {State::Clear, Action::Nothing};
                // Still without the name's links: only an admission says that it is free again.
                case Input::Quiet:
                    return {State::Yielded, Action::Nothing};
            }
            break;
    }
    MESHD_ASSERT(false);
}

bool NameConflict::is_greater_than(const Other& other) const {
    return std::tie(instance_, start_) > std::tie(other.instance, other.start);
}

NameConflict::Action NameConflict::apply(TimePoint now, Input input) {
    if (input != Input::Admitted) {
        state_ = state(now);
        seen_ = now;
    }
    const Step taken = step(state_, input);
    state_ = taken.next;
    const bool yields = taken.action == Action::Yield || taken.action == Action::TellAndYield;
    if (yields) {
        rounds_ = 0;
        hold_until_ = now + kHold;
    }
    if (taken.action == Action::Tell || taken.action == Action::TellAndYield) {
        if (told_at_ && now - *told_at_ < kTellInterval) {
            return yields ? Action::Yield : Action::Nothing;
        }
        told_at_ = now;
    }
    return taken.action;
}

NameConflict::Action NameConflict::on_heard(TimePoint now, const Identity& from,
                                            const Endpoint& endpoint) {
    heard_start_ = from.start;
    other_ = {from.instance, from.start, endpoint};
    return apply(now, Input::Heard);
}

NameConflict::Action NameConflict::on_refused(TimePoint now, bool has_links) {
    if (!refused_since_ || now - refused_last_ > kRoundWithin) {
        refused_since_ = now;
    }
    refused_last_ = now;
    const bool is_known = state(now) != State::Clear;
    if (!is_known && now - *refused_since_ < kRefusedFor) {
        return Action::Nothing;
    }
    return apply(now, has_links ? Input::Heard : Input::Refused);
}

NameConflict::Action NameConflict::on_outwritten(TimePoint now, const Other& other,
                                                 bool other_has_links, bool has_links) {
    rounds_ = rounds_ > 0 && now - round_at_ <= kRoundWithin ? rounds_ + 1 : 1;
    round_at_ = now;
    if (rounds_ < kRoundsMax && heard_start_ != other.start) {
        return Action::Nothing;
    }
    const bool overruled = has_links && other_has_links && is_greater_than(other);
    if (!other_.address || other_.start != other.start) {
        other_ = other;
    }
    return apply(now, overruled ? Input::Overruled : Input::Heard);
}

void NameConflict::on_admitted(TimePoint now) {
    heard_start_ = StartId{};
    refused_since_.reset();
    rounds_ = 0;
    apply(now, Input::Admitted);
}

NameConflict::State NameConflict::state(TimePoint now) const {
    return state_ != State::Clear && now - seen_ >= kForgottenAfter
               ? step(state_, Input::Quiet).next
               : state_;
}

}  // namespace meshd
