// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ipc/framing.h"

using meshd::ipc::LineSplitter;

namespace {

std::vector<std::string> drain(LineSplitter& splitter) {
    std::vector<std::string> lines;
    while (const auto line = splitter.next_line()) {
        lines.emplace_back(*line);
    }
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("framing: several lines in one read come out one by one, the rest waits") {
    LineSplitter splitter;
    splitter.append("one\ntwo\nthr");
    CHECK(drain(splitter) == Lines{"one", "two"});
    splitter.append("ee\n");
    CHECK(drain(splitter) == Lines{"three"});
}

TEST_CASE("framing: a line split at every byte comes out whole") {
    const std::string stream = "{\"a\":1}\r\n  {\"b\":2}\t \n";
    LineSplitter splitter;
    Lines lines;
    for (const char byte : stream) {
        splitter.append(std::string_view(&byte, 1));
        for (std::string& line : drain(splitter)) {
            lines.push_back(std::move(line));
        }
    }
    CHECK(lines == Lines{"{\"a\":1}", "{\"b\":2}"});
}

TEST_CASE("framing: empty lines, white space and carriage returns are tolerated") {
    LineSplitter splitter;
    splitter.append("\n\r\n   \n\t\r\n x \r\n");
    CHECK(drain(splitter) == Lines{"x"});
}

TEST_CASE("framing: a line of exactly the limit is taken, one byte more is too long") {
    LineSplitter splitter(8);
    splitter.append("12345678\n");
    CHECK(drain(splitter) == Lines{"12345678"});
    CHECK_FALSE(splitter.is_too_long());
    splitter.append("ok\n123456789\nnever\n");
    CHECK(drain(splitter) == Lines{"ok"});
    CHECK(splitter.is_too_long());
    splitter.append("never\n");
    CHECK(drain(splitter).empty());
}

TEST_CASE("framing: a line without end is too long before its newline comes") {
    LineSplitter splitter(8);
    splitter.append("1234");
    CHECK(drain(splitter).empty());
    CHECK_FALSE(splitter.is_too_long());
    splitter.append("56789");
    CHECK(drain(splitter).empty());
    CHECK(splitter.is_too_long());
    CHECK_FALSE(splitter.last_line());
}

TEST_CASE("framing: bytes after the last newline are a line when the stream ends") {
    LineSplitter splitter;
    splitter.append("one\n two");
    CHECK(drain(splitter) == Lines{"one"});
    CHECK(splitter.last_line() == "two");
    CHECK_FALSE(splitter.last_line());
}
