// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.h"

#include <doctest/doctest.h>

#include "cli/state_patch.h"
#include "cli/verbs.h"

namespace meshd::cli {
namespace {

using std::chrono::milliseconds;

TEST_CASE("arguments: durations are seconds unless a unit says otherwise") {
    CHECK(parse_duration("3") == milliseconds(3000));
    CHECK(parse_duration("1.5") == milliseconds(1500));
    CHECK(parse_duration("0") == milliseconds(0));
    CHECK(parse_duration("500ms") == milliseconds(500));
    CHECK(parse_duration("3s") == milliseconds(3000));
    CHECK(parse_duration("10m") == milliseconds(600'000));
    CHECK(parse_duration("10min") == milliseconds(600'000));
    CHECK(parse_duration("2h") == milliseconds(7'200'000));
    for (const char* wrong : {"", "s", "-1", "3 s", "3x", "1e3", "nan", "inf", "9999999h", "+3"}) {
        CAPTURE(wrong);
        CHECK(!parse_duration(wrong).has_value());
    }
}

TEST_CASE("arguments: the row of a verb says what is missing or out of range") {
    Arguments none;
    CHECK(usage_error(kAlertVerb, none) == "ALERT is missing");
    CHECK(!usage_error(kStatusVerb, none).has_value());

    Arguments low;
    low.add("limit", "0");
    CHECK(usage_error(kAlertsVerb, low) == "--limit: '0' is no whole number from 1 to 1000");

    Arguments choice;
    choice.add("priority", "hihg");
    CHECK(usage_error(kAlertsVerb, choice) ==
          "--priority: 'hihg' is none of low, normal, high, critical; did you mean 'high'?");

    Arguments wait;
    wait.add("ALERT", "x");
    wait.add("wait", "61s");
    CHECK(usage_error(kAlertVerb, wait) == "--wait: '61s' is not between 0 ms and 1 min");

    Arguments timeout;
    timeout.add("timeout", "soon");
    CHECK(usage_error(kStatusVerb, timeout) ==
          "--timeout: 'soon' is no duration (as 3, 500ms, 3s, 10m or 2h)");

    Arguments socket;
    socket.add("socket", "");
    CHECK(usage_error(kStatusVerb, socket) == "--socket is empty");

    const auto wrong_node = [](std::string value) {
        Arguments node;
        node.add("NODE", std::move(value));
        return usage_error(kNodesVerb, node);
    };
    CHECK(wrong_node("") == "NODE is empty");
    CHECK(wrong_node("\xff") == "NODE is no UTF-8 text");
    CHECK(!wrong_node("cam-1").has_value());
    Arguments file;
    file.add("FILE", "/tmp/\xff");
    CHECK(!usage_error(kRegistryImportVerb, file).has_value());
    file.add("only-node", "\xff");
    CHECK(usage_error(kRegistryImportVerb, file) == "--only-node is no UTF-8 text");
}

TEST_CASE("arguments: the last of several values counts") {
    Arguments arguments;
    arguments.add("limit", "3");
    arguments.add("limit", "4");
    CHECK(arguments.number("limit") == 4);
    CHECK(!arguments.number("count").has_value());
    CHECK(arguments.text("missing").empty());
}

TEST_CASE("state patch: values are JSON where they parse as JSON, else texts") {
    const std::vector<std::string> words = {"a=1",    "b=tr", "c=true", "d={\"x\":[1]}",
                                            "e=null", "f=",   "g=1=2"};
    CHECK(state_patch(words) ==
          R"({"a":1,"b":"tr","c":true,"d":{"x":[1]},"e":null,"f":"","g":"1=2"})");
}

TEST_CASE("state patch: one JSON object is the patch itself") {
    const std::vector<std::string> words = {R"({ "a": {"b": 1.50} })"};
    CHECK(state_patch(words) == R"({"a":{"b":1.50}})");
}

TEST_CASE("state patch: what is neither is refused with the reason") {
    CHECK(!state_patch(std::vector<std::string>{"{\"a\":"}).has_value());
    CHECK(!state_patch(std::vector<std::string>{"=1"}).has_value());
    CHECK(!state_patch(std::vector<std::string>{"a=1", "a=2"}).has_value());
    CHECK(!state_patch(std::vector<std::string>{"a=\xff"}).has_value());
    CHECK(state_patch(std::vector<std::string>{"temperature"}).error() ==
          "'temperature' is neither KEY=VALUE nor a JSON object");
}

}  // namespace
}  // namespace meshd::cli
