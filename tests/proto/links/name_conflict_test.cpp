// SPDX-License-Identifier: Apache-2.0
#include "proto/links/name_conflict.h"

#include <doctest/doctest.h>

#include "tests/proto/links/links_support.h"

namespace meshd {
namespace {

using test::at;
using test::box;
using test::identity;
using test::milliseconds;
using test::minutes;

using State = NameConflict::State;
using Input = NameConflict::Input;
using Action = NameConflict::Action;

NameConflict::Other other(std::uint64_t instance, std::uint64_t start) {
    return {InstanceId{instance}, StartId{start}, std::nullopt};
}

}  // namespace

TEST_CASE("name conflict: every state with every input") {
    struct Row {
        State state;
        Input input;
        State next;
        Action action;
    };
    const Row rows[] = {
        {State::Clear, Input::Heard, State::Noticed, Action::Tell},
        {State::Clear, Input::Refused, State::Refused, Action::Tell},
        {State::Clear, Input::Overruled, State::Yielded, Action::TellAndYield},
        {State::Clear, Input::Admitted, State::Clear, Action::Nothing},
        {State::Clear, Input::Quiet, State::Clear, Action::Nothing},
        {State::Noticed, Input::Heard, State::Noticed, Action::Nothing},
        {State::Noticed, Input::Refused, State::Refused, Action::Nothing},
        {State::Noticed, Input::Overruled, State::Yielded, Action::Yield},
        {State::Noticed, Input::Admitted, State::Noticed, Action::Nothing},
        {State::Noticed, Input::Quiet, State::Clear, Action::Nothing},
        {State::Refused, Input::Heard, State::Refused, Action::Nothing},
        {State::Refused, Input::Refused, State::Refused, Action::Nothing},
        {State::Refused, Input::Overruled, State::Yielded, Action::Yield},
        {State::Refused, Input::Admitted, State::Clear, Action::Nothing},
        {State::Refused, Input::Quiet, State::Clear, Action::Nothing},
        {State::Yielded, Input::Heard, State::Yielded, Action::Nothing},
        {State::Yielded, Input::Refused, State::Yielded, Action::Nothing},
        {State::Yielded, Input::Overruled, State::Yielded, Action::Nothing},
        {State::Yielded, Input::Admitted, State::Clear, Action::Nothing},
        {State::Yielded, Input::Quiet, State::Yielded, Action::Nothing},
    };
    for (const Row& row : rows) {
        CAPTURE(static_cast<int>(row.state));
        CAPTURE(static_cast<int>(row.input));
        const NameConflict::Step step = NameConflict::step(row.state, row.input);
        CHECK(step.next == row.next);
        CHECK(step.action == row.action);
    }
}

TEST_CASE("name conflict: of two with links the greater instance yields, of equal ones the start") {
    struct Row {
        std::uint64_t other_instance, other_start;
        bool other_has_links, has_links;
        bool yields;
    };
    const Row rows[] = {
        {9, 50, true, true, true},     {11, 50, true, true, false}, {10, 49, true, true, true},
        {10, 51, true, true, false},   {9, 50, false, true, false}, {9, 50, true, false, false},
        {11, 50, false, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.other_instance);
        CAPTURE(row.other_start);
        NameConflict conflict(identity("a", 10, 50));
        conflict.on_heard(at(0), identity("a", row.other_instance, row.other_start), box(9));
        const Action action = conflict.on_outwritten(
            at(10), other(row.other_instance, row.other_start), row.other_has_links, row.has_links);
        CHECK((action == Action::Yield) == row.yields);
        CHECK((conflict.state(at(10)) == State::Yielded) == row.yields);
        CHECK(conflict.is_holding(at(11)) == row.yields);
        CHECK_FALSE(conflict.is_holding(at(3010)));
    }
}

TEST_CASE("name conflict: what a former start left is no conflict, who keeps writing is") {
    NameConflict conflict(identity("a", 10, 50));
    CHECK(conflict.on_outwritten(at(0), other(9, 1), true, true) == Action::Nothing);
    CHECK(conflict.on_outwritten(at(1000), other(9, 1), true, true) == Action::Nothing);
    CHECK(conflict.state(at(1000)) == State::Clear);
    CHECK(conflict.on_outwritten(at(12'000), other(9, 1), true, true) == Action::Nothing);
    CHECK(conflict.on_outwritten(at(13'000), other(9, 1), true, true) == Action::Nothing);
    CHECK(conflict.on_outwritten(at(14'000), other(9, 1), true, true) == Action::TellAndYield);
    CHECK(conflict.other().instance == InstanceId{9});
}

TEST_CASE("name conflict: told once, and again a minute later at the earliest") {
    NameConflict conflict(identity("a", 10, 50));
    CHECK(conflict.on_heard(at(0), identity("a", 11, 60), box(9)) == Action::Tell);
    for (int s = 1; s < 600; ++s) {
        CHECK(conflict.on_heard(at(s * 1000), identity("a", 11, 60), box(9)) == Action::Nothing);
    }
    const TimePoint last = at(599'000);
    CHECK(conflict.state(last + minutes(3) - milliseconds(1)) == State::Noticed);
    CHECK(conflict.state(last + minutes(3)) == State::Clear);
    CHECK(conflict.on_heard(last + minutes(3), identity("a", 11, 60), box(9)) == Action::Tell);
}

TEST_CASE("name conflict: an admission ends it, and a conflict that returns at once is not told") {
    NameConflict conflict(identity("a", 10, 50));
    CHECK(conflict.on_refused(at(0), false) == Action::Nothing);
    CHECK(conflict.on_refused(at(2499), false) == Action::Nothing);
    CHECK(conflict.on_refused(at(2500), false) == Action::Tell);
    CHECK(conflict.state(at(2500)) == State::Refused);
    conflict.on_admitted(at(3000));
    CHECK(conflict.state(at(3000)) == State::Clear);
    CHECK(conflict.on_heard(at(4000), identity("a", 9, 1), box(9)) == Action::Nothing);
    CHECK(conflict.state(at(4000)) == State::Noticed);
}

TEST_CASE("name conflict: refusals that a dead start explains are none") {
    NameConflict conflict(identity("a", 10, 50));
    conflict.on_refused(at(0), false);
    conflict.on_admitted(at(2000));
    CHECK(conflict.on_refused(at(2600), true) == Action::Nothing);
    CHECK(conflict.on_refused(at(20'000), true) == Action::Nothing);
    CHECK(conflict.state(at(20'000)) == State::Clear);
    CHECK(conflict.on_refused(at(22'500), true) == Action::Tell);
    CHECK(conflict.state(at(22'500)) == State::Noticed);
}

TEST_CASE("name conflict: who was heard before an admission proves nothing after it") {
    NameConflict conflict(identity("a", 10, 50));
    conflict.on_heard(at(0), identity("a", 9, 1), box(9));
    conflict.on_outwritten(at(0), other(9, 1), true, true);
    REQUIRE(conflict.state(at(0)) == State::Yielded);
    conflict.on_admitted(at(60'000));
    // The other has died; its last record is still with the members.
    CHECK(conflict.on_outwritten(at(60'100), other(9, 1), true, true) == Action::Nothing);
    CHECK(conflict.state(at(60'100)) == State::Clear);
}

}  // namespace meshd
