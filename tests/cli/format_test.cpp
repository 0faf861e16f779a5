// SPDX-License-Identifier: Apache-2.0
#include "cli/format.h"

#include <doctest/doctest.h>

#include "cli/table.h"
#include "tests/cli/parsed.h"

namespace meshd::cli {
namespace {

constexpr double kMinute = 60e3;
constexpr double kHour = 60 * kMinute;

TEST_CASE("format: durations read like a person would say them") {
    CHECK(print_duration(0) == "0 ms");
    const auto seconds = json::Document::parse("[0,2,59,60,null]", json::Limits{});
    REQUIRE(seconds);
    std::vector<std::string> printed;
    for (const json::Value& value : seconds->root()) {
        printed.push_back(print_duration_s(value));
    }
    CHECK(printed == std::vector<std::string>{"0 s", "2 s", "59 s", "1 min", "-"});
    CHECK(print_duration(0.42) == "0.4 ms");
    CHECK(print_duration(9.94) == "9.9 ms");
    CHECK(print_duration(9.96) == "10 ms");
    CHECK(print_duration(999) == "999 ms");
    CHECK(print_duration(999.9) == "1.0 s");
    CHECK(print_duration(2500) == "2.5 s");
    CHECK(print_duration(42'000) == "42 s");
    CHECK(print_duration(59'800) == "1 min");
    CHECK(print_duration(12 * kMinute) == "12 min");
    CHECK(print_duration(59.9 * kMinute) == "0 h 59 min");
    CHECK(print_duration(3 * kHour + 12 * kMinute) == "3 h 12 min");
    CHECK(print_duration(125 * kHour) == "5 d 5 h");
    CHECK(print_duration(-1) == "-");
}

TEST_CASE("format: sizes go up in steps of 1024") {
    CHECK(print_size(0) == "0 B");
    CHECK(print_size(1023) == "1023 B");
    CHECK(print_size(1024) == "1.0 KiB");
    CHECK(print_size(34 * 1024) == "34 KiB");
    CHECK(print_size(1.25 * 1024 * 1024) == "1.2 MiB");
    CHECK(print_size(3e15) == "2728 TiB");
}

TEST_CASE("format: shares are percents") {
    CHECK(print_share(0) == "0 %");
    CHECK(print_share(0.0004) == "0 %");
    CHECK(print_share(0.025) == "2.5 %");
    CHECK(print_share(0.4) == "40 %");
    CHECK(print_share(1) == "100 %");
}

TEST_CASE("format: text from the mesh cannot steer the terminal") {
    CHECK(printable("plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x94\xa5") ==
          "plain \xc3\xa4\xe2\x82\xac\xf0\x9f\x94\xa5");
    CHECK(printable("a\x1b[2Jb\nc\x7f") == "a?[2Jb?c?");
    CHECK(printable("\xc2\x9b"
                    "31m") == "?31m");
    CHECK(printable("\xe2\x80\xae"
                    "abc\xe2\x81\xa6") == "?abc?");
    CHECK(printable("\xff\xc3") == "??");
    CHECK(printable("") == "");
}

TEST_CASE("format: cutting counts characters and shows that something is missing") {
    CHECK(cut("abcdef", 6) == "abcdef");
    CHECK(cut("abcdefg", 6) == "abc...");
    CHECK(cut("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 4) == "\xc3\xa4...");
    CHECK(cut("abc", 2) == "..");
    CHECK(width_of("\xc3\xa4z") == 2);
}

TEST_CASE("format: numbers inside names sort as numbers") {
    CHECK(natural_less("cam-2", "cam-10"));
    CHECK(!natural_less("cam-10", "cam-2"));
    CHECK(natural_less("cam", "cam-1"));
    CHECK(natural_less("cam-01", "cam-1"));
    CHECK(!natural_less("cam-1", "cam-1"));
    CHECK(natural_less("a2b3", "a2b12"));
    CHECK(natural_less("cam-09", "cam-10"));
}

TEST_CASE("format: values of JSON become cells") {
    const auto document = parsed(R"({"n":null,"t":"te\u001bxt","o":{"a":[1,2.50]},"b":true})");
    CHECK(print_value(document.root()["n"]) == "-");
    CHECK(print_value(document.root()["missing"]) == "-");
    CHECK(print_value(document.root()["t"]) == "te?xt");
    CHECK(print_value(document.root()["o"]) == R"({"a":[1,2.50]})");
    CHECK(print_value(document.root()["b"]) == "true");
}

TEST_CASE("format: wrapping breaks between parts and never leaves blanks at an end") {
    const std::vector<std::string> parts = {"aaaa", "bbbb", "cccc"};
    CHECK(wrap(parts, " -- ", 80, 4) == "aaaa -- bbbb -- cccc");
    CHECK(wrap(parts, " -- ", 15, 4) == "aaaa -- bbbb --\n    cccc");
    CHECK(wrap(parts, ", ", 3, 2) == "aaaa,\n  bbbb,\n  cccc");
}

TEST_CASE("table: columns line up, numbers to the right, without blanks at an end") {
    Table table({{"NAME"}, {"HOPS", Align::Right}, {"NOTE"}});
    table.add_row({std::string("cam-1"), std::string("0"), std::string("")});
    table.add_row({std::string("\xc3\xa4"), std::string("12"), std::string("far")});
    CHECK(table.print(Style{}) ==
          "NAME   HOPS  NOTE\n"
          "cam-1     0\n"
          "\xc3\xa4        12  far\n");
}

TEST_CASE("table: a narrow terminal cuts the widest columns") {
    Table table({{"NAME"}, {"ALERT"}});
    table.add_row({std::string("cam-1"), std::string(40, 'x')});
    Style style;
    style.width = 20;
    CHECK(table.print(style) ==
          "NAME   ALERT\n"
          "cam-1  xxxxxxxxxx...\n");
    style.width = 1;
    CHECK(table.print(style) ==
          "NAME   ALERT\n"
          "cam-1  xxx...\n");
}

TEST_CASE("table: colours are outside of the padding and only where wanted") {
    Table table({{""}, {""}});
    table.add_row({{std::string("a"), Tone::Good}, std::string("b")});
    table.add_row({std::string("long"), std::string("c")});
    Style style;
    CHECK(table.print(style) == "a     b\nlong  c\n");
    style.has_color = true;
    CHECK(table.print(style) == "\x1b[32ma\x1b[0m     b\nlong  c\n");
}

}  // namespace
}  // namespace meshd::cli
