// SPDX-License-Identifier: Apache-2.0
#include "proto/search/asker.h"

#include <doctest/doctest.h>

namespace meshd {
namespace {

using std::chrono::milliseconds;

TimePoint at(int ms) {
    return TimePoint(milliseconds(ms));
}

NodeId id(const char* name) {
    return *NodeId::parse(name);
}

struct Asked {
    SearchAsker asker;
    Asked() {
        asker.ask(at(0), 1, RequestId{9},
                  {{id("a"), milliseconds(30)}, {id("b"), milliseconds(30)}}, {id("z")}, at(1000));
    }
    std::vector<std::string> asked_again(int ms) {
        asker.on_timeout(at(ms));
        std::vector<std::string> nodes;
        while (const auto again = asker.poll_again()) {
            CHECK(again->number == 1);
            nodes.push_back(again->node.text());
        }
        return nodes;
    }
};

TEST_CASE_FIXTURE(Asked, "asker: a search is over as soon as all have answered") {
    CHECK(asker.on_answer(at(5), 1, id("a"), false) == RequestId{9});
    CHECK_FALSE(asker.poll_done());
    CHECK(asker.on_answer(at(6), 1, id("b"), false) == RequestId{9});
    const auto done = asker.poll_done();
    REQUIRE(done);
    CHECK(done->request == RequestId{9});
    CHECK(done->silent.empty());
    CHECK(done->unreachable == std::vector{id("z")});
    CHECK_FALSE(asker.next_deadline());
    CHECK_FALSE(asker.request(1));
}

TEST_CASE_FIXTURE(Asked, "asker: an answer counts once, and only from those asked") {
    CHECK(asker.on_answer(at(5), 1, id("a"), false));
    CHECK_FALSE(asker.on_answer(at(6), 1, id("a"), false));
    CHECK_FALSE(asker.on_answer(at(6), 1, id("c"), false));
    CHECK_FALSE(asker.on_answer(at(6), 2, id("b"), false));
    CHECK_FALSE(asker.poll_done());
}

TEST_CASE_FIXTURE(Asked, "asker: at the deadline those that did not answer were silent") {
    asker.on_answer(at(5), 1, id("a"), false);
    asker.on_timeout(at(1000));
    const auto done = asker.poll_done();
    REQUIRE(done);
    CHECK(done->silent == std::vector{id("b")});
}

TEST_CASE_FIXTURE(Asked, "asker: a node that is gone is not waited for") {
    asker.on_answer(at(5), 1, id("a"), false);
    asker.on_node_gone(id("b"));
    const auto done = asker.poll_done();
    REQUIRE(done);
    CHECK(done->silent.empty());
    CHECK(done->unreachable == std::vector{id("b"), id("z")});
}

TEST_CASE_FIXTURE(Asked, "asker: who is silent is asked again, ever more rarely") {
    CHECK(asked_again(29).empty());
    CHECK(asked_again(30) == std::vector<std::string>{"a", "b"});
    asker.on_answer(at(40), 1, id("a"), false);
    CHECK(asked_again(89).empty());
    CHECK(asked_again(90) == std::vector<std::string>{"b"});
    CHECK(asked_again(210) == std::vector<std::string>{"b"});
}

TEST_CASE_FIXTURE(Asked, "asker: who is at work is left alone for a while") {
    CHECK_FALSE(asker.on_answer(at(10), 1, id("b"), true));
    asker.on_answer(at(10), 1, id("a"), false);
    CHECK(asked_again(999).empty());
    CHECK(asker.on_answer(at(999), 1, id("b"), false));
}

TEST_CASE_FIXTURE(Asked, "asker: what is left of the time goes down to nothing") {
    CHECK(asker.remaining(at(400), 1) == milliseconds(600));
    CHECK_FALSE(asker.remaining(at(1000), 1));
    CHECK_FALSE(asker.remaining(at(0), 2));
}

TEST_CASE("asker: without anybody to ask a search is over at once") {
    SearchAsker asker;
    asker.ask(at(0), 1, RequestId{9}, {}, {id("z")}, at(1000));
    CHECK(asker.poll_done());
}

TEST_CASE("asker: so many searches at once and no more") {
    SearchAsker asker;
    for (std::uint64_t i = 1; i <= SearchAsker::kSearchesMax; ++i) {
        REQUIRE_FALSE(asker.is_full());
        asker.ask(at(0), i, RequestId{i}, {{id("a"), milliseconds(30)}}, {}, at(1000));
    }
    CHECK(asker.is_full());
    asker.on_timeout(at(1000));
    CHECK_FALSE(asker.is_full());
}

}  // namespace
}  // namespace meshd
