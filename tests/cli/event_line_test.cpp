// SPDX-License-Identifier: Apache-2.0
#include "cli/event_line.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

std::string line_of(const std::string& kind, const std::string& data) {
    setenv("TZ", "UTC", 1);
    tzset();
    const auto document =
        parsed("{\"subscription\":\"1\",\"kind\":\"" + kind +
               R"(","cursor":"1","timestamp_ms":1718000000456,"data":)" + data + "}");
    return print_event(document.root(), Style{});
}

TEST_CASE("event line: each kind says who and what") {
    CHECK(line_of("node.joined", R"({"node_id":"cam-2","because":null})") ==
          "06:13:20.456  node.joined       cam-2");
    CHECK(line_of("node.unreachable", R"({"node_id":"cam-5","because":"cam-4"})") ==
          "06:13:20.456  node.unreachable  cam-5 (behind cam-4)");
    CHECK(line_of("node.isolated", R"({"node_id":"cam-1","because":null})") ==
          "06:13:20.456  node.isolated     cam-1 (this box) is cut off from all others");
    CHECK(line_of("node.rejoined", R"({"node_id":"cam-1","because":null})") ==
          "06:13:20.456  node.rejoined     cam-1 (this box) is cut off no more");
    CHECK(line_of("node.forgotten", R"({"node_id":"cam-9","because":null,"by":"cam-1"})") ==
          "06:13:20.456  node.forgotten    cam-9 by cam-1");
    CHECK(line_of("node.forgotten", R"({"node_id":"cam-9","because":null,"by":null})") ==
          "06:13:20.456  node.forgotten    cam-9");
    CHECK(line_of("link.up", R"({"node_id":"cam-2","address":"10.0.0.2:9999"})") ==
          "06:13:20.456  link.up           cam-2 10.0.0.2:9999");
    CHECK(line_of("state.changed", R"({"node_id":"cam-2","activity":"IDLE","state":{"a":1}})") ==
          R"(06:13:20.456  state.changed     cam-2 IDLE {"a":1})");
    CHECK(line_of("lagged", R"({"lost":12,"since":"3"})") ==
          "06:13:20.456  lagged            12 events lost");
    CHECK(line_of("lagged", R"({"lost":null})") ==
          "06:13:20.456  lagged            events were lost");
    CHECK(line_of("registry.put",
                  R"({"hash":"9f86","node":"cam-2","type":"person","age_ms":20,"by":"cam-2"})") ==
          "06:13:20.456  registry.put      9f86 person of cam-2, 20 ms old");
    CHECK(line_of("registry.deleted",
                  R"({"hash":"9f86","node":"cam-2","type":null,"age_ms":0,"by":"cam-1"})") ==
          "06:13:20.456  registry.deleted  9f86 of cam-2 by cam-1");
    CHECK(line_of("overload", R"({"method":"alerts.raise","refused":3,"retry_after_ms":20})") ==
          "06:13:20.456  overload          3 calls refused, the last of alerts.raise");
    CHECK(line_of("shared.changed", R"({"key":"mode","value":"night","by":"cam-1","age_ms":5})") ==
          "06:13:20.456  shared.changed    mode = night by cam-1, 5.0 ms old");
    CHECK(line_of("shared.changed", R"({"key":"mode","value":null,"by":"cam-1","age_ms":5})") ==
          "06:13:20.456  shared.changed    mode deleted by cam-1, 5.0 ms old");
    CHECK(line_of("from.tomorrow", R"({"x":1})") == R"(06:13:20.456  from.tomorrow     {"x":1})");
}

TEST_CASE("event line: an alert shows priority, source, hops, age and what it is about") {
    CHECK(
        line_of("alert", R"({"id":"cam-1.0.1","source":"cam-1","priority":"high","age_ms":3.2,
                               "alert":{"type":"intrusion"},"hops":2,"replayed":false})") ==
        R"(06:13:20.456  alert             high from cam-1, 2 hops, 3.2 ms old: {"type":"intrusion"})");
    CHECK(line_of("alert", R"({"source":"cam-1","priority":"low","age_ms":60000,
                               "alert":{"message":"door\nopen"},"hops":1,"replayed":true})") ==
          "06:13:20.456  alert             low from cam-1, 1 hop, 1 min old, replayed: door?open");
}

TEST_CASE("event line: a note shows source, topic, hops and what it says") {
    CHECK(line_of("note", R"({"source":"cam-1","topic":"lights","note":{"on":true},"hops":2})") ==
          R"(06:13:20.456  note              from cam-1 on lights, 2 hops: {"on":true})");
    CHECK(line_of("note", R"({"source":"cam-1","topic":"","note":{"message":"hello"},"hops":1})") ==
          "06:13:20.456  note              from cam-1, 1 hop: hello");
}

TEST_CASE("event line: a search for programs shows its type, who asks and what") {
    CHECK(line_of(
              "search.request",
              R"({"search":"1","search_type":"person","source":"cam-1","query":{"coat":"red"}})") ==
          R"(06:13:20.456  search.request    person from cam-1: {"coat":"red"})");
}

}  // namespace
}  // namespace meshd::cli
