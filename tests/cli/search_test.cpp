// SPDX-License-Identifier: Apache-2.0
/// \file
/// The verbs search and registry nearest.
#include <doctest/doctest.h>

#include "cli/search_question.h"
#include "cli/search_results.h"
#include "tests/cli/parsed.h"
#include "tests/cli/run_verb.h"

namespace meshd::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr const char* kNothingFound =
    R"("result":{"answers":[{"node_id":"a","results":[]}],"results":[],"silent":[],)"
    R"("unreachable":[],"complete":true})";

/// The params of search.query that these words lead to.
std::string asked(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "search");
    const RanVerb ran = run_verb(kNothingFound, std::move(words), input);
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.done.out == "nothing found\n");
    CHECK(ran.calls.starts_with("search.query "));
    return ran.calls.substr(ran.calls.find(' ') + 1);
}

TEST_CASE("meshctl search: each way of asking becomes its query") {
    CHECK(asked({"--hash", "9f86"}) ==
          R"({"query":{"hash":"9f86"},"search_type":"hash","timeout_ms":2000})"
          "\n");
    CHECK(asked({"--metadata", "camera=3", "--metadata", "score=0.8..", "--type", "face",
                 "--max-age", "1h"}) ==
          R"({"query":{"metadata":{"camera":3,"score":{"min":0.8}},"type":"face",)"
          R"("max_age_ms":3600000},"search_type":"metadata","timeout_ms":2000})"
          "\n");
    CHECK(asked({"--embedding", "-", "--space", "s", "--wait", "500ms"}, "[1, 2]\n") ==
          R"({"query":{"embedding":[1,2],"space":"s"},"search_type":"embedding","timeout_ms":500})"
          "\n");
    CHECK(asked({"person", "--query", R"({"coat": "red"})", "--node", "a", "--node", "b", "--limit",
                 "5"}) == R"({"query":{"coat":"red"},"search_type":"person","timeout_ms":2000,)"
                          R"("nodes":["a","b"],"limit":5})"
                          "\n");
    CHECK(has(asked({"person"}), R"({"query":{},"search_type":"person")"));
}

TEST_CASE("search question: a condition is a range, a scalar of JSON, or else a text") {
    CHECK(metadata_conditions({"a=2..5", "b=..-1.5", "c=2..", "d=true", "e=null", "f=1.5"}) ==
          R"({"a":{"min":2,"max":5},"b":{"max":-1.5},"c":{"min":2},"d":true,"e":null,"f":1.5})");
    CHECK(metadata_conditions({"a=red", "b=", "c=\"3\"", "d=[1]", "e=..", "f=a..b", "g=x=y"}) ==
          R"({"a":"red","b":"","c":"3","d":"[1]","e":"..","f":"a..b","g":"x=y"})");
    CHECK(has(metadata_conditions({"a=1", "a=2"}).error(), "no JSON at byte"));
    CHECK(metadata_conditions({"=1"}).error() == "'=1' is not KEY=VALUE");
    CHECK(metadata_conditions({"camera"}).error() == "'camera' is not KEY=VALUE");
}

TEST_CASE("meshctl search: words that do not fit together are usage errors") {
    struct Wrong {
        std::vector<std::string> words;
        std::string_view says;
    };
    const std::vector<Wrong> all = {
        {{}, "search for one of --hash"},
        {{"person", "--hash", "x"}, "search for one of --hash"},
        {{"--hash", "x", "--query", "{}"}, "--query goes with a SEARCH_TYPE"},
        {{"--hash", "x", "--type", "t"}, "--type and --max-age go with"},
        {{"--hash", "x", "--space", "t"}, "--space goes with --embedding"},
        {{"--embedding", "-"}, "--embedding needs --space"},
        {{"--embedding", "/no/f", "--space", "s"}, "--embedding: cannot read /no/f"},
        {{"--metadata", "camera"}, "--metadata: 'camera' is not KEY=VALUE"},
        {{"person", "--query", "[]"}, "--query is no JSON object"},
        {{"person", "--query", "{"}, "--query is no JSON at byte"},
        {{"person", "--hahs", "x"}, "did you mean '--hash'?"},
        {{"\xff"}, "is no UTF-8 text"},
    };
    for (const Wrong& wrong : all) {
        std::vector<std::string> words = wrong.words;
        words.insert(words.begin(), "search");
        const Finished done = run_meshctl(words);
        CHECK(done.exit_code == 2);
        CHECK_MESSAGE(has(done.err, wrong.says), done.err);
    }
}

constexpr const char* kPartial =
    R"("result":{"answers":[)"
    R"({"node_id":"a","results":[{"hash":"x"}],"truncated":true},)"
    R"({"node_id":"b","results":[],"silent_responders":1,"skipped_responders":2},)"
    R"({"node_id":"c","results":[{"hash":"y"}],"stale":true},)"
    R"({"node_id":"d","results":[],"refused":"overloaded"}],)"
    R"("results":[)"
    R"({"hash":"x","type":"face","score":0.98765,"node":"a","nodes":["a","b"],"age_ms":2000,"metadata":{"camera":3}},)"
    R"({"hash":"y","type":"face","score":0.5,"node":"c","nodes":["c"],"age_ms":60000,"metadata":{},"stale":true}],)"
    R"("silent":["e"],"unreachable":["c"],"complete":false})";

