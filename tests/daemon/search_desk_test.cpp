// SPDX-License-Identifier: Apache-2.0
#include "daemon/search_desk.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "proto/wire/limits.h"

using namespace meshd;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kUser = 1000;

struct Bench {
    TimePoint now{1s};
    std::map<SearchDesk::ClientId, std::vector<std::string>> asked;
    std::set<SearchDesk::ClientId> full;  ///< clients whose queue takes nothing
    std::vector<SearchDesk::Types> types;
    std::vector<AnswerSearch> answers;
    std::uint64_t last_ticket = 0;
    SearchDesk desk{{[this](SearchDesk::ClientId client, const std::string& data) {
                         if (full.count(client) > 0) {
                             return false;
                         }
                         asked[client].push_back(data);
                         return true;
                     },
                     [this](const SearchDesk::Types& served) { types.push_back(served); },
                     [this](AnswerSearch answer) { answers.push_back(std::move(answer)); }}};

    void serve(SearchDesk::ClientId client, SearchDesk::Types served, std::uint32_t user = kUser) {
        REQUIRE(desk.serve(client, user, std::move(served)));
    }
    SearchTicket ask(std::string type = "person", Duration timeout = 1s, std::uint32_t limit = 10) {
        const SearchTicket ticket{++last_ticket};
        desk.on_request(now, {ticket, *NodeId::parse("box-2"), std::move(type), R"({"coat":"red"})",
                              timeout, limit});
        return ticket;
    }
    /// Code of the error; 0 where it was taken.
    int answer(SearchDesk::ClientId client, SearchTicket ticket, const std::string& results) {
        const auto document = json::Document::parse(results, json::Limits{});
        REQUIRE(document);
        const auto accepted = desk.answer(client, ticket, document->root());
        last_field = accepted ? "" : accepted.error().field;
        return accepted ? 0 : static_cast<int>(accepted.error().code);
    }
    std::string last_field;
    void advance(Duration by) {
        now += by;
        desk.on_timeout(now);
    }
    /// A question that nobody answers in time.
    void hang() {
        ask();
        advance(1s);
    }
    AnswerSearch last() {
        REQUIRE_FALSE(answers.empty());
        return answers.back();
    }
    std::uint64_t counter(std::string_view name) const {
        for (const auto& [known, value] : desk.counters()) {
            if (known == name) {
                return value;
            }
        }
        FAIL("no such counter");
        return 0;
    }
};

}  // namespace

TEST_CASE("search desk: a question goes to those that serve its type, and all answer as one") {
    Bench b;
    b.serve(1, {"person", "car"});
    b.serve(2, {"person"});
    b.serve(3, {"car"});
    CHECK(b.types.back() == SearchDesk::Types{"car", "person"});
    const SearchTicket ticket = b.ask();
    const std::vector<std::string> data = {
        R"({"search":"0000000000000001","search_type":"person","query":{"coat":"red"},)"
        R"("source":"box-2","timeout_ms":950,"limit":10})"};
    CHECK(b.asked[1] == data);
    CHECK(b.asked[2] == data);
    CHECK(b.asked[3].empty());
    CHECK(b.answer(1, ticket, R"([{"id":1,"score":0.5},{"id":2}])") == 0);
    CHECK(b.answers.empty());
    CHECK(b.answer(2, ticket, R"([{"id":3,"score":0.75}])") == 0);
    REQUIRE(b.answers.size() == 1);
    CHECK(b.last().ticket == ticket);
    CHECK(b.last().results == R"([{"id":3,"score":0.75},{"id":1,"score":0.5},{"id":2}])");
    CHECK(b.last().silent == 0);
    CHECK_FALSE(b.last().is_truncated);
    CHECK_FALSE(b.desk.next_deadline());
}

