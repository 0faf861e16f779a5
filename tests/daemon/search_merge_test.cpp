// SPDX-License-Identifier: Apache-2.0
#include "daemon/search_merge.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "daemon/search_calls.h"

using namespace meshd;

namespace {

SearchAnswered answer(const char* node, std::string results, bool is_stale = false) {
    SearchAnswered answered;
    answered.request = RequestId{1};
    answered.node = *NodeId::parse(node);
    answered.results = std::move(results);
    answered.is_stale = is_stale;
    return answered;
}

}  // namespace

TEST_CASE("search merge: best score first, then without score the youngest, whatever came first") {
    std::vector<SearchAnswered> answers = {
        answer("a", R"([{"id":1,"score":0.5},{"id":2,"age_ms":30},{"id":3}])"),
        answer("b", R"([{"id":4,"score":0.9},{"id":5,"age_ms":20},{"id":6,"score":0.5}])"),
    };
    const std::string expected = R"([{"id":4,"score":0.9,"node":"b","nodes":["b"]},)"
                                 R"({"id":1,"score":0.5,"node":"a","nodes":["a"]},)"
                                 R"({"id":6,"score":0.5,"node":"b","nodes":["b"]},)"
                                 R"({"id":5,"age_ms":20,"node":"b","nodes":["b"]},)"
                                 R"({"id":2,"age_ms":30,"node":"a","nodes":["a"]},)"
                                 R"({"id":3,"node":"a","nodes":["a"]}])";
    CHECK(merge_results(answers, 10).results == expected);
    std::reverse(answers.begin(), answers.end());
    CHECK(merge_results(answers, 10).results == expected);
}

TEST_CASE("search merge: sightings of one hash are one item with its nodes, the best one's first") {
    const MergedResults merged =
        merge_results({answer("a", R"([{"hash":"h","score":0.5},{"hash":"i","score":0.1}])"),
                       answer("c", R"([{"hash":"h","score":0.7},{"hash":"h","score":0.6}])", true),
                       answer("b", R"([{"hash":"h","score":0.6}])")},
                      10);
    CHECK(merged.results ==
          R"([{"hash":"h","score":0.7,"node":"c","nodes":["c","a","b"],"stale":true},)"
          R"({"hash":"i","score":0.1,"node":"a","nodes":["a"]}])");
    CHECK_FALSE(merged.is_truncated);
}

TEST_CASE("search merge: more than the limit is cut, and says so") {
    const std::vector<SearchAnswered> answers = {answer("a", R"([{"hash":"x"},{"hash":"y"}])"),
                                                 answer("b", R"([{"hash":"y"}])")};
    CHECK_FALSE(merge_results(answers, 2).is_truncated);
    const MergedResults cut = merge_results(answers, 1);
    CHECK(cut.is_truncated);
    CHECK(cut.results == R"([{"hash":"x","node":"a","nodes":["a"]}])");
}

TEST_CASE("search merge: what another node answers may be anything") {
    CHECK(merge_results(
              {answer("a", R"([1,"x",[2],null,{"nodes":3,"node":4,"stale":5,"hash":6}])")}, 10)
              .results == R"([{"value":1,"node":"a","nodes":["a"]},)"
                          R"({"value":"x","node":"a","nodes":["a"]},)"
                          R"({"value":[2],"node":"a","nodes":["a"]},)"
                          R"({"value":null,"node":"a","nodes":["a"]},)"
                          R"({"hash":6,"node":"a","nodes":["a"]}])");
    CHECK(merge_results({answer("a", "{oops")}, 10).results == "[]");
    CHECK(merge_results({}, 10).results == "[]");
}

TEST_CASE("search calls: answers beyond the bytes of one search lose their results, and say so") {
    SearchCalls calls;
    calls.start(RequestId{1}, {false, 1000});
    const std::string large = R"([{"text":")" + std::string(65'000, 'x') + "\"}]";
    const std::size_t fitting = SearchCalls::kBytesPerCallMax / large.size();
    for (std::size_t i = 0; i < fitting + 3; ++i) {
        calls.add(answer(("n" + std::to_string(i)).c_str(), large));
    }
    CHECK(calls.counters()[0].second == 3);
    const std::string text = calls.finish({RequestId{1}, {}, {}});
    CHECK(text.size() < 3 * SearchCalls::kBytesPerCallMax);
    CHECK(text.find(R"("results":[],"truncated":true)") != std::string::npos);
    CHECK(text.find(R"("complete":true,"truncated":true})") != std::string::npos);
    CHECK(calls.finish({RequestId{1}, {}, {}}).empty());
}
