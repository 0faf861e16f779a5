// SPDX-License-Identifier: Apache-2.0
#include "cli/input.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <fstream>
#include <vector>

#include "cli/embedding_file.h"
#include "cli/progress.h"
#include "tests/cli/fake_daemon.h"

namespace meshd::cli {
namespace {

std::string file_of(const TemporaryDirectory& directory, const std::string& name,
                    const std::string& content) {
    const std::string path = directory.path() + "/" + name;
    std::ofstream(path) << content;
    return path;
}

std::vector<std::string> lines_of(const std::string& content) {
    const TemporaryDirectory directory;
    auto reader = LineReader::open(file_of(directory, "f", content));
    REQUIRE(reader.has_value());
    std::vector<std::string> out;
    while (true) {
        const auto line = reader->next(-1);
        REQUIRE(line.has_value());
        if (!*line) {
            CHECK(reader->bytes() == content.size());
            CHECK(reader->bytes_taken() == content.size());
            return out;
        }
        out.push_back(std::to_string((*line)->number) + ":" +
                      ((*line)->is_too_long ? "too long" : std::string((*line)->text)));
    }
}

TEST_CASE("line reader: lines are numbered, blank ones too, and the last may lack its newline") {
    using Lines = std::vector<std::string>;
    CHECK(lines_of("").empty());
    CHECK(lines_of("a\n\nb\n") == Lines{"1:a", "2:", "3:b"});
    CHECK(lines_of("a\nb") == Lines{"1:a", "2:b"});
    CHECK(lines_of("\n") == Lines{"1:"});
}

TEST_CASE("line reader: a line too long is told as one, and the next is read") {
    using Lines = std::vector<std::string>;
    const std::string fits(LineReader::kLineBytesMax, 'x');
    const std::string much(LineReader::kLineBytesMax * 3, 'x');
    CHECK(lines_of(fits + "\nb\n") == Lines{"1:" + fits, "2:b"});
    CHECK(lines_of(fits + "x\nb\n") == Lines{"1:too long", "2:b"});
    CHECK(lines_of("a\n" + much + "\nb\n") == Lines{"1:a", "2:too long", "3:b"});
    CHECK(lines_of(much) == Lines{"1:too long"});
}

TEST_CASE("line reader: waiting for more ends once the interrupt is readable") {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/pipe";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    std::fstream writer(path);
    writer << "a\n" << std::flush;
    auto reader = LineReader::open(path);
    REQUIRE(reader.has_value());
    CHECK(!reader->bytes().has_value());
    CHECK((*reader->next(-1))->text == "a");
    const ipc::Descriptor interrupt(eventfd(1, EFD_CLOEXEC));
    const auto line = reader->next(interrupt.get());
    REQUIRE(line.has_value());
    CHECK(!line->has_value());
}

TEST_CASE("line reader: what cannot be read is named") {
    CHECK(LineReader::open("/no/file").error() ==
          "cannot read /no/file: No such file or directory");
    const TemporaryDirectory directory;
    CHECK(LineReader::open(directory.path()).error() ==
          "cannot read " + directory.path() + ": Is a directory");
    CHECK(read_whole(file_of(directory, "f", "12345"), 4).error() ==
          directory.path() + "/f is longer than 4 B");
}

TEST_CASE("embedding file: JSON as it is, raw values by the ending of the name") {
    const TemporaryDirectory directory;
    CHECK(embedding_of_file(file_of(directory, "a.json", "[1, -2.5]\n")) == "[1,-2.5]");
    CHECK(embedding_of_file(file_of(directory, "b", R"({"f16": "AAAA"})")) == R"({"f16":"AAAA"})");
    CHECK(embedding_of_file(file_of(directory, "a.f32", std::string("\0\0\x80\x3f", 4))) ==
          R"({"f32":"AACAPw=="})");
    CHECK(embedding_of_file(file_of(directory, "a.f16", std::string("\0\x3c", 2))) ==
          R"({"f16":"ADw="})");
}

TEST_CASE("embedding file: what is none says why") {
    const TemporaryDirectory directory;
    const auto why = [&](const std::string& name, const std::string& content) {
        const auto embedding = embedding_of_file(file_of(directory, name, content));
        REQUIRE(!embedding.has_value());
        return embedding.error().substr(directory.path().size() + 1);
    };
    CHECK(why("a.f32", "12345") == "a.f32: 5 bytes are no whole number of f32 values of 4 bytes");
    CHECK(why("a.f16", "") == "a.f16 is empty");
    CHECK(why("a", "{}") == R"(a is neither an array of numbers nor {"f16": base64})");
    CHECK(why("a", "[1,\"2\"]") == "a: value 1 is no number but 2");
    CHECK(why("a", "\x80\x3f").starts_with("a is no JSON at byte 0"));
}

TEST_CASE("progress: says how many, how fast and how long still") {
    using std::chrono::milliseconds;
    CHECK(progress_line("imported", 500, std::nullopt, milliseconds(1000)) ==
          "imported 500, 500/s");
    CHECK(progress_line("imported", 500, 0.25, milliseconds(2000)) ==
          "imported 500 [#####---------------] 25 %, 250/s, 6.0 s left");
    CHECK(progress_line("exported", 0, 0.0, milliseconds(0)) ==
          "exported 0 [--------------------] 0 %, 0/s");
    CHECK(progress_line("exported", 9, 1.5, milliseconds(1000)) ==
          "exported 9 [####################] 100 %, 9/s, 0 ms left");
}

}  // namespace
}  // namespace meshd::cli