TEST_CASE("search desk: results without a score take turns, so that none fills the answer alone") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    const SearchTicket ticket = b.ask("person", 1s, 3);
    CHECK(b.answer(1, ticket, R"([{"a":1},{"a":2},{"a":3},{"a":4}])") == 0);
    CHECK(b.answer(2, ticket, R"([{"b":1}])") == 0);
    CHECK(b.last().results == R"([{"a":1},{"b":1},{"a":2}])");
    CHECK(b.last().is_truncated);
}

TEST_CASE("search desk: a hung responder costs the others nothing but the time, and is counted") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    const SearchTicket ticket = b.ask();
    CHECK(b.answer(1, ticket, R"([{"id":1}])") == 0);
    REQUIRE(b.desk.next_deadline());
    CHECK(*b.desk.next_deadline() == b.now + 950ms);
    b.advance(949ms);
    CHECK(b.answers.empty());
    b.advance(1ms);
    CHECK(b.last().results == R"([{"id":1}])");
    CHECK(b.last().silent == 1);
    CHECK(b.answer(2, ticket, "[]") == 500);
}

TEST_CASE("search desk: who is silent twice is skipped and shown, and asked again after a pause") {
    Bench b;
    b.serve(1, {"person"});
    b.hang();
    CHECK(b.desk.warnings(b.now).empty());
    b.hang();
    REQUIRE(b.desk.warnings(b.now).size() == 1);
    CHECK(b.desk.warnings(b.now)[0].find("user 1000") != std::string::npos);
    CHECK(b.desk.warnings(b.now)[0].find("(person)") != std::string::npos);
    b.ask();
    CHECK(b.last().silent == 0);
    CHECK(b.last().skipped == 1);
    CHECK(b.asked[1].size() == 2);
    b.advance(SearchDesk::kPause);
    CHECK(b.desk.warnings(b.now).empty());
    b.hang();
    CHECK(b.asked[1].size() == 3);
    CHECK(b.desk.warnings(b.now).size() == 1);
    SUBCASE("or at once where it says that it serves") {
        b.serve(1, {"person"});
        CHECK(b.desk.warnings(b.now).empty());
        b.ask();
        CHECK(b.asked[1].size() == 4);
    }
    SUBCASE("and an answer makes all good") {
        b.advance(SearchDesk::kPause);
        CHECK(b.answer(1, b.ask(), "[]") == 0);
        b.hang();
        CHECK(b.desk.warnings(b.now).empty());
    }
}

TEST_CASE("search desk: silence counts only after a fair time, and once for what came together") {
    Bench b;
    b.serve(1, {"person"});
    for (int i = 0; i < 10; ++i) {
        b.ask("person", 10ms);
        b.advance(10ms);
    }
    CHECK(b.desk.warnings(b.now).empty());
    for (int i = 0; i < 10; ++i) {
        b.ask();
    }
    b.advance(1s);
    CHECK(b.counter("responders_silent") == 20);
    CHECK(b.desk.warnings(b.now).empty());
    b.hang();
    CHECK(b.desk.warnings(b.now).size() == 1);
}

TEST_CASE("search desk: a dying responder is waited for no longer, and its type no longer served") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"car", "person"});
    const SearchTicket ticket = b.ask();
    CHECK(b.answer(1, ticket, R"([{"id":1}])") == 0);
    b.desk.remove_client(2);
    CHECK(b.last().results == R"([{"id":1}])");
    CHECK(b.last().silent == 1);
    CHECK(b.types.back() == SearchDesk::Types{"person"});
    // What it had answered before stays.
    b.serve(3, {"person"});
    const SearchTicket next = b.ask();
    CHECK(b.answer(3, next, R"([{"id":3}])") == 0);
    b.desk.remove_client(3);
    CHECK(b.answer(1, next, "[]") == 0);
    CHECK(b.last().results == R"([{"id":3}])");
    b.desk.remove_client(1);
    CHECK(b.types.back().empty());
    b.ask();
    CHECK(b.last().results == "[]");
    CHECK(b.last().silent == 0);
}