TEST_CASE("meshctl search: results on standard output, who answered on standard error") {
    const RanVerb ran = run_verb(kPartial, {"search", "--metadata", "a=1"});
    CHECK(ran.done.exit_code == 4);
    CHECK(ran.done.out ==
          " SCORE  HASH  NODE           TYPE    AGE  METADATA\n"
          "0.9877  x     a and 1 other  face  2.0 s  {\"camera\":3}\n"
          "0.5000  y     c (stale)      face  1 min  -\n");
    CHECK(ran.done.err ==
          "meshctl: answered by 2 boxes: a, b\n"
          "meshctl: silent: 1 box: e\n"
          "meshctl: unreachable: 1 box: c\n"
          "meshctl: stale, as this box holds it: 1 box: c\n"
          "meshctl: has more than is shown (--limit): 1 box: a\n"
          "meshctl: b: 1 program did not answer in time\n"
          "meshctl: b: 2 programs not asked, for not having answered before\n"
          "meshctl: d refused: overloaded\n");
    const RanVerb quiet = run_verb(kPartial, {"search", "--metadata", "a=1", "-q"});
    CHECK(quiet.done.exit_code == 4);
    CHECK(quiet.done.out == ran.done.out);
    CHECK(quiet.done.err.empty());
}

TEST_CASE("meshctl search: with --json the daemon's answer comes as it is") {
    const RanVerb ran = run_verb(kPartial, {"search", "--hash", "x", "--json"});
    CHECK(ran.done.exit_code == 4);
    CHECK("\"result\":" + ran.done.out == std::string(kPartial) + "\n");
    CHECK(ran.done.err.empty());
}

TEST_CASE("meshctl search: what programs answer is shown whole") {
    const RanVerb ran = run_verb(
        R"("result":{"answers":[{"node_id":"a","results":[{"name":"Eve","score":1}]}],)"
        R"("results":[{"name":"Eve","score":1,"node":"a","nodes":["a"]},{"value":7,"node":"b","nodes":["b"]}],)"
        R"("silent":[],"unreachable":[],"complete":true})",
        {"search", "person"});
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.done.out ==
          " SCORE  NODE  RESULT\n"
          "1.0000  a     {\"name\":\"Eve\"}\n"
          "     -  b     {\"value\":7}\n");
    CHECK(ran.done.err == "meshctl: answered by 1 box: a\n");
}

TEST_CASE("search results: the boxes of a large mesh are counted, not listed") {
    std::string answers;
    for (int i = 0; i < 17; ++i) {
        answers += (i == 0 ? "" : ",") + std::string(R"({"node_id":"n","results":[]})");
    }
    const auto document = parsed("{\"answers\":[" + answers + "]}");
    CHECK(search_words(document.root()) == std::vector<std::string>{"answered by 17 boxes"});
}

TEST_CASE("meshctl registry nearest: options become the params, matches a table") {
    const char* reply =
        R"("result":{"matches":[{"hash":"x","node":"a","type":"face","score":1,"age_ms":5000,)"
        R"("timestamp_ms":1,"metadata":{"camera":3}}],"scanned":1200})";
    const RanVerb ran = run_verb(reply,
                                 {"registry", "nearest", "-", "--space", "s", "-k", "3", "--type",
                                  "face", "--node", "a", "--node", "b", "--max-age", "10m"},
                                 "[0.6, 0, 0.8]");
    CHECK(ran.done.exit_code == 0);
    CHECK(ran.calls ==
          R"(registry.nearest {"embedding":[0.6,0,0.8],"space":"s","k":3,"type":"face",)"
          R"("nodes":["a","b"],"max_age_ms":600000})"
          "\n");
    CHECK(ran.done.out ==
          " SCORE  HASH  NODE  TYPE    AGE  METADATA\n"
          "1.0000  x     a     face  5.0 s  {\"camera\":3}\n");
    CHECK(ran.done.err == "meshctl: compared with 1200 entries\n");
    const RanVerb raw =
        run_verb(reply, {"registry", "nearest", "-", "--space", "s", "--raw", "--quiet"}, "abcd");
    CHECK(raw.calls == R"(registry.nearest {"embedding":{"f32":"YWJjZA=="},"space":"s"})"
                       "\n");
    CHECK(raw.done.err.empty());
    const RanVerb json =
        run_verb(reply, {"registry", "nearest", "-", "--space", "s", "--json"}, "[1]");
    CHECK("\"result\":" + json.done.out == std::string(reply) + "\n");
    CHECK(json.done.err.empty());
}

TEST_CASE("meshctl registry nearest: none is no failure, without a space there is no question") {
    const RanVerb none = run_verb(R"("result":{"matches":[],"scanned":0})",
                                  {"registry", "nearest", "-", "--space", "s"}, "[1]");
    CHECK(none.done.exit_code == 0);
    CHECK(none.done.out == "nothing found\n");
    const Finished spaceless = run_meshctl({"registry", "nearest", "-"}, "[1]");
    CHECK(spaceless.exit_code == 2);
    CHECK(has(spaceless.err, "--space is missing"));
    const Finished empty = run_meshctl({"registry", "nearest", "-", "--space", "s", "--raw"}, "");
    CHECK(empty.exit_code == 2);
    CHECK(has(empty.err, "standard input is empty"));
    CHECK(has(run_meshctl({"registry", "nearest", "-", "--space", "s", "-k", "0"}, "[1]").err,
              "--count: '0' is no whole number from 1 to 1000"));
}

}  // namespace
}  // namespace meshd::cli
