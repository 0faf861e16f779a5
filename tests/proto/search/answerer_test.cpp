// SPDX-License-Identifier: Apache-2.0
#include "proto/search/answerer.h"

#include <doctest/doctest.h>

namespace meshd {
namespace {

using std::chrono::milliseconds;
using Part = SearchAnswerer::Part;
using What = SearchAnswerer::What;

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

NodeId id(const char* name) {
    return *NodeId::parse(name);
}

SearchAnswerer::Question question(const char* source, std::uint64_t number) {
    return {id(source), StartId{3}, number};
}

SearchAnswerer::Taken take(SearchAnswerer& answerer, int ms, std::uint64_t number = 1,
                           const char* source = "a") {
    return answerer.on_question(at(ms), question(source, number), 2, at(800), at(1000));
}

TEST_CASE("answerer: a question is finished when all its parts are there") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    REQUIRE(taken.what == What::Work);
    answerer.expect(taken.ticket, Part::Registry);
    answerer.expect(taken.ticket, Part::Responders);
    answerer.finish_if_done(at(0), taken.ticket);
    answerer.results(taken.ticket, NodeId())->add("1");
    answerer.on_part(taken.ticket, Part::Registry);
    answerer.on_part(taken.ticket, Part::Registry);
    answerer.finish_if_done(at(1), taken.ticket);
    CHECK_FALSE(answerer.poll_finished());
    answerer.responder_results(taken.ticket)->add("{}");
    answerer.on_part(taken.ticket, Part::Responders, 1, 2);
    answerer.finish_if_done(at(2), taken.ticket);
    const auto finished = answerer.poll_finished();
    REQUIRE(finished);
    CHECK(finished->question == question("a", 1));
    CHECK(finished->answer.results == "[1,{}]");
    CHECK(finished->answer.silent == 1);
    CHECK(finished->answer.skipped == 2);
    CHECK_FALSE(finished->answer.is_truncated);
    CHECK_FALSE(answerer.next_deadline());
    CHECK(answerer.results(taken.ticket, NodeId()) == nullptr);
}

TEST_CASE("answerer: at the deadline it gives what it has, and says that it is not all") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    answerer.expect(taken.ticket, Part::Responders);
    answerer.results(taken.ticket, NodeId())->add("1");
    CHECK(answerer.next_deadline() == at(800));
    answerer.on_timeout(at(800));
    const auto finished = answerer.poll_finished();
    REQUIRE(finished);
    CHECK(finished->answer.results == "[1]");
    CHECK(finished->answer.is_truncated);
    CHECK_FALSE(answerer.is_expected(taken.ticket, Part::Responders));
}

TEST_CASE("answerer: the same question again is worked on once and answered again") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    answerer.expect(taken.ticket, Part::Registry);
    CHECK(take(answerer, 1).what == What::Pending);
    answerer.results(taken.ticket, NodeId())->add("1");
    answerer.on_part(taken.ticket, Part::Registry);
    answerer.finish_if_done(at(10), taken.ticket);
    REQUIRE(answerer.poll_finished());
    // The answer may still be on its way.
    CHECK(take(answerer, 11).what == What::Quiet);
    const auto again = take(answerer, 300);
    REQUIRE(again.what == What::Repeat);
    CHECK(again.answer->results == "[1]");
    CHECK(take(answerer, 301).what == What::Quiet);
    CHECK(take(answerer, 302, 2).what == What::Work);
    answerer.on_timeout(at(1000));
    CHECK(take(answerer, 1000).what == What::Work);
}

TEST_CASE("answerer: one asker cannot take the room of the others") {
    SearchAnswerer answerer;
    for (std::uint64_t i = 1; i <= SearchAnswerer::kOpenPerAskerMax; ++i) {
        const auto taken = take(answerer, 0, i);
        REQUIRE(taken.what == What::Work);
        answerer.expect(taken.ticket, Part::Responders);
    }
    CHECK(take(answerer, 0, 1000).what == What::Overloaded);
    CHECK(take(answerer, 0, 1, "b").what == What::Work);
    answerer.on_timeout(at(800));
    CHECK(take(answerer, 800, 1000).what == What::Work);
}

TEST_CASE("answerer: in all there is room for so many questions") {
    SearchAnswerer answerer;
    std::size_t taken = 0;
    for (int asker = 0; asker < 40; ++asker) {
        const std::string name = "n" + std::to_string(asker);
        for (std::uint64_t i = 1; i <= SearchAnswerer::kOpenPerAskerMax; ++i) {
            taken += take(answerer, 0, i, name.c_str()).what == What::Work ? 1 : 0;
        }
    }
    CHECK(taken == SearchAnswerer::kOpenMax);
}

TEST_CASE("answerer: results beyond the limit are left out, and it says so") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    ResultList* results = answerer.results(taken.ticket, NodeId());
    CHECK(results->add("1"));
    CHECK(results->add("2"));
    CHECK_FALSE(results->add("3"));
    answerer.finish_if_done(at(0), taken.ticket);
    const auto finished = answerer.poll_finished();
    REQUIRE(finished);
    CHECK(finished->answer.results == "[1,2]");
    CHECK(finished->answer.is_truncated);
}

TEST_CASE("answerer: what responders say follows, and displaces nothing") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    answerer.responder_results(taken.ticket)->add("8");
    answerer.responder_results(taken.ticket)->add("9");
    answerer.results(taken.ticket, NodeId())->add("1");
    answerer.finish_if_done(at(0), taken.ticket);
    const auto finished = answerer.poll_finished();
    REQUIRE(finished);
    CHECK(finished->answer.results == "[1,8]");
    CHECK(finished->answer.is_truncated);
    CHECK(finished->is_asked);
}

TEST_CASE("answerer: the results of one node fit a message") {
    ResultList results(limits::kSearchResultsMax);
    const std::string one = "\"" + std::string(998, 'x') + "\"";
    while (results.add(one)) {
    }
    CHECK(results.is_truncated());
    CHECK(results.print().size() <= limits::kPayloadBytesMax);
    CHECK(results.print().size() > limits::kPayloadBytesMax - 1100);
}

TEST_CASE("answerer: stale results are kept apart by their owner") {
    SearchAnswerer answerer;
    const auto taken = take(answerer, 0);
    answerer.results(taken.ticket, id("dead"))->add("1");
    answerer.finish_if_done(at(0), taken.ticket);
    const auto finished = answerer.poll_finished();
    REQUIRE(finished);
    CHECK(finished->answer.results == "[]");
    CHECK_FALSE(finished->is_asked);
    REQUIRE(finished->stale.size() == 1);
    CHECK(finished->stale.at(id("dead")) == "[1]");
}

TEST_CASE("answerer: kept answers are bounded") {
    SearchAnswerer answerer;
    const std::string large = "\"" + std::string(60'000, 'x') + "\"";
    for (std::uint64_t i = 1; i <= 100; ++i) {
        const auto taken = take(answerer, 0, i);
        answerer.results(taken.ticket, NodeId())->add(large);
        answerer.finish_if_done(at(0), taken.ticket);
        REQUIRE(answerer.poll_finished());
    }
    CHECK(take(answerer, 300, 100).what == What::Repeat);
    CHECK(take(answerer, 300, 1).what == What::Work);
}

}  // namespace
}  // namespace meshd