TEST_CASE("search desk: one that does not read, or has too much open, is skipped") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    b.full.insert(1);
    const SearchTicket ticket = b.ask();
    CHECK(b.answer(2, ticket, "[]") == 0);
    CHECK(b.last().skipped == 1);
    b.full.clear();
    for (std::size_t i = 0; i < SearchDesk::kOpenPerClientMax; ++i) {
        b.answer(2, b.ask(), "[]");
    }
    CHECK(b.asked[1].size() == SearchDesk::kOpenPerClientMax);
    b.answer(2, b.ask(), "[]");
    CHECK(b.asked[1].size() == SearchDesk::kOpenPerClientMax);
    CHECK(b.last().skipped == 1);
}

TEST_CASE("search desk: answers are refused where unknown, twice, wrong or too large") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    const SearchTicket ticket = b.ask();
    CHECK(b.answer(3, ticket, "[]") == 500);
    CHECK(b.answer(1, SearchTicket{77}, "[]") == 500);
    CHECK(b.answer(1, ticket, R"([{},1])") == -32602);
    CHECK(b.last_field == "results[1]");
    CHECK(b.answer(1, ticket, R"([{"score":1.5}])") == -32602);
    CHECK(b.last_field == "results[0].score");
    CHECK(b.answer(1, ticket, R"([{"score":"high"}])") == -32602);
    const std::string large = R"([{"text":")" + std::string(limits::kPayloadBytesMax, 'x') + "\"}]";
    CHECK(b.answer(1, ticket, large) == 502);
    CHECK(b.last_field == "results");
    const std::string deep = R"([{"a":)" + std::string(40, '[') + std::string(40, ']') + "}]";
    CHECK(b.answer(1, ticket, deep) == 502);
    // After all that it may still answer well.
    CHECK(b.answer(1, ticket, R"([{"score":null}])") == 0);
    CHECK(b.answer(1, ticket, "[]") == 500);
    CHECK(b.answers.empty());
}

TEST_CASE("search desk: the answer of all fits one message, and says where it is cut") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    const SearchTicket ticket = b.ask();
    const std::string half =
        R"([{"text":")" + std::string(limits::kPayloadBytesMax / 2, 'x') + "\"}]";
    CHECK(b.answer(1, ticket, half) == 0);
    CHECK(b.answer(2, ticket, half) == 0);
    CHECK(b.last().results == half);
    CHECK(b.last().is_truncated);
}

TEST_CASE("search desk: what is held of one flooding responder is bounded, others still answer") {
    Bench b;
    b.serve(1, {"person"});
    b.serve(2, {"person"});
    const std::string results =
        R"([{"text":")" + std::string(limits::kPayloadBytesMax - 100, 'x') + "\"}]";
    std::vector<SearchTicket> tickets;
    int refused = 0;
    for (int i = 0; i < 32; ++i) {
        tickets.push_back(b.ask());
        refused += b.answer(1, tickets.back(), results) == 900 ? 1 : 0;
    }
    CHECK(refused == 16);
    CHECK(b.counter("responders_refused") == 16);
    for (const SearchTicket ticket : tickets) {
        CHECK(b.answer(2, ticket, R"([{"id":2,"score":1}])") == 0);
    }
    b.advance(1s);
    CHECK(b.answers.size() == 32);
    CHECK(b.last().results == R"([{"id":2,"score":1}])");
    // Nothing is held any more.
    CHECK(b.answer(1, b.ask(), results) == 0);
}

TEST_CASE("search desk: responders are bounded, of one user more tightly than in all") {
    Bench b;
    for (std::size_t i = 0; i < SearchDesk::kRespondersPerUserMax; ++i) {
        b.serve(i, {"person"});
    }
    const auto refused = b.desk.serve(9999, kUser, {"person"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ipc::ErrorCode::Overloaded);
    b.serve(0, {"car"});
    b.serve(9999, {"person"}, kUser + 1);
    b.serve(0, {});
    CHECK_FALSE(b.desk.is_serving(0));
    b.serve(8888, {"person"});
}
