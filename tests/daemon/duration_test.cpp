// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "daemon/config_key.h"

using namespace std::chrono_literals;
using meshd::parse_duration;
using meshd::print_duration;

TEST_CASE("duration: a bare number is seconds, a unit scales it") {
    CHECK(*parse_duration("5") == 5s);
    CHECK(*parse_duration("0.5") == 500ms);
    CHECK(*parse_duration("500ms") == 500ms);
    CHECK(*parse_duration("5s") == 5s);
    CHECK(*parse_duration("10m") == 10min);
    CHECK(*parse_duration("24h") == 24h);
    CHECK(*parse_duration("2d") == 48h);
    CHECK(*parse_duration("0") == 0s);
}

TEST_CASE("duration: other texts are refused") {
    for (const char* text : {"", "s", "-1", "+1", "5 s", "5S", "5sec", "inf", "nan", "1e400", "1e3",
                             "0x10", ".5", "5.5.5", "99999999999d"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("duration: is printed in the largest whole unit and reads back") {
    CHECK(print_duration(500ms) == "500ms");
    CHECK(print_duration(5s) == "5s");
    CHECK(print_duration(60s) == "60s");
    CHECK(print_duration(10min) == "10m");
    CHECK(print_duration(24h) == "24h");
    for (const auto value : {1ms, 999ms, 1500ms, 60'000ms, 3'600'000ms}) {
        CHECK(*parse_duration(print_duration(value)) == value);
    }
}
