// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "proto/base/base64.h"
#include "proto/base/json.h"
#include "tests/sim/scene.h"

namespace meshd::sim {
namespace {

struct Found {
    SearchDone done;
    std::map<std::string, SearchAnswered> answers;  ///< by node
    Duration took{};

    std::size_t results(const World& world, Host host) const {
        const auto it = answers.find(world.id(host).text());
        return it == answers.end() ? 0
                                   : json::Document::parse(it->second.results, {})->root().size();
    }
};

/// Asks, and waits until the search is over.
Found ask(Scene& scene, Host host, Search search) {
    const auto request = scene.world.command(host, search);
    REQUIRE(request);
    const TimePoint asked = scene.world.time();
    REQUIRE(scene.world.run_until(
        [&] { return scene.world.answer<SearchDone>(host, *request) != nullptr; },
        search.timeout + milliseconds(10), milliseconds(1)));
    Found found{*scene.world.answer<SearchDone>(host, *request), {}, scene.world.time() - asked};
    for (const SearchAnswered& answered : scene.world.search_answers(host, *request)) {
        const bool is_first = found.answers.emplace(answered.node.text(), answered).second;
        CHECK_MESSAGE(is_first, answered.node.text(), " answered twice");
    }
    return found;
}

Search for_hash(const std::string& hash) {
    return {"hash", "{\"hash\":\"" + hash + "\"}", {}, seconds(2), 10};
}

Search for_embedding(const std::vector<double>& values, std::uint32_t limit = 10) {
    return {"embedding",
            "{\"embedding\":{\"f16\":\"" + print_base64(*make_embedding(values)) +
                "\"},\"space\":\"model\"}",
            {},
            seconds(2),
            limit};
}

}  // namespace

TEST_CASE("search: every node answers from its own entries, by hash") {
    Scene scene(3101, lan(10));
    scene.form();
    for (Host host : {Host{2}, Host{5}}) {
        scene.put(host, "h1");
    }
    scene.world.run_for(seconds(1));
    const Found found = ask(scene, 0, for_hash("h1"));
    CHECK(found.answers.size() == 10);
    CHECK(found.done.silent.empty());
    CHECK(found.done.unreachable.empty());
    CHECK(found.results(scene.world, 2) == 1);
    CHECK(found.results(scene.world, 5) == 1);
    CHECK(found.results(scene.world, 0) == 0);
    MESSAGE("10 nodes answered within " << print_ms(found.took));
    CHECK(found.took < milliseconds(200));
}

TEST_CASE("search: by metadata, with equality and ranges") {
    Scene scene(3102, lan(3));
    scene.form();
    for (int i = 0; i < 20; ++i) {
        EntryPut entry;
        entry.hash = "car" + std::to_string(i);
        entry.type = i % 2 == 0 ? "car" : "van";
        entry.metadata = "{\"colour\":\"" + std::string(i % 4 < 2 ? "red" : "blue") +
                         "\",\"speed\":" + std::to_string(i * 10) + "}";
        REQUIRE(scene.world.command(static_cast<Host>(i % 3), PutEntries{{entry}, false}));
    }
    scene.world.run_for(seconds(1));
    const auto count = [&](const std::string& query) {
        const Found found = ask(scene, 1, {"metadata", query, {}, seconds(2), 100});
        CHECK(found.done.silent.empty());
        return found.results(scene.world, 0) + found.results(scene.world, 1) +
               found.results(scene.world, 2);
    };
    CHECK(count(R"({"metadata":{"colour":"red"}})") == 10);
    CHECK(count(R"({"metadata":{"colour":"red"},"type":"car"})") == 5);
    CHECK(count(R"({"metadata":{"speed":{"min":50,"max":90}}})") == 5);
    CHECK(count(R"({"metadata":{"speed":{"min":185}}})") == 1);
    CHECK(count(R"({"metadata":{"speed":50.0}})") == 1);
    CHECK(count(R"({"metadata":{"colour":{"min":1}}})") == 0);
    CHECK(count(R"({"metadata":{"shape":null}})") == 0);
}

TEST_CASE("search: over the metadata of many entries the loop is never held up for long") {
    Scene scene(3103, lan(2));
    scene.form();
    scene.put_many(0, "many", 3000);
    scene.world.run_for(seconds(2));
    const std::uint64_t before = scene.world.timeouts(0);
    const Found found =
        ask(scene, 1, {"metadata", R"({"metadata":{"mark":"nothing"}})", {}, seconds(2), 10});
    CHECK(found.answers.size() == 2);
    CHECK(scene.world.timeouts(0) - before >= 3000 / 400);
}

TEST_CASE("search: by embedding, the same order and scores as a brute-force look at all") {
    Scene scene(3104, lan(4));
    scene.form();
    for (Host host = 0; host < 4; ++host) {
        scene.put_many(host, "e" + std::to_string(host) + "-", 50, 16);
    }
    scene.world.run_for(seconds(1));
    std::vector<double> wanted(16);
    for (double& value : wanted) {
        value = scene.world.prng().unit();
    }
    const Found found = ask(scene, 3, for_embedding(wanted, 5));
    REQUIRE(found.answers.size() == 4);
    for (Host host = 0; host < 4; ++host) {
        CHECK(found.results(scene.world, host) == 5);
        const auto results =
            json::Document::parse(found.answers.at(scene.world.id(host).text()).results, {});
        double last = 2;
        for (const json::Value result : results->root()) {
            const double score = *result["score"].as_double();
            CHECK(score <= last);
            last = score;
            CHECK(result["hash"].as_string()->starts_with("e" + std::to_string(host)));
        }
    }
}

TEST_CASE("search: what dead nodes have put is found here, and marked stale") {
    Scene scene(3105, lan(4));
    scene.form();
    scene.put(3, "h1");
    scene.world.run_for(seconds(1));
    scene.world.crash(3);
    REQUIRE(
        scene.world.run_until([&] { return scene.all_see(3, NodeStatus::Offline); }, seconds(10)));
    const Found found = ask(scene, 0, for_hash("h1"));
    CHECK(found.answers.size() == 4);
    CHECK(found.done.unreachable == std::vector{scene.world.id(3)});
    const SearchAnswered& stale = found.answers.at(scene.world.id(3).text());
    CHECK(stale.is_stale);
    CHECK(found.results(scene.world, 3) == 1);
    CHECK_FALSE(found.answers.at(scene.world.id(1).text()).is_stale);

    // Only the dead one asked: nobody answers, its entries are found all the same.
    Search alone = for_hash("h1");
    alone.nodes = {scene.world.id(3)};
    const Found only = ask(scene, 0, alone);
    CHECK(only.answers.size() == 1);
    CHECK(only.results(scene.world, 3) == 1);
    CHECK(only.done.silent.empty());
}

TEST_CASE("search: a box that dies meanwhile is not waited for longer than it is thought alive") {
    Scene scene(3106, lan(5));
    scene.form();
    scene.world.crash(4);
    Search search = for_hash("h1");
    search.timeout = seconds(20);
    const Found found = ask(scene, 0, search);
    CHECK(found.answers.size() == 4);
    CHECK(found.done.unreachable == std::vector{scene.world.id(4)});
    CHECK(found.took < seconds(5));
}

TEST_CASE("search: a paused box is silent, and named so") {
    Scene scene(3107, lan(5));
    scene.form();
    scene.world.run_for(seconds(2));  // all hold links with all
    scene.world.pause(4);
    Search search = for_hash("h1");
    search.timeout = milliseconds(400);
    const Found found = ask(scene, 0, search);
    CHECK(found.answers.size() == 4);
    CHECK(found.done.silent == std::vector{scene.world.id(4)});
    scene.world.resume(4);
}

TEST_CASE("search: at 10 percent loss every one of 30 is complete, over a line of 5 too") {
    for (const bool is_line : {false, true}) {
        Scene scene(is_line ? 3108 : 3109, is_line ? line(5) : lan(10));
        scene.form();
        scene.put_many(2, "e", 40, 512);
        scene.world.run_for(seconds(1));
        scene.world.network().defaults().loss = 0.1;
        Duration worst{};
        for (int i = 0; i < 30; ++i) {
            const Found found = ask(scene, 0, for_embedding(std::vector<double>(512, 1.0)));
            CHECK(found.answers.size() == scene.world.hosts());
            CHECK(found.done.silent.empty());
            worst = std::max(worst, found.took);
        }
        MESSAGE("slowest of 30: " << print_ms(worst));
    }
}

TEST_CASE("search: only those asked answer") {
    Scene scene(3110, line(5));
    scene.form();
    scene.world.run_for(seconds(1));
    Search search = for_hash("h1");
    search.nodes = {scene.world.id(4), scene.world.id(2)};
    const Found found = ask(scene, 0, search);
    CHECK(found.answers.size() == 2);
    CHECK(found.answers.count(scene.world.id(4).text()) == 1);
    CHECK(scene.world.node(1).counters()[Counter::searches_received] == 0);
}

TEST_CASE("search: local responders are asked, and waited for until they are late") {
    Scene scene(3111, lan(3));
    scene.form();
    REQUIRE(scene.world.command(1, ServeSearches{{"person"}}));
    REQUIRE(scene.world.command(2, ServeSearches{{"person"}}));
    const auto request =
        scene.world.command(0, Search{"person", "{\"name\":\"x\"}", {}, seconds(1), 10});
    REQUIRE(request);
    scene.world.run_for(milliseconds(200));
    REQUIRE(scene.world.questions(1).size() == 1);
    REQUIRE(scene.world.questions(2).size() == 1);
    CHECK(scene.world.questions(0).empty());
    const SearchRequested& question = scene.world.questions(1).front();
    CHECK(question.source == scene.world.id(0));
    CHECK(question.query == "{\"name\":\"x\"}");
    CHECK(question.timeout == milliseconds(800));
    // An answer that is no array is refused, and changes nothing.
    CHECK_FALSE(scene.world.command(1, AnswerSearch{question.ticket, "{}", 0, 0}));
    REQUIRE(scene.world.command(1, AnswerSearch{question.ticket, "[{\"score\":1}]", 1, 0}));
    CHECK_FALSE(scene.world.command(1, AnswerSearch{question.ticket, "[]", 0, 0}));
    REQUIRE(scene.world.run_until(
        [&] { return scene.world.answer<SearchDone>(0, *request) != nullptr; }, seconds(1)));
    const auto answers = scene.world.search_answers(0, *request);
    REQUIRE(answers.size() == 3);
    for (const SearchAnswered& answered : answers) {
        if (answered.node == scene.world.id(1)) {
            CHECK(answered.results == "[{\"score\":1}]");
            CHECK(answered.silent == 1);
        } else if (answered.node == scene.world.id(2)) {
            CHECK(answered.results == "[]");
            CHECK(answered.is_truncated);
        }
    }
    CHECK(scene.world.answer<SearchDone>(0, *request)->silent.empty());
    // While it was worked on, it was asked for again, and put to the responders only once.
    CHECK(scene.world.node(0).counters()[Counter::searches_asked_again] >= 2);
}

TEST_CASE("search: what a busy box answers a little late is still taken") {
    Scene scene(3114, lan(2));
    scene.form();
    REQUIRE(scene.world.command(1, ServeSearches{{"person"}}));
    const auto request = scene.world.command(0, Search{"person", "{}", {}, seconds(1), 10});
    REQUIRE(request);
    scene.world.run_for(milliseconds(200));
    REQUIRE(scene.world.questions(1).size() == 1);
    const SearchRequested& question = scene.world.questions(1).front();
    scene.world.run_for(question.timeout - milliseconds(200) + milliseconds(50));
    REQUIRE(scene.world.command(1, AnswerSearch{question.ticket, "[{\"score\":1}]", 1, 0}));
    REQUIRE(scene.world.run_until(
        [&] { return scene.world.answer<SearchDone>(0, *request) != nullptr; }, seconds(1)));
    const auto answers = scene.world.search_answers(0, *request);
    REQUIRE(answers.size() == 2);
    CHECK(std::any_of(answers.begin(), answers.end(), [&](const SearchAnswered& answered) {
        return answered.node == scene.world.id(1) && answered.silent == 1 &&
               answered.results == "[{\"score\":1}]";
    }));
}

TEST_CASE("search: a bad query is refused by name, here and by those who get one") {
    Scene scene(3112, lan(2));
    scene.form();
    const auto refused = [&](Search search) {
        const auto request = scene.world.command(0, search);
        return request ? std::string() : request.error().field;
    };
    CHECK(refused({"", "{}", {}, seconds(1), 10}) == "search_type");
    CHECK(refused({"hash", "[]", {}, seconds(1), 10}) == "query");
    CHECK(refused({"hash", "{}", {}, seconds(1), 10}) == "query");
    CHECK(refused({"hash", "{\"hash\":\"a\",\"b\":1}", {}, seconds(1), 10}) == "query");
    CHECK(refused({"metadata", "{\"metadata\":{}}", {}, seconds(1), 10}) == "query");
    CHECK(refused({"metadata", "{\"metadata\":{\"a\":[1]}}", {}, seconds(1), 10}) == "query");
    CHECK(refused({"metadata", "{\"metadata\":{\"a\":{\"mim\":1}}}", {}, seconds(1), 10}) ==
          "query");
    CHECK(refused({"embedding",
                   "{\"embedding\":{\"f16\":\"AAA=\"},\"space\":\"m\"}",
                   {},
                   seconds(1),
                   10}) == "query");
    CHECK(refused({"person", "{}", {}, seconds(61), 10}) == "timeout_ms");
    CHECK(refused({"person", "{}", {}, seconds(1), 0}) == "limit");
    CHECK(refused({"person", "{}", {*NodeId::parse("nobody")}, seconds(1), 10}) == "nodes");
    CHECK(refused({"person", "{}", {}, seconds(1), 10}).empty());
}

TEST_CASE("search: 50 nodes, and many searches at once") {
    Scene scene(3113, lan(50));
    scene.form(seconds(20));
    scene.put_many(7, "e", 20, 32);
    scene.world.run_for(seconds(2));
    std::vector<RequestId> requests;
    for (int i = 0; i < 20; ++i) {
        const auto request = scene.world.command(static_cast<Host>(i),
                                                 for_embedding(std::vector<double>(32, 1.0), 3));
        REQUIRE(request);
        requests.push_back(*request);
    }
    scene.world.run_for(seconds(2) + milliseconds(10));
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const auto* done = scene.world.answer<SearchDone>(i, requests[i]);
        REQUIRE(done != nullptr);
        CHECK(done->silent.empty());
        CHECK(scene.world.search_answers(i, requests[i]).size() == 50);
    }
}

}  // namespace meshd::sim
