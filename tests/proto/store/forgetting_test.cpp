// SPDX-License-Identifier: Apache-2.0
#include "proto/store/forgetting.h"

#include <doctest/doctest.h>

#include "tests/proto/store/store_support.h"

using namespace meshd;
using namespace meshd::test;

namespace {

using std::chrono::hours;
using std::chrono::seconds;
using Verdict = Forgetting::Verdict;
using Marks = std::vector<ForgottenNode>;

constexpr Duration kKeep = hours(24);
const TimePoint kStart{hours(1)};

TimePoint after(Duration duration) {
    return kStart + duration;
}

ForgottenNode scrapped(std::string_view name = "x", std::uint64_t stream = 7) {
    return {id(name), StreamId{stream}};
}

struct Fixture {
    Forgetting forgetting{id("a"), kKeep};

    /// A look at all node records, in which `by` names `marks`.
    void look(TimePoint now, const NodeId& by = {}, const Marks& marks = {}) {
        forgetting.begin_naming();
        for (const ForgottenNode& mark : marks) {
            forgetting.on_named(now, mark, by);
        }
        forgetting.end_naming(now);
    }
    Verdict judge(TimePoint now, const Forgetting::Facts& facts, Duration jitter = {},
                  const ForgottenNode& node = scrapped()) {
        return forgetting.judge(now, node, facts, jitter);
    }
    static Forgetting::Facts held_since(TimePoint at) {
        Forgetting::Facts facts;
        facts.held_since = at;
        return facts;
    }
    static Forgetting::Facts alive() {
        Forgetting::Facts facts = held_since(kStart);
        facts.is_alive = true;
        return facts;
    }
    static Forgetting::Facts claimed() {
        Forgetting::Facts facts;
        facts.is_claimed = true;
        return facts;
    }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "forgetting: what is asked here is named by the own record for a day") {
    look(kStart);
    CHECK(forgetting.own().empty());
    CHECK_FALSE(forgetting.next_look());
    forgetting.forget(kStart, scrapped("y", 9));
    forgetting.forget(kStart, scrapped("x", 7));
    CHECK(forgetting.own() == Marks{scrapped("x", 7), scrapped("y", 9)});
    CHECK(forgetting.forgotten_by(scrapped()) == id("a"));
    look(after(kKeep - seconds(1)));
    CHECK(forgetting.own().size() == 2);
    CHECK(forgetting.next_look() == after(kKeep));
    look(after(kKeep));
    CHECK(forgetting.own().empty());
    CHECK(forgetting.marks().empty());
}

TEST_CASE_FIXTURE(Fixture, "forgetting: beyond the limit the oldest make room") {
    for (std::uint64_t i = 0; i <= limits::kForgottenMax; ++i) {
        forgetting.forget(after(seconds(i)), scrapped("n" + std::to_string(100 + i), i + 1));
    }
    const Marks own = forgetting.own();
    CHECK(own.size() == limits::kForgottenMax);
    CHECK(own.front() == scrapped("n101", 2));
    CHECK(forgetting.marks().size() == limits::kForgottenMax);
}

TEST_CASE_FIXTURE(Fixture, "forgetting: a mark outlives the record that named it, for a day") {
    look(kStart, id("b"), {scrapped()});
    CHECK(forgetting.marks() == Marks{scrapped()});
    CHECK(forgetting.forgotten_by(scrapped()) == id("b"));
    CHECK(forgetting.own().empty());
    look(after(hours(23)));
    CHECK(forgetting.marks() == Marks{scrapped()});
    look(after(kKeep));
    CHECK(forgetting.marks().empty());
}

TEST_CASE_FIXTURE(Fixture, "forgetting: nobody is told to forget himself, nor told by himself") {
    look(kStart, id("b"), {scrapped("a")});
    CHECK(forgetting.marks().empty());
    look(kStart, id("a"), {scrapped("x")});
    CHECK(forgetting.marks().empty());
}

TEST_CASE_FIXTURE(Fixture, "forgetting: a record is dropped once it is not news of a return") {
    look(after(hours(1)), id("b"), {scrapped()});
    CHECK(judge(after(hours(1)), held_since(kStart)) == Verdict::Drop);
    look(after(hours(2)), id("b"), {scrapped()});
    CHECK(judge(after(hours(2)), held_since(after(hours(2)))) == Verdict::Later);
    CHECK(forgetting.next_look() == after(hours(2) + Forgetting::kSettle));
    CHECK(judge(after(hours(2) + Forgetting::kSettle), held_since(after(hours(2)))) ==
          Verdict::Drop);
    CHECK(judge(after(hours(3)), Forgetting::Facts{}) == Verdict::Nothing);
}

TEST_CASE_FIXTURE(Fixture, "forgetting: another start of the node is welcome") {
    look(kStart, id("b"), {scrapped()});
    Forgetting::Facts facts = held_since(kStart);
    facts.is_later_start = true;
    CHECK(judge(after(hours(1)), facts) == Verdict::Nothing);
    facts.is_alive = true;
    CHECK(judge(after(hours(1)), facts) == Verdict::Nothing);
    CHECK(forgetting.marks() == Marks{scrapped()});
}

TEST_CASE("forgetting: a start that lives after all makes the mark void") {
    for (const auto& facts : {Fixture::alive(), Fixture::claimed()}) {
        Fixture f;
        f.look(kStart, id("b"), {scrapped()});
        // The news that it is gone may still be on its way.
        CHECK(f.judge(kStart, facts) == Verdict::Later);
        CHECK(f.forgetting.next_look() == after(Forgetting::kSettle));
        CHECK(f.judge(after(Forgetting::kSettle), facts) == Verdict::Void);
        CHECK(f.forgetting.marks().empty());
        // As long as it is named it stays void.
        f.look(after(seconds(60)), id("b"), {scrapped()});
        CHECK(f.forgetting.marks().empty());
        // Somebody else means it anew.
        f.look(after(seconds(61)), id("c"), {scrapped()});
        CHECK(f.forgetting.marks() == Marks{scrapped()});
    }
}

TEST_CASE_FIXTURE(Fixture, "forgetting: a void mark that is named no more may be set again") {
    look(kStart, id("b"), {scrapped()});
    CHECK(judge(after(Forgetting::kSettle), alive()) == Verdict::Void);
    look(after(seconds(10)));
    look(after(seconds(20)), id("b"), {scrapped()});
    CHECK(forgetting.marks() == Marks{scrapped()});
}

TEST_CASE_FIXTURE(Fixture, "forgetting: an own mark that is void is named no more") {
    forgetting.forget(kStart, scrapped());
    look(after(seconds(10)));
    CHECK(judge(after(seconds(10)), alive()) == Verdict::Void);
    CHECK(forgetting.own().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "forgetting: a mark that nobody names any more is repeated when needed") {
    look(kStart, id("b"), {scrapped()});
    look(after(hours(1)));
    // Nothing came back: no need.
    CHECK(judge(after(hours(1)), Forgetting::Facts{}) == Verdict::Nothing);
    CHECK(forgetting.own().empty());
    CHECK(judge(after(hours(2)), held_since(after(hours(1))), seconds(2)) == Verdict::Drop);
    CHECK(forgetting.own().empty());
    look(after(hours(2) + seconds(1)));
    judge(after(hours(2) + seconds(1)), Forgetting::Facts{});
    CHECK(forgetting.own().empty());
    CHECK(forgetting.next_look() == after(hours(2) + seconds(2)));
    look(after(hours(2) + seconds(2)));
    judge(after(hours(2) + seconds(2)), Forgetting::Facts{});
    CHECK(forgetting.own() == Marks{scrapped()});
}

TEST_CASE_FIXTURE(Fixture, "forgetting: a mark is repeated where a peer still holds the node") {
    look(kStart, id("b"), {scrapped()});
    forgetting.on_met(kStart, scrapped(), seconds(0));
    judge(kStart, Forgetting::Facts{});
    CHECK(forgetting.own().empty());
    look(after(hours(1)));
    forgetting.on_met(after(hours(1)), scrapped(), seconds(2));
    CHECK(forgetting.next_look() == after(hours(1) + seconds(2)));
    look(after(hours(1) + seconds(2)));
    judge(after(hours(1) + seconds(2)), Forgetting::Facts{});
    CHECK(forgetting.own() == Marks{scrapped()});
}

TEST_CASE_FIXTURE(Fixture, "forgetting: a mark that another repeats first is not repeated here") {
    look(kStart, id("b"), {scrapped()});
    look(after(hours(1)));
    CHECK(judge(after(hours(2)), held_since(after(hours(1))), seconds(2)) == Verdict::Drop);
    look(after(hours(2) + seconds(1)), id("c"), {scrapped()});
    judge(after(hours(2) + seconds(1)), Forgetting::Facts{});
    look(after(hours(2) + seconds(9)), id("c"), {scrapped()});
    judge(after(hours(2) + seconds(9)), Forgetting::Facts{});
    CHECK(forgetting.own().empty());
}

TEST_CASE_FIXTURE(Fixture, "forgetting: marks are bounded, and others' beyond it are refused") {
    for (std::uint64_t i = 0; i < Forgetting::kMarksMax + 10; ++i) {
        forgetting.begin_naming();
        forgetting.on_named(after(seconds(i)), scrapped("x", i + 1), id("b"));
        forgetting.end_naming(after(seconds(i)));
    }
    const Marks marks = forgetting.marks();
    CHECK(marks.size() == Forgetting::kMarksMax);
    CHECK(marks.front() == scrapped("x", 1));
    CHECK(forgetting.take_refused() == 10);
    CHECK(forgetting.take_refused() == 0);
    // The operator's own is taken all the same.
    forgetting.forget(after(hours(1)), scrapped("y", 1));
    CHECK(forgetting.own().size() == 1);
}
